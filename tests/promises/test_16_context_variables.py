"""What is set for the cell that starts a job holds in the job's functions, and what they set stays their own."""

from __future__ import annotations

import decimal
import threading
from contextvars import ContextVar
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="none")


class Reads(runtime.Function[Any, str]):
    def open(self, ctx: Any) -> None:
        self.at_open = REQUEST.get()

    def process(self, value: Any, /) -> str:
        return f"{self.at_open} {REQUEST.get()}"


class Service:
    def process(self) -> str:
        return REQUEST.get()


class Asks(runtime.Function[Any, str]):
    def process(self, value: Any, /) -> str:
        answer: str = self.ctx.call_service("service")
        return answer


def test_functions_and_services_see_the_context_variables_of_who_starts_them(make_session: MakeSession) -> None:
    session = make_session()
    session.service("service", Service, concurrency=2)
    numbers = session.source(lambda: [REQUEST.get()])
    read = numbers.map(Reads(), parallelism=2).collect()
    asked = numbers.map(Asks()).collect()
    for request in ("first", "second"):
        token = REQUEST.set(request)
        session.start()
        REQUEST.reset(token)
        session.wait(PATIENCE_S)
        assert (list(read), list(asked)) == ([f"{request} {request}"], [request])


def test_a_function_computes_with_the_decimals_and_the_numpy_errors_of_who_starts_it(make_session: MakeSession) -> None:
    import numpy as np

    session = make_session(on_error="skip")
    thirds = session.source([1]).map(lambda n: decimal.Decimal(n) / 3).collect()
    session.source([1.0]).map(lambda n: np.float64(n) / np.float64(0)).collect()
    with decimal.localcontext(prec=5), np.errstate(divide="raise"):
        session.start()
    session.wait(PATIENCE_S)
    assert list(map(str, thirds)) == ["0.33333"]
    assert [type(letter.error) for letter in session.dead_letters] == [FloatingPointError]


def test_what_a_function_sets_is_seen_by_nobody_else(make_session: MakeSession) -> None:
    class Sets(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            decimal.getcontext().prec = 3 + value
            REQUEST.set("mine")
            return decimal.getcontext().prec

    before = decimal.getcontext().prec
    session = make_session()
    source = session.source([1, 2])
    one = source.map(Sets()).collect()
    other = source.map(lambda _: (decimal.getcontext().prec, REQUEST.get())).collect()
    session.run(PATIENCE_S)
    assert list(one) == [4, 5]
    assert list(other) == [(before, "none")] * 2
    assert (decimal.getcontext().prec, REQUEST.get()) == (before, "none")


@pytest.mark.concurrent
def test_a_job_started_by_a_thread_has_that_threads_variables(make_session: MakeSession) -> None:
    session = make_session()
    read = session.source([1]).map(Reads()).collect()

    def start() -> None:
        REQUEST.set("of the thread")
        session.start()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(PATIENCE_S)
    session.wait(PATIENCE_S)
    assert list(read) == ["of the thread of the thread"]
