"""Gives each plain function of map, filter, flat_map and sink as one that waits, one call at a time.

As a pytest plugin (`-p tests.waiting.forced`) for a whole run: so each promise meets calls without a second copy of its
test. What cannot hold of a coroutine is left out, by the reasons in `LEFT_OUT`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import wraps
from itertools import compress
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

LEFT_OUT: Final = {
    "StopIteration": "a coroutine cannot raise it: Python makes a RuntimeError of that",
    "a_packet_that_makes_many_is_held_back_in_the_middle": "a call is ahead of its results by 16",
    "a_writer_that_is_held_back_by_a_paused_reader": "what a call returns is drawn at once, and this has no end",
    "an_operator_that_somebody_else_needs_goes_on": "what a call returns is drawn at once, and this has no end",
    "cancel_is_heard_while_results_are_held_back": "what a call returns is drawn at once, and this has no end",
    "the_first_of_several_failures": "a call that is cancelled with its job raises nothing any more",
    "cancel_counts_all_that_one_packet_made": "a call that is cancelled in the sink has not taken its packet",
    "the_results_of_one_packet_are_bounded_in_bytes": "the error names a call",
    "cancel_ends_a_back_off_at_once": "calls that wait for an attempt are open",
    "nothing_overtakes_a_packet_that_is_waiting": "calls that wait for an attempt are open",
    "for_the_next_attempt_and_for_a_rate_are_told_apart": "calls that wait for an attempt are open",
    "a_repeat_that_waits_for_its_rate": "calls that wait for an attempt are open",
    "test_10_what_was_meant.py": "it is about functions that wait where none is meant",
    "what_user_code_sets_in_its_context": "each call has a context of its own",
    "a_thread_of_the_job_would_wait_for_itself": "no loop can be run within a loop",
    "a_generator_is_refused_where_one_result_is_sent": "it is about kinds of functions",
    "the_packet_at_fault_stays_first_in_its_lane": "it stays in its call",
    "how_its_calls_are_made_stays_as_it_was": "it is about kinds of functions",
    "what_cannot_take_its_place_is_refused": "it is about kinds of functions",
    "an_object_takes_the_place_of_a_plain_function": "it is about kinds of functions",
    "an_object_sends": "it is about kinds of functions",
    "a_flood_of_skips": "it counts all events, and functions that wait may bring a warning",
    "test_22_back.py": "back refuses calls by name",
}
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
    is_left = [any(part in item.nodeid for part in LEFT_OUT) for item in items]
    config.hook.pytest_deselected(items=list(compress(items, is_left)))
    items[:] = [item for item, left in zip(items, is_left, strict=True) if not left]
