"""Which tests of tests/promises run inside: of each test function one item, by a rule, so that new ones are among them.

Of its items it is one that no cluster is needed for; which one, the digest of its name says, so that all platforms,
capacities and so on have their share. A function is left out if it, or a function of its module that it calls, names
what a tab has not: processes, signals, packages that are not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, Final
from zlib import crc32

import pytest

LACKING: Final = frozenset(
    {"subprocess", "signal", "raise_signal", "kill", "interrupt_main", "numpy", "np", "networkx", "Runner"}
)
"""Names that a test which needs one of these has in its code: on the main thread the loop of the page runs already."""


def choose(items: list[pytest.Item]) -> tuple[list[pytest.Item], dict[str, str]]:
    """One item of each function; and of those that have none why not."""
    by_function: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_function.setdefault(item.nodeid.partition("[")[0], []).append(item)
    chosen, left_out = [], {}
    for name, group in by_function.items():
        here = [item for item in group if not _wants_ray(item)]
        lacking = sorted(LACKING & names_of(group[0]))
        if not here:
            left_out[name] = "runs on Ray alone"
        elif lacking:
            left_out[name] = f"needs {', '.join(lacking)}"
        else:
            chosen.append(min(here, key=lambda item: crc32(item.nodeid.encode())))
    return chosen, left_out


def _wants_ray(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    platform = None if callspec is None else callspec.params.get("platform")
    on_ray = item.get_closest_marker("on_ray") is not None or "::test_on_ray_" in item.nodeid
    return on_ray or getattr(platform, "name", "") == "remote"


def names_of(item: pytest.Item) -> set[str]:
    """All names in the code of its function, and of the functions of its module that this names."""
    function = getattr(item, "function", None)
    return _names(function, set()) if isinstance(function, FunctionType) else set()


def _names(function: FunctionType, seen: set[str]) -> set[str]:
    for name in _in_code(getattr(function, "__wrapped__", function).__code__):
        if name not in seen:
            seen.add(name)
            called: Any = function.__globals__.get(name)
            if isinstance(called, FunctionType) and called.__module__ == function.__module__:
                _names(called, seen)
    return seen


def _in_code(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _in_code(each)
