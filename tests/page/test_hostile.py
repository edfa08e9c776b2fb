"""Texts that break whoever is careless, in every field of every record: the page stays what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from sage_nb.wire import Frame, Plan
from tests.page import answers, plans
from tests.page.harness import Shown

Load = Callable[..., Shown]

HOSTILE: Final = {
    "script": "<script>failures.push('a script ran')</script>",
    "image": "'\"><img src=x onerror=\"failures.push('an image ran')\">",
    "end of script": "</script></style></svg></textarea><iframe src=javascript:failures.push('ran')>",
    "style": "red;} * { display: none } </style>",
    "address": "javascript:failures.push('ran')",
    "control": "a\x00b\x1b[31mc\x7f\x85\u2028d",
    "bidi": "left\u202eright\u2066\u200fend",
    "surrogates": "\ud800 alone \udfff\ud83d",
    "prototype": "__proto__",
    "python": "{0} %s \\ \" '",
    "wide": "温度データ 🌡 " * 40,
    "combining": "e" + "\u0301" * 3_000,
    "long": "W" * 20_000,
    "empty": "",
}


def spoiled(value: Any, text: str) -> Any:
    """`value` with every text in it that is free to be anything replaced by `text`."""
    if isinstance(value, str):
        return text
    if isinstance(value, list | tuple):
        return [spoiled(each, text) for each in value]
    if isinstance(value, dict):
        kept = ("kind", "strategy", "token", "task")  # what is one of a few words, or a name that is looked up
        return {key: each if key in kept else spoiled(each, text) for key, each in value.items()}
    return value


def spoiled_plan(text: str) -> Plan:
    plan = plans.small()
    spoiled_one: Plan = spoiled(plan, text)
    for number, row in enumerate(spoiled_one["rows"]):
        row["name"] = f"{text}{number}"
        row["kind"] = plan["rows"][number]["kind"]
        row["operator"] = text
    return spoiled_one


def spoiled_frame(plan: Plan, text: str) -> Frame:
    happened = [plans.event(number, text or "turn", number - 1, text, number / 10) for number in range(7)]
    return plans.paused(plan, 3, events=happened, letters=2)


@pytest.mark.parametrize("case", HOSTILE)
def test_no_text_can_do_more_than_be_shown(load: Load, case: str) -> None:
    text = HOSTILE[case]
    plan = spoiled_plan(text)
    spoiled_answers = {
        cmd: {**answer, "result": spoiled(answer.get("result"), text), "python": text, "text": text, "reason": text}
        for cmd, answer in answers.ALL.items()
    }
    for cmd in ("peek", "task"):
        spoiled_answers[cmd]["result"]["task"] = plan["rows"][2]["name"]
    shown = load(plan, spoiled_frame(plan, text), answers=spoiled_answers, width=900)
    before = shown.page.evaluate("document.querySelectorAll('script, style').length")
    shown.root.locator("[data-row='2']").first.click()
    for tab in ("queue", "task", "service", "errors", "packet"):
        shown.root.locator(f"[data-tab={tab}]").click()
        shown.settle()
        if tab == "queue":
            shown.root.locator(".sn-packet").first.dblclick()
    shown.root.get_by_role("toolbar").get_by_role("button", name="Step", exact=True).click()
    shown.page.evaluate("kernelSets('shown', 'table')")
    shown.root.locator(".sn-log-all summary").click()
    shown.settle()
    assert shown.root.locator("img, iframe, script, style, a, b, object, embed, link").count() == 0
    assert shown.page.evaluate("document.querySelectorAll('script, style').length") == before
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 900
    said = shown.page.evaluate("document.querySelector('.sage-nb-view').textContent")
    titles = shown.page.evaluate("[...document.querySelectorAll('[title]')].map(each => each.title).join('')")
    assert not set(said + titles) & set("\x00\x1b\x7f\x85\u2028\u202e\u2066\u200f\ud800\udfff")
    assert len(said) < 600_000


def test_ten_megabytes_of_text_are_cut_before_anything_is_done_with_them(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.paused(plan), answers={"pause": None, "step": None})
    took = []
    for _ in range(3):
        shown.root.get_by_role("toolbar").get_by_role("button", name="Step", exact=True).click()
        took.append(
            shown.page.evaluate(
                """async () => {
                     const text = "W\\u202e".repeat(5_000_000), began = performance.now();
                     kernelSends({ack: sent.at(-1).id, ok: false, reason: text, python: text, text});
                     await painted();
                     return performance.now() - began;
                   }"""
            )
        )
        assert len(shown.root.locator(".sn-note").text_content() or "") == 300
    assert min(took) < 1_000


def test_a_long_name_is_cut_with_dots_and_whole_in_its_title(load: Load) -> None:
    name = "a very long name of a task that nobody could ever read in so small a box"
    plan = plans.plan_of([plans.Op(name, "source", 0)])
    shown = load(plan, plans.running(plan), parts=["graph"])
    assert (shown.row(name).locator(".sn-name").text_content() or "").endswith("…")
    assert name in (shown.row(name).locator("title").text_content() or "")


def test_foreign_text_keeps_its_direction_to_itself(load: Load) -> None:
    plan = plans.small()
    hebrew = "\u05e9\u05dc\u05d5\u05dd"
    shown = load(plan, plans.running(plan, events=[plans.event(0, "turn", 1, hebrew, 0.1)]))
    shown.push(plans.running(plan, 2))
    quoted = shown.page.evaluate("getComputedStyle(document.querySelector('.sn-log-line .sn-quoted')).unicodeBidi")
    assert quoted == "isolate"
