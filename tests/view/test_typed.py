"""What is typed as a value: a literal, a text, or, where that is allowed, whatever Python can say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import runtime
from runtime import CommandRefused
from sage_nb.python import typed
from tests.view.conftest import ShowPage
from tests.view.pages import Page


@dataclass(frozen=True)
class Order:
    """A payload."""

    item: str
    number: int


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook knows the class by its name."""
    monkeypatch.setattr(sys.modules["__main__"], "Order", Order, raising=False)


@pytest.fixture
def page(show: ShowPage) -> Iterator[tuple[runtime.Session, Page]]:
    """A held session with a task, a dead letter, and a page."""
    with runtime.Session("typed") as session:
        orders = session.source([Order("tea", 0)], name="orders")
        orders.map(lambda order: 6 // order.number, name="share", on_error="skip").collect(name="result")
        page = show(session)
        page.order("start_paused")
        yield session, page
        session.cancel()


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), (" [1, 'a'] ", [1, "a"]), ("tea", "tea"), ("for sale (used)", "for sale (used)"), ("a.b", "a.b")],
)
def test_a_literal_is_a_value_and_what_is_no_python_a_text(text: str, value: object) -> None:
    assert typed(text).value == value


@pytest.mark.parametrize("text", ["Order('a', 2)", "[Order('a', 2)]", "f(x)", "a.b()", "{'a': list()}"])
def test_a_literal_that_looks_like_a_call_is_refused_and_not_turned_into_text(text: str) -> None:
    with pytest.raises(CommandRefused, match="is a call, and only literals are read here: have it evaluated"):
        typed(text)
    assert typed(repr(text)).value == text, "in quotation marks it is a text"


def test_an_expression_is_evaluated_with_the_names_of_the_notebook_where_it_is_allowed() -> None:
    given = typed("Order('a', 1 + 1)", as_python=True)
    assert given.value == Order("a", 2)
    assert given.source is not None
    assert given.source.line == "Order('a', 1 + 1)"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Ordre('a', 2)", "name 'Ordre' is not defined"),
        ("1 +", "invalid syntax"),
        ("1 // 0", "ZeroDivisionError"),
        ("", ""),
    ],
)
def test_an_expression_that_does_not_work_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(CommandRefused, match="does not work as Python") as refused:
        typed(text, as_python=True)
    assert why in str(refused.value)


def test_an_object_is_injected_edited_and_undone_and_the_line_does_the_same(page: tuple[runtime.Session, Page]) -> None:
    session, shown = page
    refused = shown.ask("inject", task="share", value="Order('a', 2)")
    assert not refused["ok"]
    assert "is a call" in refused["reason"]
    assert session.snapshot()["share"].depth == 0
    done = shown.order("inject", task="share", value="Order('a', 2)", as_python=True)
    assert done["python"] == "session.inject('share', Order('a', 2))"
    assert [packet.payload for packet in session.peek("share")] == [Order("a", 2)]
    token = shown.order("peek", task="share")["result"]["packets"][0]["token"]
    edited = shown.order("edit", token=token, value="Order('b', 3)", as_python=True)
    assert edited["python"] == "session.edit(session.peek('share')[0], Order('b', 3))"
    assert [packet.payload for packet in session.peek("share")] == [Order("b", 3)]
    shown.order("undo")
    assert [packet.payload for packet in session.peek("share")] == [Order("a", 2)]
    names: dict[str, Any] = {"session": session, "Order": Order}
    exec(edited["python"], names)
    exec(done["python"], names)
    assert [packet.payload for packet in session.peek("share")] == [Order("b", 3), Order("a", 2)]
    shown.order("undo")
    shown.order("undo")
    shown.order("undo")
    assert session.snapshot()["share"].depth == 0


def test_a_letter_is_mended_with_an_object(page: tuple[runtime.Session, Page]) -> None:
    session, shown = page
    shown.order("step", name="orders")
    shown.order("step", name="share")
    (card,) = shown.order("letters")["result"]["letters"]
    mended = shown.order("edit_retry", number=card["number"], value="Order('tea', 2)", as_python=True)
    assert mended["python"] == "session.dead_letters.retry(0, value=Order('tea', 2))"
    assert [packet.payload for packet in session.peek("share")] == [Order("tea", 2)]
