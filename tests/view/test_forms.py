"""A service's form is made from its signature, and what is filled in becomes the arguments that it says."""

from __future__ import annotations

import enum
import threading
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest

import runtime
import sage_nb
from runtime.testing import PATIENCE_S
from sage_nb.forms import call_of, form_of
from sage_nb.view_hub import hub_of
from tests.view.conftest import ShowPage
from tests.view.pages import Page


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Tool:
    def setup(self) -> None:
        """Called by the runtime, not by a form."""

    def process(
        self,
        text: str,
        number: int,
        share: float = 0.5,
        loud: bool = True,
        how: Literal["fast", "slow"] = "slow",
        colour: Colour = Colour.RED,
        limit: int | None = None,
        *more: Any,
        key: Any = (),
        **named: Any,
    ) -> str:
        """Say what it was given.

        In detail.
        """
        return repr((text, number, share, loud, how, colour.name, limit, more, key, named))

    def plain(self, value, other=3):  # type: ignore[no-untyped-def]
        return value, other

    def _private(self) -> None: ...


def opaque():  # type: ignore[no-untyped-def]
    return Tool()


def annotated() -> Tool:
    return Tool()


def session_with(make: Any) -> runtime.Session:
    session = runtime.Session("form")
    session.service("tool", make)
    return session


def test_each_parameter_is_asked_for_by_its_annotation() -> None:
    form = form_of(session_with(Tool), "tool")
    process, plain = form["methods"]
    assert (process["name"], process["doc"], plain["name"]) == ("process", "Say what it was given.", "plain")
    asked = {field["name"]: (field["kind"], field["default"], field["required"]) for field in process["fields"]}
    assert asked == {
        "text": ("text", "", True),
        "number": ("number", "", True),
        "share": ("number", "0.5", False),
        "loud": ("checkbox", "True", False),
        "how": ("select", "'slow'", False),
        "colour": ("select", "Colour.RED", False),
        "limit": ("number", "None", False),
        "*more": ("literal", "", False),
        "key": ("literal", "()", False),
        "**named": ("literal", "", False),
    }
    assert [field["kind"] for field in plain["fields"]] == ["literal", "number"]


@pytest.mark.parametrize(
    ("values", "args", "kwargs"),
    [
        ({"text": "a", "number": "3"}, ("a", 3), {}),
        ({"text": "", "number": "3", "share": "2"}, ("", 3, 2.0), {}),
        ({"text": "a", "number": "3", "loud": False}, ("a", 3), {"loud": False}),
        ({"text": "a", "number": "3", "how": "0", "colour": "1"}, ("a", 3), {"how": "fast", "colour": Colour.BLUE}),
        ({"text": "a", "number": "3", "limit": "7"}, ("a", 3), {"limit": 7}),
        ({"text": "a", "number": "3", "key": "[1]", "**named": "{'b': 2}"}, ("a", 3), {"key": [1], "b": 2}),
    ],
)
def test_what_is_filled_in_becomes_arguments(values: dict[str, Any], args: tuple[Any, ...], kwargs: Any) -> None:
    call = call_of(session_with(Tool), "tool", "process", values)
    assert (call.method, call.args, call.kwargs) == ("process", args, kwargs)


def test_a_function_that_says_what_it_makes_has_a_form_and_another_one_says_why_not() -> None:
    assert len(form_of(session_with(annotated), "tool")["methods"]) == 2
    form = form_of(session_with(opaque), "tool")
    assert "says no class" in form["note"]
    values = {"method": "plain", "*args": "(1, 2)", "**kwargs": "other=3"}
    call = call_of(session_with(opaque), "tool", "", values)
    assert call.python == "session.call('tool', 1, 2, other=3, method='plain')"
    assert (call.method, call.args, call.kwargs) == ("plain", (1, 2), {"other": 3})
    assert call_of(session_with(opaque), "tool", "", {}).python == "session.call('tool')"


def test_no_form_offers_what_would_be_refused_when_called() -> None:
    class Helped:
        async def fetch(self) -> None: ...

        async def each(self) -> AsyncIterator[int]:
            yield 1

        def process(self) -> None: ...

    session = runtime.Session()
    session.service("it", Helped)
    session.service("several", Helped, concurrency=2)
    assert [method["name"] for method in form_of(session, "it")["methods"]] == ["process", "fetch"]
    assert [method["name"] for method in form_of(session, "several")["methods"]] == ["process"]


def test_an_unknown_method_or_service_is_refused() -> None:
    with pytest.raises(runtime.UnknownName, match="no service 'tol'"):
        form_of(session_with(Tool), "tol")
    with pytest.raises(runtime.UnknownName, match="no method 'proces'"):
        call_of(session_with(Tool), "tool", "proces", {})


# ── the widgets ──


def press(box: Any, text: str) -> None:
    buttons = [each for each in widgets_of(box) if getattr(each, "description", None) == text]
    buttons[0].click()


def widgets_of(widget: Any) -> list[Any]:
    return [widget, *(each for child in getattr(widget, "children", ()) for each in widgets_of(child))]


def named(box: Any, name: str) -> Any:
    return next(each for each in widgets_of(box) if getattr(each, "description", None) == name)


def finish(name: str) -> None:
    """Wait until the threads of this name have done what they were given."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(PATIENCE_S)


def said(box: Any, text: str) -> None:
    """What the line below the form says, once all commands have been carried out."""
    finish("sage-nb commands")
    assert text in box.children[-1].said


def test_the_injector_puts_what_is_typed_into_the_queue(session: runtime.Session) -> None:
    numbers = session.input("numbers")
    numbers.map(lambda n: n + n, name="double").collect(name="result")
    box = sage_nb.injector(session)
    session.start(paused=True)
    named(box, "into").value = "double"
    named(box, "value").value = "[1]"
    press(box, "Inject")
    said(box, "session.inject('double', [1])")
    assert session.peek("double")[0].payload == [1]
    session.close()


def test_the_stepper_pauses_steps_and_shows_the_steps(session: runtime.Session) -> None:
    session.source([3], name="numbers").map(lambda n: n + n, name="double").collect(name="result")
    box = sage_nb.stepper(session)
    press(box, "Start paused")
    for _ in range(2):
        press(box, "Step")
    said(box, "session.step()")
    assert "numbers: -&gt; 3 to double\ndouble: 3 -&gt; 6 to result" in box.children[1].value
    press(box, "Resume")
    finish("sage-nb commands")
    session.wait(PATIENCE_S)


def test_a_service_form_calls_the_service(session: runtime.Session) -> None:
    session.service("tool", Tool)
    box = sage_nb.service_form(session, "tool")
    session.start()
    named(box, "method").value = "plain"
    named(box, "value").value = "{'a': 1}"
    press(box, "Call")
    finish("sage-nb call")
    assert "({'a': 1}, 3)" in box.children[-1].said
    assert "session.call('tool', {'a': 1}, method='plain')" in box.children[-1].said


def test_a_refusal_is_said_below_the_form(session: runtime.Session) -> None:
    session.input("numbers").collect(name="result")
    box = sage_nb.injector(session)
    press(box, "Inject")
    said(box, "refused: NotStarted")


def test_forms_of_a_view_and_of_ipywidgets_are_made_of_the_same_fields(
    session: runtime.Session, show: ShowPage
) -> None:
    session.service("tool", Tool)
    page = show(session)
    fields = page.order("form", service="tool")["result"]["methods"][0]["fields"]
    box = sage_nb.service_form(session, "tool")
    named = [each.description for field in box.children[1].children for each in widgets_of(field)[-2:]]
    assert [field["name"] for field in fields] == [name for name in named if name]


def test_a_form_hears_that_the_kernel_is_there_while_a_page_shows_it_and_nobody_looks_at_the_job(
    session: runtime.Session,
) -> None:
    session.input("numbers").collect(name="result")
    view = Page(hub_of(session).view(("graph",)))
    page = Page(sage_nb.stepper(session).children[-1], "form").mount()
    session.start()
    with page.comm.news:
        assert page.comm.news.wait_for(lambda: len(page.comm.beats) > 1, PATIENCE_S)
    assert len(view.frames()) == 1, "what the view was made with"
    page.unmount()
    finish("sage-nb sampler")


def test_the_line_of_a_form_brings_the_page_to_whoever_asks_for_it(session: runtime.Session) -> None:
    session.input("numbers").collect(name="result")
    page = Page(sage_nb.stepper(session).children[-1], "form")
    page.tell("page")
    assert "packed" in page.comm.custom[-1]
