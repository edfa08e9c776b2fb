"""Which tests of tests/promises run inside: of each test function one item, by a rule, so that new ones are among them.

Of its items it is one that Ray is not needed for; which one, the digest of its name says, so that all platforms,
capacities and so on have their share. A function is left out if it, or a function of its module that it calls, names
what a tab has not: processes, signals, packages that are not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, Final
from zlib import crc32

import pytest
from _pytest.fixtures import FixtureFunctionDefinition

LACKING: Final = {
    **dict.fromkeys(("subprocess", "signal", "raise_signal", "kill", "interrupt_main"), "processes and signals"),
    **dict.fromkeys(("numpy", "np", "networkx"), "packages that are not installed there"),
    **dict.fromkeys(("start_server", "open_connection", "socket"), "sockets"),
    "Runner": "a loop of its own on the main thread, where that of the page runs",
    "profile": "a thread that looks while others work",
    "stack_size": "threads that run out",
}
"""What a tab has not, by the names that a test which needs it has in its code."""


def choose(items: list[pytest.Item]) -> tuple[list[pytest.Item], dict[str, str]]:
    """One item of each function; and of those that have none why not."""
    by_function: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_function.setdefault(item.nodeid.partition("[")[0], []).append(item)
    chosen, left_out = [], {}
    for name, group in by_function.items():
        here = [item for item in group if not _needs_ray(item)]
        lacking = sorted({LACKING[name] for name in names_of(group[0]) & LACKING.keys()})
        if not here:
            left_out[name] = "needs Ray"
        elif lacking:
            left_out[name] = f"needs {', '.join(lacking)}"
        else:
            chosen.append(min(here, key=lambda item: crc32(item.nodeid.encode())))
    return chosen, left_out


def _needs_ray(item: pytest.Item) -> bool:
    """Whether it runs on Ray, or between threads by what packs functions, which comes with Ray."""
    callspec = getattr(item, "callspec", None)
    platform = None if callspec is None else callspec.params.get("platform")
    on_ray = item.get_closest_marker("on_ray") is not None or "::test_on_ray_" in item.nodeid
    return on_ray or getattr(platform, "name", "") in ("remote", "between")


def names_of(item: pytest.Item) -> set[str]:
    """All names in the code of its function, and of what this names of its module: functions, classes, fixtures."""
    function = getattr(item, "function", None)
    return _names(function, set()) if isinstance(function, FunctionType) else set()


def _names(function: FunctionType, seen: set[str]) -> set[str]:
    for name in _in_code(getattr(function, "__wrapped__", function).__code__):
        if name not in seen:
            seen.add(name)
            for called in _functions_of(function.__globals__.get(name)):
                if called.__module__ == function.__module__:
                    _names(called, seen)
    return seen


def _functions_of(named: Any) -> list[FunctionType]:
    if isinstance(named, FixtureFunctionDefinition):
        named = named._get_wrapped_function()
    found = list(vars(named).values()) if isinstance(named, type) else [named]
    return [each for each in found if isinstance(each, FunctionType)]


def _in_code(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_varnames[: code.co_argcount]  # which may be fixtures
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _in_code(each)
