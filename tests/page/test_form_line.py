"""The last line of a form out of ipywidgets: it says what came of a click, and that the kernel has gone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.page import plans
from tests.page.harness import Shown

Load = Callable[..., Shown]

# What ipywidgets make of a form: its fields, and the line as the last of them.
_FORM = """() => {
  const form = document.createElement('div'), root = document.getElementById('root');
  form.className = 'sage-nb-form';
  form.innerHTML = '<input title="a name"><select></select><button id="off" disabled></button><button>Call</button>';
  root.replaceWith(form);
  form.append(root);
}"""


def loaded(load: Load, application: bool = False) -> Shown:
    shown = load(plans.small(), None, parts=["form"], application=application)
    shown.page.evaluate(_FORM)
    return shown


def fields(shown: Shown) -> list[list[object]]:
    found: list[list[object]] = (
        shown.page.locator(".sage-nb-form")
        .locator("input, select, button")
        .evaluate_all("each => each.map(one => [one.disabled, one.title])")
    )
    return found


def test_what_came_of_a_click_is_said(load: Load) -> None:
    shown = loaded(load)
    shown.page.evaluate("kernelSets('said', '<b>put</b>   session.inject()')")
    assert shown.page.locator(".sn-line-said").text_content() == "<b>put</b>   session.inject()"
    assert shown.sent("mount")


def test_a_form_whose_kernel_is_silent_says_so_within_two_seconds_and_can_do_nothing_until_it_is_back(
    load: Load,
) -> None:
    shown = loaded(load)
    before = fields(shown)
    lost = shown.page.locator(".sn-line-lost")
    assert lost.is_hidden()
    shown.page.evaluate("beating = false")
    expect(lost).to_contain_text("This form can do nothing: no word from its kernel", timeout=2_000)
    reason = "no word from its kernel: it has gone, or is too busy to answer"
    assert fields(shown) == [[True, reason], [True, reason], [True, ""], [True, reason]]
    shown.page.evaluate("beating = true")
    expect(lost).to_be_hidden()
    assert fields(shown) == before


def test_a_form_of_a_kernel_that_was_restarted_stays_out_of_use(load: Load) -> None:
    shown = loaded(load, application=True)
    shown.page.evaluate("kernel.statusChanged.emit('restarting'); kernel.statusChanged.emit('idle')")
    expect(shown.page.locator(".sn-line-lost")).to_contain_text("its kernel was restarted: run the cell again")
    assert all(disabled for disabled, _ in fields(shown))
    shown.page.evaluate("unmount()")
    assert shown.page.evaluate("listening()") == 0
    assert shown.page.evaluate("kernel.statusChanged.slots.size + kernel.disposed.slots.size") == 0
