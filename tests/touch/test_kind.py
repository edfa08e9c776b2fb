"""Another kind of operator, made from outside: all that the runtime promises of operators holds for it as well.

It remembers, and it reacts to a signal that is not the runtime's either (tests/signals.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import runtime
from runtime.builder.stream import OutputRef, Stream
from runtime.communication.signals import Signal
from runtime.operators import Operator, register_operator
from runtime.operators.operator import Attention, Emit
from runtime.testing import PATIENCE_S
from tests.pairs import every_pair_of
from tests.platforms import MakeSession
from tests.signals import Least, Marked, lanes


class Windows(Operator):
    """Sends what its function makes of each `size` packets, as a list; what is left at the end is a list as well."""

    at_most_one = True
    emits_last = True
    remembers = True

    def __init__(self, function: Any, *, size: int) -> None:
        super().__init__(function)
        self.size, self.open_window = size, list[Any]()

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Gather packets; send each window when it is full. A packet for which the function raises has not come."""
        for value in values:
            if len(self.open_window) < self.size - 1:
                self.open_window.append(value)
            else:
                emit(self.call([*self.open_window, value]))
                self.open_window = []
            if attention.yield_requested:
                return

    def signalled(self, signal: Signal, number: int | None) -> Iterable[Any] | None:
        """What has come before a `Least` signal is a window, however few they are; it is sent before the signal."""
        if not isinstance(signal, Least) or not self.open_window:
            return None
        window, self.open_window = self.open_window, []
        return [self.call(window)]

    def remembered(self) -> Any:
        """The window that is not full."""
        return list(self.open_window)

    def remember(self, key: Any, value: Any) -> None:
        """Go on with another one."""
        self.open_window = list(value)

    def copy(self, key: Any) -> list[Any]:
        """The window that is not full."""
        return list(self.open_window)

    def restore(self, copied: list[Any]) -> None:
        """Go on with that."""
        self.open_window = list(copied)

    def finish(self) -> Iterable[Any]:
        """The last window."""
        return [self.call(self.open_window)] if self.open_window else []


register_operator("windows", Windows)


def windows(session: runtime.Session, stream: Stream[Any], size: int, function: Any = list, **settings: Any) -> Any:
    """A stream of windows, as a method of `Stream` would make it."""
    environment, options = session._environment, {"size": size}
    node = environment.add("windows", function, stream._ends, options=options, **settings)
    return Stream(environment, (OutputRef(node.name),))


def sum_of_ints(window: list[int]) -> int:
    if 8 in window:
        raise ValueError("an eight")
    return sum(window)


@every_pair_of(size=(1, 3, 1000), capacity=(1, 4, 1024), remote={"size": 3, "capacity": 4})
def test_every_packet_comes_in_one_window_in_order(make_session: MakeSession, size: int, capacity: int) -> None:
    session = make_session(capacity=capacity)
    result = windows(session, session.source(range(100)), size, name="windows").collect()
    outcome = session.run()
    assert [number for window in result for number in window] == list(range(100))
    assert [len(window) for window in result[:-1]] == [size] * (len(result) - 1)
    assert (outcome.state, outcome.packets_in, outcome.packets_out) == ("completed", 100, len(result))


def test_parallel_instances_have_a_window_each(make_session: MakeSession) -> None:
    session = make_session(capacity=8)
    result = windows(session, session.source(range(100)), 7, parallelism=3).collect()
    session.run()
    assert sorted(number for window in result for number in window) == list(range(100))


@pytest.mark.parametrize("on_error", ["skip", runtime.Retry(1, then="skip")], ids=["skip", "retry"])
def test_what_its_function_raises_is_judged_by_its_policy(make_session: MakeSession, on_error: Any) -> None:
    session = make_session()
    result = windows(session, session.source(range(12)), 3, sum_of_ints, on_error=on_error).collect()
    outcome = session.run()
    assert list(result) == [3, 12, 6 + 7 + 9, 10 + 11]
    assert outcome.skipped == 1
    assert [letter.packet for letter in session.dead_letters] == [8]


@pytest.mark.also_remote
def test_it_is_paused_stepped_looked_at_and_edited_as_any_other(make_session: MakeSession) -> None:
    session = make_session()
    stream = session.input("numbers")
    windows(session, stream, 2, name="windows").collect(name="result")
    session.start(paused=True)
    for number in range(3):
        session.send("numbers", number)
    session.step("numbers", 3)
    session.edit(session.peek("windows")[0], 10)
    steps = session.step("windows", 2)
    assert [[packet.payload for _, packet in step.sent] for step in steps] == [[], [[10, 1]]]
    session.step("windows")
    assert session.state("windows") == [2]
    session.set_state("windows", None, [5, 6])
    session.end("numbers")
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"


def test_a_stop_sends_the_last_window_and_a_cancel_counts_what_is_dropped(make_session: MakeSession) -> None:
    session = make_session()
    result = windows(session, session.input("numbers"), 10).collect()
    session.start()
    for number in range(3):
        session.send("numbers", number)
    session.stop()
    session.wait(PATIENCE_S)
    assert list(result) == [[0, 1, 2]]


@pytest.mark.also_remote
@pytest.mark.parametrize("on_error", ["fail", "skip"])
@pytest.mark.long_on_ray
def test_a_signal_ends_a_window_and_comes_after_it(make_session: MakeSession, on_error: Any) -> None:
    session = make_session(capacity=64)
    source = session.source(Marked("a", "least", 12, (3, 4, 9)), name="a")
    windows(session, source, 5, name="windows", on_error=on_error).sink(list, name="end")
    session.start(paused=True)
    session.resume("a", "windows")
    session.settle(PATIENCE_S)
    (lane,) = lanes(session.peek("end")).values()
    assert [[number for _, number in each] if isinstance(each, list) else each for each in lane] == [
        [0, 1, 2],
        Least(3),
        [3],
        Least(4),
        [4, 5, 6, 7, 8],
        Least(9),
        [9, 10, 11],
        Least(12),
        "completed",
    ]
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"


def test_what_it_remembers_is_copied_and_restored() -> None:
    operator = Windows(list, size=3)
    operator.receive_packet("a", print)
    copied = operator.copy(None)
    operator.receive_packet("b", print)
    operator.restore(copied)
    assert [operator.remembered(), copied] == [["a"], ["a"]]


def test_a_kind_has_one_class() -> None:
    register_operator("windows", Windows)
    with pytest.raises(runtime.GraphInvalid, match="registered already"):
        register_operator("windows", type("Others", (Windows,), {}))
