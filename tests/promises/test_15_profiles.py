"""Where the time goes inside a function: looked at from outside, and nothing is held up, changed or kept by that."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import runtime
from runtime import CommandRefused, GraphInvalid, Profile, Session, UnknownName
from runtime.control import profiling
from runtime.python.stacks import Place, Stack, stack_of
from runtime.testing import PATIENCE_S, Moment
from tests.platforms import MakeSession, Platform


def double(value: int) -> int:
    return value * 2


class Stands:
    """User code that stands at a line of its own until it may go on."""

    def __init__(self, platform: Platform | None = None) -> None:
        moment = Moment if platform is None else platform.moment
        self.reached, self.go_on = moment(), moment()

    def wait_here(self) -> None:
        self.go_on.wait()

    def __call__(self, value: int) -> int:
        self.reached.set()
        self.wait_here()
        return value


@pytest.mark.concurrent
@pytest.mark.also_remote
def test_the_lines_of_user_code_at_work_are_found(make_session: MakeSession, platform: Platform) -> None:
    session, stands = make_session(), Stands(platform)
    session.source([1], name="numbers").map(stands, name="stands").sink(double, name="end")
    session.start()
    stands.reached.wait()
    profile = session.profile("stands", 0.02)
    idle = session.profile("end", 0.02)
    stands.go_on.set()
    session.wait(PATIENCE_S)
    functions = {place.function for stack in profile.stacks for place in stack}
    assert {"Stands.__call__", "Stands.wait_here"} <= functions
    assert all(stack[0].function == "Stands.__call__" for stack in profile.stacks)
    assert profile.idle == 0
    assert sum(line.share for line in profile.lines) == pytest.approx(1)
    assert idle.idle == idle.looks > 0
    assert idle.lines == []


def test_a_paused_task_is_idle_and_so_is_one_that_has_ended() -> None:
    with Session("it") as session:
        session.source([1, 2], name="numbers").map(double, name="m").sink(double, name="end")
        session.start(paused=True)
        assert session.profile("m", 0.01).lines == []
        session.resume()
        session.wait(PATIENCE_S)
        after = session.profile("m", 0.1)
        assert (after.idle, after.looks, after.lines) == (1, 1, [])  # one look, and nothing to wait for


def test_of_an_operator_all_tasks_are_looked_at_and_of_a_service_all_threads() -> None:
    stands, serves = Stands(), Stands()

    class Slow:
        def process(self, value: int) -> int:
            return serves(value)

    class Asks(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            answer: int = self.ctx.call_service("slow", value, timeout=PATIENCE_S)
            return answer

    with Session("it") as session:
        session.service("slow", Slow, concurrency=2)
        numbers = session.source([1, 2], name="numbers")
        numbers.map(stands, name="stands", parallelism=2).sink(double, name="end")
        numbers.map(Asks(), name="asks").sink(double, name="other")
        session.start()
        stands.reached.wait()
        serves.reached.wait()
        assert session.profile("stands", 0.001).looks % 2 == 0
        service = session.profile("slow", 0.001)
        assert service.looks % 2 == 0
        assert any(place.function.endswith("Slow.process") for stack in service.stacks for place in stack)
        while session.snapshot()["asks"].state != "waiting":  # its request is there before it begins to wait
            pass
        assert session.profile("asks", 0.001).lines == []
        stands.go_on.set()
        serves.go_on.set()
        session.wait(PATIENCE_S)


def test_only_the_member_of_a_chain_that_is_at_work_is_seen_at_work() -> None:
    with Session("it") as session:
        session.source(range(10**9), name="numbers").map(double, name="m").sink(double, name="end")
        session.start()
        for name in ("m", "end"):
            for stack in session.profile(name, 0.05).stacks:
                assert stack[0].function in ("double", "(the engine)"), stack
        session.cancel()


def test_an_interrupt_ends_the_look_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def wait(self, _: float) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(profiling, "Event", Interrupted)
    with Session("it") as session:
        stands = Stands()
        result = session.source([1], name="numbers").map(stands, name="stands").collect()
        session.start()
        stands.reached.wait()
        with pytest.raises(KeyboardInterrupt):
            session.profile("stands", PATIENCE_S)
        stands.go_on.set()
        session.wait(PATIENCE_S)
        assert list(result) == [1]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", True, None, 10**6])
def test_a_time_that_is_none_is_refused(seconds: Any) -> None:
    with Session("it") as session:
        session.source([1], name="numbers").sink(double, name="end")
        session.start(paused=True)
        with pytest.raises(GraphInvalid, match="profile"):
            session.profile("end", seconds)
        session.cancel()


def test_where_it_could_see_nothing_it_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[BaseException] = []

    def ask(value: int) -> int:
        try:
            session.profile("end", 0.01)
        except CommandRefused as error:
            seen.append(error)
        return value

    with Session("it", seed=1) as session:
        session.source([1], name="numbers").map(ask, name="asks").sink(double, name="end")
        session.start()
        with pytest.raises(CommandRefused, match="under a seed"):
            session.profile("end")
        session.wait(PATIENCE_S)
    with Session("it") as session:
        session.source([1], name="numbers").map(ask, name="asks").sink(double, name="end")
        with pytest.raises(runtime.NotStarted):
            session.profile("end")
        session.run(PATIENCE_S)
        with pytest.raises(UnknownName, match="nobody"):
            session.profile("nobody")
        monkeypatch.setattr(sys, "platform", "emscripten")
        with pytest.raises(CommandRefused, match="browser"):
            session.profile("end")
    assert len(seen) == 2


# ── a profile by itself ──


def place(function: str, line: int) -> Place:
    return Place(function, "/somewhere/words.py", line)


STACKS: dict[Stack, int] = {(place("f", 3),): 1, (place("f", 4), place("g", 9)): 5, (place("g", 9),): 2}
PROFILE = Profile("count", 2.0, 10, STACKS)


def test_the_hottest_lines_come_first_and_shares_are_of_all_looks() -> None:
    assert [(line.function, line.line, line.share) for line in PROFILE.lines] == [("g", 9, 0.7), ("f", 3, 0.1)]
    assert PROFILE.idle == 2
    assert str(PROFILE).splitlines() == [
        "count: 10 looks in 2.0 s, idle in 20% of them",
        " 70.0%  g, words.py:9",
        " 10.0%  f, words.py:3",
    ]
    many: dict[Stack, int] = {(place("f", number),): number + 1 for number in range(30)}
    assert [line.line for line in Profile("f", 1.0, 465, many).lines] == list(range(29, 19, -1))


def test_what_is_saved_is_a_sampled_profile_of_which_the_weights_add_up(tmp_path: Path) -> None:
    PROFILE.save(tmp_path / "count.speedscope.json")
    saved = json.loads((tmp_path / "count.speedscope.json").read_text("utf-8"))
    assert saved["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    (profile,) = saved["profiles"]
    assert (profile["type"], profile["unit"], profile["startValue"]) == ("sampled", "seconds", 0)
    assert profile["endValue"] == pytest.approx(sum(profile["weights"])) == pytest.approx(2.0)
    frames = saved["shared"]["frames"]
    named = [[frames[index]["name"] for index in sample] for sample in profile["samples"]]
    assert named == [["f"], ["f", "g"], ["g"], ["(idle)"]]
    assert profile["weights"] == pytest.approx([0.2, 1.0, 0.4, 0.4])
    assert frames[0] == {"name": "f", "file": "/somewhere/words.py", "line": 3}


@pytest.mark.parametrize("profile", [PROFILE, Profile("nobody", 0.0, 0, {})], ids=["looked at", "empty"])
def test_what_is_saved_has_what_the_schema_of_speedscope_asks_for_and_its_importer_needs(
    tmp_path: Path, profile: Profile
) -> None:
    """By the schema that speedscope 1.25 publishes; its page opens such files."""
    profile.save(tmp_path / "profile.json")
    saved = json.loads((tmp_path / "profile.json").read_text("utf-8"))
    assert set(saved) <= {"$schema", "profiles", "shared", "activeProfileIndex", "exporter", "name"}
    for frame in saved["shared"]["frames"]:
        assert set(frame) <= {"name", "file", "line", "col"}
        assert type(frame["name"]) is str
        assert type(frame.get("file", "")) is str
        assert type(frame.get("line", 0)) is int
    (sampled,) = saved["profiles"]
    assert set(sampled) == {"endValue", "name", "samples", "startValue", "type", "unit", "weights"}
    assert sampled["unit"] in {"bytes", "microseconds", "milliseconds", "nanoseconds", "none", "seconds"}
    assert len(sampled["samples"]) == len(sampled["weights"])  # else it is refused
    assert all(0 <= index < len(saved["shared"]["frames"]) for sample in sampled["samples"] for index in sample)
    assert sampled["startValue"] <= sampled["endValue"]


def test_the_stack_of_a_thread_that_is_gone_is_none() -> None:
    thread = threading.Thread(target=double, args=(1,))
    thread.start()
    ident = thread.ident
    thread.join()
    assert stack_of(None) is None
    assert stack_of(-1 if ident is None else -ident) is None
