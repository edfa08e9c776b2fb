"""The form of a service: what is sent is what is seen, and what was refused is said at its field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator

from tests.page.harness import Shown
from tests.page.test_inspector import opened, panel, press

Load = Callable[..., Shown]


def test_a_service_is_called_with_what_was_filled_in(load: Load) -> None:
    shown = opened(load, "service", row="clock")
    panel(shown).get_by_label("ticks").fill("5")
    panel(shown).get_by_label("zone").select_option("1")
    panel(shown).get_by_label("exact").uncheck()
    press(shown, "Call")
    values = {"ticks": "5", "zone": "1", "exact": False}
    assert shown.sent("call") == [{"cmd": "call", "args": {"service": "clock", "method": "process", "values": values}}]
    assert panel(shown).get_by_text("datetime.time(12, 30)").is_visible()


def test_another_method_has_another_form(load: Load) -> None:
    shown = opened(load, "service", row="clock")
    panel(shown).get_by_label("Method").select_option("reset")
    shown.settle()
    assert panel(shown).get_by_label("ticks").count() == 0
    press(shown, "Call")
    assert shown.sent("call")[0]["args"] == {"service": "clock", "method": "reset", "values": {}}


def test_an_error_of_a_call_is_shown_where_its_result_would_be(load: Load) -> None:
    shown = opened(load, "service", row="clock", answers={"call": {"ok": False, "reason": "KeyError: 'zone'"}})
    panel(shown).get_by_label("ticks").fill("5")
    press(shown, "Call")
    assert panel(shown).locator(".sn-result pre").text_content() == "KeyError: 'zone'"


def test_a_service_without_a_form_says_why(load: Load) -> None:
    form = {"service": "clock", "methods": [], "note": "no signature is known"}
    shown = opened(load, "service", row="clock", answers={"form": {"result": form}})
    assert panel(shown).get_by_text("no signature is known").is_visible()
    assert not panel(shown).get_by_role("button", name="Call").is_visible()


def values_of(shown: Shown) -> Any:
    return shown.sent("call")[-1]["args"]["values"]


def error_at(shown: Shown, label: str) -> str:
    field: Locator = panel(shown).get_by_label(label)
    named = field.get_attribute("aria-errormessage")
    return "" if named is None else shown.page.locator(f"#{named}").text_content() or ""


def test_an_untouched_field_shows_the_default_and_sends_nothing(load: Load) -> None:
    shown = opened(load, "service", row="clock")
    panel(shown).get_by_label("ticks").fill("5")
    press(shown, "Call")
    assert values_of(shown) == {"ticks": "5"}
    text = panel(shown).get_by_label("label (optional)")
    assert (text.input_value(), text.get_attribute("placeholder")) == ("", "default: 'now'")
    assert panel(shown).get_by_label("zone").locator("option").first.text_content() == "default: 'UTC'"


def test_an_empty_text_and_none_can_be_sent_and_taken_back(load: Load) -> None:
    shown = opened(load, "service", row="clock")
    panel(shown).get_by_label("ticks").fill("5")
    text, how = panel(shown).get_by_label("label (optional)"), panel(shown).get_by_label("What label is")
    text.fill("a")
    assert how.input_value() == "text"
    text.fill("")
    press(shown, "Call")
    assert values_of(shown) == {"ticks": "5", "label": ""}
    assert text.get_attribute("placeholder") == "an empty text"
    how.select_option("none")
    press(shown, "Call")
    assert values_of(shown) == {"ticks": "5", "label": None}
    how.select_option("default")
    press(shown, "Call")
    assert values_of(shown) == {"ticks": "5"}


def test_what_was_refused_is_said_at_its_field_until_that_is_changed(load: Load) -> None:
    refusal = {"ok": False, "reason": "CallRefused: …", "result": {"fields": {"more": "'[1' is no list"}}}
    shown = opened(load, "service", row="clock", answers={"call": refusal})
    panel(shown).get_by_label("ticks").fill("5")
    panel(shown).get_by_label("more").fill("[1")
    press(shown, "Call")
    assert error_at(shown, "more") == "'[1' is no list"
    assert error_at(shown, "ticks") == ""
    assert panel(shown).get_by_label("more").evaluate("each => each === document.activeElement")
    panel(shown).get_by_label("more").fill("[1]")
    assert error_at(shown, "more") == ""


def test_the_answer_of_one_method_does_not_stand_under_another(load: Load) -> None:
    shown = opened(load, "service", row="clock", answers={"call": {"ok": False, "reason": "KeyError: 'zone'"}})
    panel(shown).get_by_label("ticks").fill("5")
    press(shown, "Call")
    assert panel(shown).locator(".sn-result pre").count() == 1
    panel(shown).get_by_label("Method").select_option("reset")
    shown.settle()
    assert panel(shown).locator(".sn-result pre").count() == 0


def part(name: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    blank = {"name": name, "kind": kind, "default": "", "options": [], "required": True, "none": False, "hint": ""}
    return blank | more


PLACE: Any = part("to", "fields", required=False, fields=[part("street")], default="Address('here')")
ORDER: Any = part("order", "fields", hint="Order", fields=[part("item"), part("count", "number"), PLACE])
ORDERS: Any = {
    "result": {"service": "clock", "methods": [{"name": "process", "doc": "", "fields": [ORDER]}], "note": ""}
}


def test_a_dataclass_has_fields_of_its_own_and_what_was_not_touched_of_it_is_not_sent(load: Load) -> None:
    shown = opened(load, "service", row="clock", answers={"form": ORDERS})
    panel(shown).get_by_label("item").fill("tea")
    panel(shown).get_by_label("count").fill("2")
    press(shown, "Call")
    assert values_of(shown) == {"order": {"item": "tea", "count": "2"}}
    panel(shown).get_by_label("street").focus()
    shown.page.keyboard.type("Main")
    shown.page.keyboard.press("Enter")
    shown.settle()
    assert values_of(shown) == {"order": {"item": "tea", "count": "2", "to": {"street": "Main"}}}


def test_what_does_not_do_within_a_dataclass_is_said_there(load: Load) -> None:
    refused = {"ok": False, "reason": "no", "result": {"fields": {"order.to.street": "fill it in", "order": "odd"}}}
    shown = opened(load, "service", row="clock", answers={"form": ORDERS, "call": refused})
    panel(shown).get_by_label("item").fill("tea")
    panel(shown).get_by_label("count").fill("2")
    press(shown, "Call")
    assert error_at(shown, "street") == "fill it in"
    assert panel(shown).get_by_text("odd", exact=True).is_visible()
    assert shown.page.evaluate("document.activeElement.closest('.sn-fieldset fieldset') !== null")
