"""Gives each plain function of map, filter, flat_map and sink as one that waits, one call at a time.

As a pytest plugin (`-p tests.waiting.forced`) for a whole run: so each promise meets calls without a second copy of its
test. What cannot hold of a coroutine is left out, by the reasons in `LEFT_OUT`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import wraps
from types import FunctionType
from typing import Any, Final
from weakref import WeakSet

import pytest

from runtime import Session
from runtime.builder.environment import Environment
from runtime.builder.stream import OutputRef

PLAIN: Final = (None, True, None)
"""What `calls` says where nobody has said anything of concurrency, order and timeout."""
ONE: Final = (1, True, None)
KINDS: Final = ("map", "filter", "flat_map", "sink")

LEFT_OUT: Final[dict[str, str]] = {}
"""Why a test says nothing of functions that wait, by a part of its name."""


def waiting(function: FunctionType) -> Any:
    """The same function, which waits before and after."""
    if inspect.isgeneratorfunction(function):

        @wraps(function)
        async def results(value: Any) -> AsyncIterator[Any]:
            await asyncio.sleep(0)
            for each in function(value):
                yield each
                await asyncio.sleep(0)

        return results

    @wraps(function)
    async def result(value: Any) -> Any:
        await asyncio.sleep(0)
        made = function(value)
        await asyncio.sleep(0)
        return made

    return result


def is_plain(function: Any) -> bool:
    """Whether it is a function that does not wait."""
    waits = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    return type(function) is FunctionType and not waits


def may_wait(kind: str, function: Any, ends: Sequence[OutputRef], settings: dict[str, Any]) -> bool:
    """Whether the function of such an operator may as well wait."""
    if kind not in KINDS or settings.get("calls") != PLAIN or settings.get("chain"):
        return False
    return is_plain(function) and not any(end.strategy == "first_free" for end in ends)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop() -> Iterator[None]:
    """As a plugin: for the whole run."""
    add, replace = Environment.add, Session.replace

    made = WeakSet[Any]()

    def adds(self: Environment, kind: str, function: Any, ends: Sequence[OutputRef], **settings: Any) -> Any:
        if may_wait(kind, function, ends, settings):
            function, settings["calls"] = waiting(function), ONE
            made.add(function)
        return add(self, kind, function, ends, **settings)

    def replaces(self: Session, name: str, *functions: Any) -> None:
        node = self.graph.by_name.get(name)
        if node is not None and type(node.function) is FunctionType and node.function in made:
            functions = tuple(waiting(each) if is_plain(each) else each for each in functions)
        replace(self, name, *functions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "add", adds)
        patch.setattr(Session, "replace", replaces)
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Leave out what says nothing of functions that wait."""
    left = [item for item in items if any(part in item.nodeid for part in LEFT_OUT)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]
