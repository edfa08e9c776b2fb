"""The forms of a session, out of ipywidgets: inject, step, call a service. What is drawn live is in `view`.

All of them do their work through the session's command queue, never on the thread of a click, and are closed with the
session. They are as wide as there is room, and what does not fit beside something stands below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any, ClassVar, Final

import ipywidgets

from runtime import Session
from sage_nb.comms import receive_anywhere
from sage_nb.forms import form_of
from sage_nb.outputs import HasStill, show
from sage_nb.part_stills import Table, injector_table, service_table, stepper_table, still_of_table
from sage_nb.stills import Still
from sage_nb.view import FormLine, View
from sage_nb.view_hub import ViewHub, hub_of
from sage_nb.wire import Ack, Field, Part

_SHOWN_STEPS: Final = 8


class Box(ipywidgets.VBox, HasStill):  # type: ignore[misc]  # ipywidgets has no types
    """A form as one widget. Its text is one line, always the same, so that a notebook can keep it.

    `alone` makes the view that does the same by itself, for marimo, which shows none of the widgets in a form.
    """

    def __init__(
        self, text: str, children: Sequence[ipywidgets.Widget], still: Still, alone: Callable[[], View]
    ) -> None:
        self._text, self._alone = text, alone
        self.still, self.remember = lambda: still, lambda _, __: None
        super().__init__(children)
        self.add_class("sage-nb-form")

    def _ipython_display_(self) -> None:
        show(self, self._text, [self])

    def _display_(self) -> View:
        return self._alone()

    def __repr__(self) -> str:
        return self._text


class Panel:
    """What the forms have in common: a box that is closed with its session, a line that says what came of a click."""

    alone: ClassVar[tuple[Part, ...]] = ("inspector",)
    """The parts of a view that do the same without widgets of ipywidgets."""

    def __init__(self, session: Session) -> None:
        self.hub: ViewHub = hub_of(session)
        self._of = session.name
        self.line = FormLine()
        self.hidden: list[Any] = []  # widgets that are not always in the box
        self.box: Box
        self._number = 0

    def show(self, table: Table, *children: ipywidgets.Widget) -> None:
        """Make the box of these, which is closed with its session; where it is not alive, `table` is left."""
        alone = partial(self.hub.view, self.alone)
        self.box = Box(repr(self), [*children, self.line], still_of_table(table), alone)
        for widget in self._widgets():
            receive_anywhere(widget)
        self.hub.adopt(self.close, self.line)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._of!r})"

    def button(self, text: str, order: Callable[[], tuple[str, Mapping[str, Any]]], icon: str = "") -> Any:
        """A button that gives the command of `order` to the command queue."""
        button = ipywidgets.Button(description=text, icon=icon, layout=_fitting("90px", "148px"))
        button.on_click(lambda _: self.put(*order()))
        return button

    def put(self, command: str, args: Mapping[str, Any]) -> None:
        """Put a command into the command queue; `answered` hears what came of it."""
        self._number += 1
        self.hub.command_queue.put({"cmd": command, "args": args, "id": f"part-{self._number}"}, self.answered)

    def answered(self, ack: Ack) -> None:
        """On the command queue's thread: say what came of a command."""
        self.line.said = f"{ack['text']}   {ack['python']}" if ack["ok"] else f"refused: {ack['reason']}"

    def close(self) -> None:
        """Close all of its widgets."""
        for widget in self._widgets():
            widget.close()

    def _widgets(self) -> list[Any]:
        return [each for root in (self.box, *self.hidden) for each in _all(root)]


class Injector(Panel):
    """Puts a packet into a queue."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        operators = [each for each in session.graph.operators if each.kind != "source"]
        names = [name for each in operators for name in dict.fromkeys((each.name, *session.graph.tasks(each.name)))]
        self._target = ipywidgets.Dropdown(description="into", options=names, layout=_field())
        self._value = ipywidgets.Text(
            description="value", placeholder="a Python literal, or else text", layout=_field()
        )
        self._as_python = ipywidgets.Checkbox(
            description="evaluate as Python, with the names of this notebook", layout=_field()
        )
        self._input = ipywidgets.Dropdown(description="input", options=[0], layout=_field())
        self._inputs = {
            name: list(session.graph.input_numbers(each.name))
            for each in operators
            for name in (each.name, *session.graph.tasks(each.name))
        }
        self._target.observe(lambda _: self._choose(), "value")
        self._choose()
        put = self.button("Inject", self._order, "sign-in")
        self.show(injector_table(session), self._target, self._value, self._as_python, self._input, put)

    def _choose(self) -> None:
        self._input.options = self._inputs.get(self._target.value, [0])
        self._input.layout.display = "" if len(self._input.options) > 1 else "none"

    def _order(self) -> tuple[str, Mapping[str, Any]]:
        given = {"task": self._target.value, "value": self._value.value, "input": self._input.value}
        return "inject", given | ({"as_python": True} if self._as_python.value else {})


class Stepper(Panel):
    """Pauses, steps and resumes the job, and shows the last steps."""

    alone = ("toolbar", "log")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._steps: list[str] = []
        self._text = ipywidgets.HTML()
        buttons = [
            self.button("Start paused", lambda: ("start_paused", {}), "play"),
            self.button("Pause", lambda: ("pause", {}), "pause"),
            self.button("Step", lambda: ("step", {}), "step-forward"),
            self.button("Resume", lambda: ("resume", {}), "forward"),
        ]
        self.show(stepper_table(session), _row(buttons), self._text)

    def answered(self, ack: Ack) -> None:
        """On the command queue's thread: say what came of it, and keep it, if it was a step."""
        super().answered(ack)
        if ack["ok"] and ack["python"].startswith("session.step"):
            self._steps = [*self._steps, ack["text"]][-_SHOWN_STEPS:]
            self._text.value = _preformatted("\n".join(self._steps))


class ServiceForm(Panel):
    """Calls the methods of a service."""

    def __init__(self, session: Session, name: str) -> None:
        form = form_of(session, name)
        super().__init__(session)
        self._service, self._methods = name, {method["name"]: method for method in form["methods"]}
        self._method = ipywidgets.Dropdown(description="method", options=list(self._methods), layout=_field())
        self._forms = {name: list(map(FieldWidgets, method["fields"])) for name, method in self._methods.items()}
        self.hidden = [each.box for fields in self._forms.values() for each in fields]
        self._place = ipywidgets.VBox()
        self._note = ipywidgets.HTML(value=escape(form["note"]))
        self._method.observe(lambda _: self._choose(), "value")
        self._choose()
        call = self.button("Call", self._order, "phone")
        self.show(service_table(session, name), self._method, self._place, call, self._note)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._of!r}, {self._service!r})"

    def _choose(self) -> None:
        self._place.children = [each.box for each in self._forms.get(self._method.value, [])]

    def _order(self) -> tuple[str, Mapping[str, Any]]:
        values = {
            name: value for each in self._forms.get(self._method.value, []) for name, value in each.sent().items()
        }
        return "call", {"service": self._service, "method": self._method.value, "values": values}


class FieldWidgets:
    """The widgets of one field. One that was not touched says so, and sends nothing."""

    def __init__(self, field: Field) -> None:
        self.field = field
        optional = not field["required"]
        name, default = field["name"], f"default: {field['default']}" if field["default"] else ""
        hint = ", ".join(filter(None, [field["hint"], default, "optional" if optional and not default else ""]))
        self._how: Any = None
        self._parts: list[FieldWidgets] = [FieldWidgets(part) for part in field.get("fields", [])]
        self.widget: Any
        self.box: Any
        if self._parts:
            title = ipywidgets.HTML(value=f"<b>{escape(name)}</b> {escape(hint)}")
            self.widget = ipywidgets.VBox([title, *(part.box for part in self._parts)])
        elif field["kind"] == "checkbox":
            self.widget = ipywidgets.Checkbox(description=name, value=field["default"] == "True", layout=_field())
        elif field["kind"] == "select":
            options = [(text, str(number)) for number, text in enumerate(field["options"])]
            self.widget = ipywidgets.Dropdown(
                description=name,
                options=[(default or "—", ""), *options] if optional else options,
                layout=_field(),
            )
        else:
            self.widget = ipywidgets.Text(description=name, placeholder=hint, layout=_field())
        if field["kind"] == "text" and (optional or field["none"]):
            ways = ([(default or "default", "default")] if optional else []) + [("this text", "text")]
            ways += [("None", "none")] if field["none"] else []
            self._how = ipywidgets.Dropdown(options=ways, layout=_fitting("90px", "200px"))
            self.widget.observe(self._typed, "value")
            self._how.observe(self._chosen, "value")
        self.box = self.widget
        if self._how is not None:
            self.widget.layout.flex = "1 1 160px"
            self.box = _row([self.widget, self._how])

    def _typed(self, change: Mapping[str, Any]) -> None:
        if change["new"]:
            self._how.value = "text"

    def _chosen(self, change: Mapping[str, Any]) -> None:
        if change["new"] != "text":
            self.widget.value = ""

    def sent(self) -> dict[str, Any]:
        """What a call is given of it, as `wire.Field` says."""
        name, required = self.field["name"], self.field["required"]
        value = None if self._parts else self.widget.value
        if self._parts:
            inner = {part: value for each in self._parts for part, value in each.sent().items()}
            return {name: inner} if inner or required else {}
        if self._how is not None:
            return {"default": {}, "text": {name: value}, "none": {name: None}}[self._how.value]
        if self.field["kind"] == "checkbox":
            return {name: value} if required or str(value) != self.field["default"] else {}
        return {name: value} if value or (required and self.field["kind"] == "text") else {}


def _fitting(least: str, most: str) -> ipywidgets.Layout:
    """Of something that shrinks and grows in width. ipywidgets gives each a width of its own otherwise."""
    return ipywidgets.Layout(flex="0 1 auto", width="auto", min_width=least, max_width=most)


def _field() -> ipywidgets.Layout:
    """Of a field with its name beside it."""
    return _fitting("160px", "420px")


def _row(widgets: Sequence[Any]) -> ipywidgets.HBox:
    """These beside each other; what has no room, below."""
    return ipywidgets.HBox(widgets, layout=ipywidgets.Layout(flex_flow="row wrap", max_width="420px", min_width="0"))


def _preformatted(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _all(widget: Any) -> list[Any]:
    """A widget, its layout and style, and all below it."""
    below = [each for child in getattr(widget, "children", ()) for each in _all(child)]
    own = [getattr(widget, name) for name in ("layout", "style") if getattr(widget, name, None) is not None]
    return [*below, *own, widget]
