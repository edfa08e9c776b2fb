"""What calls are measured with: the hand-written peers are right, and a wrong answer gives no figure."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pytest

import runtime
from benchmarks import calls, peers
from benchmarks.harness import WrongResult
from benchmarks.steps import Adder, Row, add_one

CALLS = 3 * calls.WINDOW + 1


class InFlight:
    """A service that answers only when it is asked for the answer, and knows how many answers were owed at most."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.owed = self.most_owed = 0

    def submit(self, number: int) -> Future[int]:
        self.asked.append(number)
        self.owed += 1
        self.most_owed = max(self.most_owed, self.owed)
        return Owed(self, number)


class Owed(Future[int]):
    def __init__(self, service: InFlight, number: int) -> None:
        super().__init__()
        self.service, self.number = service, number

    def result(self, timeout: float | None = None) -> int:
        self.service.owed -= 1
        return add_one(self.number)


@pytest.mark.parametrize("shape", [calls.sliding, calls.batches])
def test_a_window_asks_each_number_once_and_owes_a_window_of_answers(shape: Callable[..., int]) -> None:
    service = InFlight()
    assert shape(service.submit, CALLS) == sum(range(1, CALLS + 1))
    assert service.asked == list(range(CALLS))
    assert (service.most_owed, service.owed) == (calls.WINDOW, 0)


def test_a_wrong_answer_gives_no_time() -> None:
    assert len(calls.times_s(add_one, 3)) == 3
    with pytest.raises(WrongResult):
        calls.times_s(lambda number: number, 3)


@pytest.mark.parametrize("touch", calls.TOUCH.values(), ids=calls.TOUCH)
def test_only_the_session_with_an_interceptor_has_one(
    monkeypatch: pytest.MonkeyPatch, touch: Callable[[runtime.Session], object]
) -> None:
    seen: list[int] = []

    def ask(ctx: runtime.TaskContext) -> dict[str, float]:
        return {"answer": ctx.call_service(calls.SERVICE, 1)}

    def see(invocation: runtime.Invocation) -> object:
        seen.append(invocation.number)
        return invocation.proceed()

    monkeypatch.setattr(calls, "proceed", see)
    assert calls.in_task(ask, touch) == {"answer": 2}
    assert bool(seen) == (touch is calls.install)


def test_the_hand_written_service_answers_and_raises() -> None:
    with peers.Served(Adder()) as served:
        assert served.call("process", 5.0, 1) == 2
        assert [future.result(60) for future in [served.submit("process", number) for number in range(9)]] == [
            *range(1, 10)
        ]
        with pytest.raises(TypeError):
            served.call("process", 5.0, "one")


def test_the_hand_written_join_merges_every_pair_of_rows_with_equal_keys() -> None:
    left: list[Row] = [(key % 7, key) for key in range(40)]
    right: list[Row] = [(key % 9, key) for key in range(30)]
    assert peers.join_threads(left, right) == sum(one[0] == other[0] for one in left for other in right)
