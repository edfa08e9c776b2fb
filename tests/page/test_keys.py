"""The keyboard: all can be reached and done with it, and no key that is meant for the view edits the notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.page import answers, plans
from tests.page.harness import Shown

Load = Callable[..., Shown]
PLAN = plans.small()


def focused(shown: Shown) -> str:
    """The name of the row that has the focus, or what else has it."""
    return str(
        shown.page.evaluate(
            "(each => (each.getAttribute('aria-label') ?? each.textContent).split(',')[0])(document.activeElement)"
        )
    )


def opened(load: Load, **more: Any) -> Shown:
    shown = load(PLAN, more.pop("frame", plans.paused(PLAN)), answers=answers.ALL, **more)
    shown.page.evaluate("window.outside = []; document.addEventListener('keydown', event => outside.push(event.key))")
    return shown


def test_the_graph_is_one_stop_of_the_tab_key(load: Load) -> None:
    shown = opened(load)
    stops = shown.page.evaluate("document.querySelectorAll('.sn-graph [data-row][tabindex=\"0\"]').length")
    assert stops == 1
    shown.row("lines").focus()
    shown.page.keyboard.press("Tab")
    assert focused(shown) == "Fit all of the graph"


def test_arrows_follow_the_edges_and_the_rows(load: Load) -> None:
    shown = opened(load)
    shown.row("lines").focus()
    path = []
    for key in (
        "ArrowRight",
        "ArrowRight",
        "ArrowDown",
        "ArrowRight",
        "ArrowLeft",
        "ArrowUp",
        "ArrowLeft",
        "ArrowLeft",
    ):
        shown.page.keyboard.press(key)
        path.append(focused(shown))
    assert path == ["split", "count#1", "count#2", "result", "count#1", "count#1", "split", "lines"]
    shown.page.keyboard.press("ArrowDown")
    assert focused(shown) == "clock"
    shown.page.keyboard.press("ArrowUp")
    assert focused(shown) == "lines"
    assert shown.page.evaluate("outside") == []


def test_enter_inspects_and_escape_comes_back(load: Load) -> None:
    shown = opened(load)
    shown.row("count#1").focus()
    shown.page.keyboard.press("Enter")
    assert shown.page.evaluate("document.activeElement.closest('.sn-inspector') !== null")
    shown.page.keyboard.press("Escape")
    assert focused(shown) == "count#1"
    assert shown.page.evaluate("outside") == []


def test_space_pauses_or_resumes_and_the_dot_steps_the_task_that_has_the_focus(load: Load) -> None:
    shown = opened(load)
    shown.row("count#2").focus()
    shown.page.keyboard.press("Space")
    shown.page.keyboard.press(".")
    shown.push(plans.running(PLAN, 2))
    shown.row("split").focus()
    shown.page.keyboard.press("Space")
    shown.settle()
    assert shown.sent("pause", "resume", "step") == [
        {"cmd": "resume", "args": {"name": "count#2"}},
        {"cmd": "step", "args": {"name": "count#2"}},
        {"cmd": "pause", "args": {"name": "split"}},
    ]
    assert shown.page.evaluate("outside") == []


def test_the_comma_takes_back_what_the_dot_has_done_and_says_why_if_it_cannot(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers={"back": None})
    shown.row("count#1").focus()
    for _ in range(3):
        shown.page.keyboard.down(",")
    shown.page.keyboard.up(",")
    shown.settle()
    assert shown.sent("back") == [{"cmd": "back", "args": {}}]
    shown.push(plans.running(PLAN, 2, holding="some", held=[3]))
    shown.page.keyboard.press(",")
    shown.settle()
    assert len(shown.sent("back")) == 1
    assert "not everything is paused: pause first" in (shown.page.locator(".sn-note").first.text_content() or "")


def test_a_key_that_is_held_down_takes_one_step_at_a_time(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers={"step": None})
    shown.row("count#1").focus()
    for _ in range(5):
        shown.page.keyboard.down(".")
    shown.page.keyboard.up(".")
    shown.settle()
    assert len(shown.sent("step")) == 1


def test_a_step_that_is_pressed_again_is_carried_out_again_up_to_a_bound(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers={"step": None})
    shown.page.evaluate(
        """() => { window.notes = [];
             new MutationObserver(() => notes.push(document.querySelector('.sn-note').textContent))
               .observe(document.querySelector('.sn-note'), {characterData: true, subtree: true, childList: true}); }"""
    )
    shown.row("count#1").focus()
    for _ in range(20):
        shown.page.keyboard.press(".")
    shown.settle()
    assert shown.sent("step") == [{"cmd": "step", "args": {"name": "count#1"}}] * 16
    assert "16 times step wait for the kernel already: this one is not sent" in shown.page.evaluate("notes")
    ids = shown.page.evaluate("sent.filter(each => each.cmd === 'step').map(each => each.id)")
    assert len(set(ids)) == 16
    shown.page.evaluate("id => kernelSends({ack: id, ok: true, reason: '', python: '', text: ''})", ids[0])
    shown.page.keyboard.press(".")
    shown.settle()
    assert len(shown.sent("step")) == 17


def test_the_button_of_a_step_can_be_pressed_again_before_the_answer(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers={"step": None})
    button = shown.root.get_by_role("button", name="Step", exact=True)
    button.dblclick()
    shown.settle()
    assert len(shown.sent("step")) == 2


def test_a_key_for_what_cannot_work_says_why(load: Load) -> None:
    shown = opened(load, frame=plans.running(PLAN))
    shown.row("split").focus()
    shown.page.keyboard.press(".")
    shown.settle()
    assert shown.root.locator(".sn-note").text_content() == "split is not paused: pause it first"
    assert shown.sent("step") == []


def test_i_goes_to_where_a_value_is_injected(load: Load) -> None:
    shown = opened(load)
    shown.row("split").focus()
    shown.page.keyboard.press("i")
    shown.page.keyboard.type("'be'")
    shown.page.keyboard.press("Enter")
    shown.settle()
    assert shown.sent("inject") == [{"cmd": "inject", "args": {"task": "split", "value": "'be'", "input": 0}}]
    assert shown.page.evaluate("outside") == []


def test_keys_that_the_view_has_no_use_for_are_left_alone(load: Load) -> None:
    shown = opened(load)
    shown.row("split").focus()
    for key in ("a", "Control+i", "Escape"):
        shown.page.keyboard.press(key)
    assert shown.page.evaluate("outside") == ["a", "Control", "i", "Escape"]


def test_up_and_down_go_through_the_table(load: Load) -> None:
    shown = opened(load, shown="table")
    shown.root.locator(".sn-table [data-row='0']").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown"):
        shown.page.keyboard.press(key)
    shown.settle()
    assert focused(shown) == "split"
    assert shown.root.locator("tr[data-selected]").text_content().startswith("split")
    shown.page.keyboard.press(" ")
    shown.settle()
    assert shown.sent("resume") == [{"cmd": "resume", "args": {"name": "split"}}]


def test_whatever_can_have_the_focus_keeps_the_notebooks_shortcuts_away(load: Load) -> None:
    shown = opened(load, frame=plans.paused(PLAN, letters=2))
    shown.row("count#1").click()
    for tab in ("packet", "queue", "task", "service", "errors"):
        shown.root.locator(f"[data-tab={tab}]").click()
        shown.settle()
        open_ones = shown.page.evaluate(
            """() => [...document.querySelectorAll('.sage-nb-view *')].filter(each =>
                 each.tabIndex >= 0 && each.getAttribute('data-lm-suppress-shortcuts') !== 'true')
               .map(each => each.outerHTML.slice(0, 80))"""
        )
        assert open_ones == []


@pytest.mark.parametrize("tab", ["queue", "task"])
def test_the_focus_can_be_seen(load: Load, tab: str) -> None:
    shown = opened(load)
    shown.row("count#1").click()
    shown.root.locator(f"[data-tab={tab}]").click()
    for _ in range(25):
        shown.page.keyboard.press("Tab")
        seen = shown.page.evaluate(
            """() => { const e = document.activeElement; if (e === document.body) return true;
                 const {outlineStyle, outlineWidth} = getComputedStyle(e);
                 const frame = e.querySelector?.(':scope > .sn-row-frame');
                 return (outlineStyle !== 'none' && outlineWidth !== '0px')
                   || (frame && getComputedStyle(frame).stroke !== 'none'); }"""
        )
        assert seen, shown.page.evaluate("document.activeElement.outerHTML.slice(0, 100)")
