"""Promise 17 through a view: no payload, key, result or error breaks a message, runs code, or freezes anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from runtime.texts.literal import literal_of
from sage_nb.serializers import FULL_S
from sage_nb.texts import shown, size_of, value_of
from tests.hostile import PAYLOADS, CodeWasRun
from tests.view.conftest import ShowPage

LONGEST = 60_000  # characters of one message

every_payload = pytest.mark.parametrize("name", PAYLOADS)  # by name: pytest itself does not stand the values


@every_payload
def test_a_payload_is_shown_stepped_called_and_mourned(show: ShowPage, name: str) -> None:
    payload = PAYLOADS[name]

    def fail(value: Any) -> Any:
        raise ValueError(payload)

    class Answer:
        def process(self) -> Any:
            return payload

        def broken(self) -> Any:
            raise RuntimeError(payload)

    with runtime.Session("hostile", trace=True) as session:
        session.service("answer", Answer)
        kept = session.source([payload, payload], name="source").map(lambda value: value, name="keep")
        kept.reduce(lambda _, value: value, name="state").map(fail, name="fail", on_error="skip").collect()
        page = show(session)
        page.order("start_paused")
        page.order("step")
        page.order("peek", task="keep")
        for _ in range(3):
            page.order("step")
        page.order("state", task="state")
        page.order("resume", name="answer")
        page.order("form", service="answer")
        page.order("call", service="answer", method="process", values={})
        assert not page.ask("call", service="answer", method="broken", values={})["ok"]
        page.order("resume")
        session.settle(PATIENCE_S)
        page.wait_for_frame(lambda frame: frame["letters"] == 2)
        page.order("letters")
        page.order("task", task="fail")
        page.order("events", first=0)
        assert max(len(json.dumps(each)) for each in page.comm.custom) < LONGEST
        assert max(len(json.dumps(each)) for each in page.comm.states[1:]) < LONGEST


@pytest.mark.parametrize("name", [name for name in PAYLOADS if "hostile" in name])
def test_the_whole_repr_is_asked_for_only_on_demand_and_what_it_raises_is_told(show: ShowPage, name: str) -> None:
    with runtime.Session("hostile") as session:
        session.source([PAYLOADS[name]], name="source").map(lambda value: value, name="keep").collect()
        page = show(session)
        page.order("start_paused")
        page.order("step")
        (card,) = page.order("peek", task="keep")["result"]["packets"]
        answer = page.ask("full", token=card["token"])
        assert answer["ok"] or "its own repr raised CodeWasRun" in answer["reason"], answer
        session.cancel()


class _Says:
    def __init__(self, say: Callable[[], str]) -> None:
        self.say = say

    def __repr__(self) -> str:
        return self.say()


def _leave() -> str:
    raise SystemExit(3)


def test_a_repr_that_hangs_leaves_or_is_huge_freezes_nothing(show: ShowPage) -> None:
    release = threading.Event()

    def hang() -> str:
        release.wait()
        return "late"

    payloads = [_Says(hang), _Says(_leave), _Says(lambda: "x" * 50_000_000), _Says(lambda: "\ud800<script>")]
    with runtime.Session("hostile") as session:
        session.source(payloads, name="source").map(lambda value: value, name="keep").collect()
        page = show(session)
        page.order("start_paused")
        for _ in payloads:
            page.order("step", name="source")
        cards = page.order("peek", task="keep")["result"]["packets"]
        hanging, leaving, huge, surrogate = (page.ask("full", token=card["token"]) for card in cards)
        assert hanging["reason"] == f"TimeoutError: its own repr has not come back within {FULL_S:g} s"
        assert leaving["reason"] == "ValueError: its own repr raised SystemExit: 3"
        assert (len(huge["result"]["text"]), huge["result"]["cut"]) == (100_000, 49_900_000)
        assert surrogate["result"]["text"] == "?<script>"
        session.cancel()
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("sage-nb"):
            thread.join(PATIENCE_S)


@every_payload
def test_a_literal_is_made_of_literals_only_and_gives_the_value_back(name: str) -> None:
    payload = PAYLOADS[name]
    text = literal_of(payload)
    assert text is None or value_of(text) == payload
    size_of(payload)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (" [1, 'a', None] ", [1, "a", None]),
        ("'3'", "3"),
        ("tea", "tea"),
        ("it's", "it's"),
        ("007", "007"),
        ("__import__('os').system('true')", "__import__('os').system('true')"),
        ("(" * 5_000, "(" * 5_000),
        ("a\x00b", "a\x00b"),
        ("", ""),
    ],
)
def test_what_is_typed_is_a_literal_or_else_the_text_itself(text: str, value: object) -> None:
    assert value_of(text) == value


def test_a_text_is_bounded_and_can_be_sent() -> None:
    assert shown("x" * 5_000, 10) == "xxxxxxxxxx… (5,000 characters)"
    assert shown("a\ud800b\udfff").encode("utf-8") == b"a?b?"
    with pytest.raises(CodeWasRun):
        repr(PAYLOADS["hostile"])
