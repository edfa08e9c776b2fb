"""Promise 16: what a caller has set in its context (`contextvars`) holds in the user code of jobs that it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from typing import Final

import runtime
from tests.platforms import MakeSession

WHERE: Final[ContextVar[str]] = ContextVar("WHERE", default="nowhere")


class Where:
    def process(self) -> str:
        return WHERE.get()


class Ask(runtime.Function[int, tuple[str, str]]):
    def process(self, value: int) -> tuple[str, str]:
        return WHERE.get(), self.ctx.call_service("where")


def test_user_code_runs_in_the_context_of_whoever_has_started_the_job(make_session: MakeSession) -> None:
    session = make_session()

    def make() -> Iterator[str]:
        yield WHERE.get()

    session.service("where", Where, concurrency=2)
    made = session.source(make, name="make").collect(name="made")
    asked = session.source([1, 2], name="two").map(Ask(), name="ask", parallelism=2).collect(name="asked")

    def start(where: str) -> None:
        WHERE.set(where)
        session.start()

    for where in ("here", "there"):
        copy_context().run(start, where)
        session.wait()
        seen = [*made, *asked]
        made.clear()
        asked.clear()
        assert seen == [where, (where, where), (where, where)]


def test_what_user_code_sets_in_its_context_stays_with_its_task(make_session: MakeSession) -> None:
    session = make_session()

    def remember(value: int) -> tuple[str, str]:
        before = WHERE.get()
        WHERE.set(f"at {value}")
        return before, WHERE.get()

    first = session.source([1, 2], name="two").map(remember, name="first")
    result = first.map(lambda pair: (pair, WHERE.get()), name="second").collect()
    session.run()
    assert list(result) == [(("nowhere", "at 1"), "nowhere"), (("at 1", "at 2"), "nowhere")]
    assert WHERE.get() == "nowhere"
