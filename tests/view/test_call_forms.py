"""What a form sends is what is seen in it: a default is itself, nothing typed is lost, the line of Python runs."""

from __future__ import annotations

import datetime
import enum
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import pytest

import runtime
import sage_nb
from sage_nb.forms import Call, CallRefused, call_of, form_of
from sage_nb.wire import Field
from tests.view.conftest import ShowPage
from tests.view.test_forms import finish, named, press, widgets_of


@dataclass
class Spot:
    x: int
    y: int


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


CORNER: Final = Spot(0, 0)
NOTHING: Final = object()
DAY: Final = datetime.date(2026, 3, 4)
OWN: Final = "session.call takes timeout= for itself: it cannot be passed on by that name"
NO_SPOT: Final = "'Spott(1)' does not work as Python: NameError: name 'Spott' is not defined"
TWO: Final = {"price": "it is 'much', which is no Decimal", "gift": "it has no choice '9'"}


class Bakery:
    """Methods of every shape; each returns what it was given."""

    def process(
        self,
        what: str,
        count: int | None = None,
        at: Spot = CORNER,
        price: Decimal = Decimal("2.5"),
        gift: bool | None = None,
        note: str = "thanks",
        to: str | None = "you",
    ) -> tuple[Any, ...]:
        return what, count, at, price, gift, note, to

    def places(self, first: Any = NOTHING, second: int = 2, /, third: int = 3) -> tuple[Any, ...]:
        return first, second, third

    def several(self, first: int = 1, *rest: int, **more: object) -> tuple[Any, ...]:
        return first, rest, more

    def kinds(
        self,
        size: Size = Size.SMALL,
        how: Literal["fast", 1, True] = "fast",
        numbers: Sequence[int] = (),
        day: datetime.date | None = None,
        share: float = 0.5,
        path: Path = Path("here"),
    ) -> tuple[Any, ...]:
        return size, how, numbers, day, share, path

    def clock(self, /, timeout: float = 1.0, method: str = "fast") -> tuple[Any, ...]:
        return timeout, method

    def by_name(self, *, timeout: float = 1.0) -> float:
        return timeout

    @staticmethod
    def fixed(count: int = 1) -> int:
        return count

    @classmethod
    def made(cls, count: int = 1) -> tuple[str, int]:
        return cls.__name__, count

    @functools.cache  # noqa: B019  what else is a method without being a function
    def kept(self, count: int = 1) -> int:
        return count


def bakery() -> runtime.Session:
    session = runtime.Session("form")
    session.service("bakery", Bakery)
    return session


def call(method: str, /, **values: Any) -> Call:
    return call_of(bakery(), "bakery", method, {name.replace("_", "*"): value for name, value in values.items()})


def field(method: str, name: str) -> Field:
    methods = {each["name"]: each for each in form_of(bakery(), "bakery")["methods"]}
    return next(each for each in methods[method]["fields"] if each["name"] == name)


@pytest.mark.parametrize(
    ("method", "values", "received"),
    [
        ("process", {"what": "bun"}, ("bun", None, CORNER, Decimal("2.5"), None, "thanks", "you")),
        ("process", {"what": "", "note": "", "to": ""}, ("", None, CORNER, Decimal("2.5"), None, "", "")),
        ("process", {"what": "None", "to": None}, ("None", None, CORNER, Decimal("2.5"), None, "thanks", None)),
        (
            "process",
            {"what": "bun", "count": "3", "price": "1.10", "gift": "1"},
            ("bun", 3, CORNER, Decimal("1.10"), False, "thanks", "you"),
        ),
        ("process", {"what": "x", "count": "None"}, ("x", None, CORNER, Decimal("2.5"), None, "thanks", "you")),
        ("places", {"second": "50"}, (NOTHING, 50, 3)),
        ("places", {"third": "7"}, (NOTHING, 2, 7)),
        ("several", {"_rest": "(7, 8)"}, (1, (7, 8), {})),
        ("several", {"_rest": "7"}, (1, (7,), {})),
        ("several", {"first": "5", "__more": "z=1, w='a'"}, (5, (), {"z": 1, "w": "a"})),
        ("several", {"__more": "{'a key': 1}"}, (1, (), {"a key": 1})),
        ("kinds", {"size": "1", "how": "2"}, (Size.LARGE, True, (), None, 0.5, Path("here"))),
        ("kinds", {"numbers": "[1, 2]", "day": "2026-03-04"}, (Size.SMALL, "fast", [1, 2], DAY, 0.5, Path("here"))),
        ("kinds", {"share": "inf", "path": "a b"}, (Size.SMALL, "fast", (), None, math.inf, Path("a b"))),
        ("kinds", {"numbers": "list(range(3))"}, (Size.SMALL, "fast", [0, 1, 2], None, 0.5, Path("here"))),
        ("clock", {"method": "slow"}, (1.0, "slow")),
        ("fixed", {"count": "4"}, 4),
        ("made", {"count": "4"}, ("Bakery", 4)),
        ("kept", {"count": "4"}, 4),
    ],
)  # fmt: skip
def test_what_is_filled_in_is_what_the_method_receives_and_its_python_does_the_same(
    method: str, values: dict[str, Any], received: Any
) -> None:
    made = call(method, **values)
    with bakery() as session:
        session.start()
        assert session.call("bakery", *made.args, method=made.method, **made.kwargs) == received
        names: dict[str, Any] = {"session": session}
        *before, last = made.python.split("; ")
        exec("\n".join(before), names)
        assert eval(last, names) == received
        session.stop()


def test_a_default_that_cannot_be_written_as_python_is_passed_as_itself() -> None:
    made = call("places", second="50")
    assert made.args[0] is NOTHING
    assert "inspect.signature(tests.view.test_call_forms.Bakery.places).parameters['first'].default" in made.python


def test_a_value_by_the_name_of_a_class_that_nobody_can_reach_has_no_line_of_python() -> None:
    class Hidden(enum.Enum):
        ONE = 1

    class Small:
        def process(self, one: Any = None) -> None: ...

    Small.process.__annotations__["one"] = Hidden
    session = runtime.Session("form")
    session.service("small", Small)
    made = call_of(session, "small", "process", {"one": "0"})
    assert (made.args, made.python) == ((Hidden.ONE,), "")


@pytest.mark.parametrize(
    ("method", "values", "refused"),
    [
        ("process", {}, {"what": "fill it in"}),
        ("process", {"what": "x", "count": "three"}, {"count": "it is 'three', which is no int"}),
        ("process", {"what": None}, {"what": "it cannot be None, but str"}),
        ("process", {"what": "x", "at": "(1, 2)"}, {"at": "it is (1, 2), which is no Spot"}),
        ("process", {"what": "x", "at": "Spott(1)"}, {"at": NO_SPOT}),
        ("process", {"what": "x", "price": "much", "gift": "9"}, TWO),
        ("kinds", {"numbers": "[1,2"}, {"numbers": "'[1,2' does not work as Python: '[' was never closed"}),
        ("kinds", {"numbers": "['a']"}, {"numbers": "it is ['a'], which is no collections.abc.Sequence[int]"}),
        ("several", {"_rest": "1, 'b'"}, {"*rest": "one of them is 'b', which is no int"}),
        ("several", {"_rest": "(1, *[2])"}, {"*rest": "write each value by itself, without a star"}),
        ("several", {"__more": "z"}, {"**more": "'z' does not say names and values: write z=1, or {'z': 1}"}),
        ("several", {"__more": "first=1"}, {"**more": "'first' has a field of its own"}),
        ("several", {"__more": "timeout=1"}, {"**more": OWN}),
        ("by_name", {"timeout": "2"}, {"timeout": OWN}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_at_its_field(
    method: str, values: dict[str, Any], refused: dict[str, str]
) -> None:
    with pytest.raises(CallRefused) as caught:
        call(method, **values)
    assert caught.value.fields == refused
    assert all(name in str(caught.value) and why in str(caught.value) for name, why in refused.items())


def test_choices_are_told_apart_and_say_what_python_says() -> None:
    assert field("kinds", "size")["options"] == ["Size.SMALL", "Size.LARGE"]
    assert field("kinds", "how")["options"] == ["'fast'", "1", "True"]
    assert field("process", "gift")["options"] == ["True", "False", "None"]
    long = ["x" * 200 + end for end in "ab"]

    class Wordy:
        def process(self, word: Any = None) -> None: ...

    Wordy.process.__annotations__["word"] = Literal[tuple(long)]
    session = runtime.Session("form")
    session.service("wordy", Wordy)
    options = form_of(session, "wordy")["methods"][0]["fields"][0]["options"]
    assert len(set(options)) == 2


def test_a_page_is_told_which_fields_were_refused(session: runtime.Session, show: ShowPage) -> None:
    session.service("bakery", Bakery)
    session.start()
    page = show(session)
    ack = page.ask("call", service="bakery", method="process", values={"count": "x"})
    assert not ack["ok"]
    assert ack["result"]["fields"] == {"what": "fill it in", "count": "it is 'x', which is no int"}


def test_a_form_of_ipywidgets_sends_an_empty_text_none_or_the_default(session: runtime.Session) -> None:
    session.service("bakery", Bakery)
    box = sage_nb.service_form(session, "bakery")
    session.start()
    named(box, "what").value = "bun"
    said = box.children[-1]

    def python() -> str:
        press(box, "Call")
        finish("sage-nb call")
        return str(said.said.rpartition("   ")[2])

    ways = {each.options[0][0]: each for each in widgets_of(box) if hasattr(each, "options") and not each.description}
    assert python() == "session.call('bakery', 'bun')"
    ways["default: 'you'"].value = "none"
    ways["default: 'thanks'"].value = "text"
    assert python() == "session.call('bakery', 'bun', note='', to=None)"
    named(box, "to").value = "me"  # who types means it
    ways["default: 'thanks'"].value = "default"
    assert python() == "session.call('bakery', 'bun', to='me')"
    named(box, "count").value = "many"
    assert "'many', which is no int" in python() or "'many', which is no int" in said.value
