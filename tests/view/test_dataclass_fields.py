"""A parameter that is a dataclass has its own fields, one for each of the dataclass's, of whatever kind they are."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

import runtime
import sage_nb
from sage_nb.forms import CallRefused, call_of, form_of


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


@dataclass
class Address:
    street: str
    number: int = 1


@dataclass
class Order:
    item: str
    count: int
    size: Size = Size.SMALL
    how: Literal["post", "by hand"] = "post"
    to: Address = field(default_factory=lambda: Address("here"))
    fragile: bool = False

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("less than nothing")


class Shop:
    def process(self, order: Order, note: str = "", extra: Address | None = None) -> str:
        return f"{order} {note} {extra}"


@pytest.fixture
def session() -> Iterator[runtime.Session]:
    with runtime.Session("shop") as session:
        session.service("shop", Shop)
        session.source([1], name="numbers").collect(name="result")
        yield session


def call(session: runtime.Session, **values: Any) -> Any:
    return call_of(session, "shop", "process", values)


def test_each_field_of_a_dataclass_is_asked_for_as_it_is_annotated(session: runtime.Session) -> None:
    order, note, extra = form_of(session, "shop")["methods"][0]["fields"]
    assert (order["kind"], order["required"], order["hint"]) == ("fields", True, "Order")
    asked = {each["name"]: (each["kind"], each["required"], each["options"]) for each in order["fields"][:-1]}
    assert asked == {
        "item": ("text", True, []),
        "count": ("number", True, []),
        "size": ("select", False, ["Size.SMALL", "Size.LARGE"]),
        "how": ("select", False, ["'post'", "'by hand'"]),
        "to": ("fields", False, []),
    }
    assert order["fields"][-1]["kind"] == "checkbox"
    assert [each["name"] for each in order["fields"][4]["fields"]] == ["street", "number"]
    assert (note["kind"], extra["kind"]) == ("text", "literal"), "what may be None is typed as Python"


def test_what_is_filled_in_becomes_the_dataclass_and_the_line_makes_it_too(session: runtime.Session) -> None:
    filled = {"item": "tea", "count": "2", "size": "1", "how": "1", "to": {"street": "Main", "number": "7"}}
    made = call(session, order=filled)
    order = made.args[0]
    assert order == Order("tea", 2, Size.LARGE, "by hand", Address("Main", 7))
    names: dict[str, Any] = {"session": Recorder()}
    exec(made.python, names)
    assert names["session"].given == order


class Recorder:
    def call(self, service: str, order: Any) -> None:
        self.given = order


def test_what_is_left_alone_is_the_dataclass_s_own_default(session: runtime.Session) -> None:
    made = call(session, order={"item": "tea", "count": "2"})
    assert made.args == (Order("tea", 2),)
    assert "size" not in made.python


@pytest.mark.parametrize(
    ("filled", "fields"),
    [
        ({}, {"order.item": "fill it in", "order.count": "fill it in"}),
        ({"item": "tea", "count": "two"}, {"order.count": "it is 'two', which is no int"}),
        (
            {"item": "tea", "count": "2", "to": {"number": "1"}},
            {"order.to.street": "fill it in"},
        ),
        ({"item": "tea", "count": "-1"}, {"order": "Order refuses it: ValueError: less than nothing"}),
    ],
)
def test_what_does_not_do_is_said_at_its_field(
    session: runtime.Session, filled: dict[str, Any], fields: dict[str, str]
) -> None:
    with pytest.raises(CallRefused) as refused:
        call(session, order=filled)
    assert refused.value.fields == fields


def test_the_form_out_of_ipywidgets_has_them_too(session: runtime.Session) -> None:
    box = sage_nb.service_form(session, "shop")
    texts = [each for each in everything(box) if getattr(each, "description", "") in ("item", "street")]
    assert len(texts) == 2


def everything(widget: Any) -> list[Any]:
    return [widget, *(each for child in getattr(widget, "children", ()) for each in everything(child))]
