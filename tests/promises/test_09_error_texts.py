"""Promise 9, what an error says of itself: its own text, bounded, wherever it is shown; and what it came from."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

import runtime
from runtime.errors import error_text
from runtime.testing import PATIENCE_S
from runtime.texts import error_message
from runtime.texts.error_message import MAX_MESSAGE, message_of
from runtime.texts.error_traceback import MAX_ERRORS, MAX_FRAMES, MAX_MEMBERS, MAX_NOTES, traceback_text
from sage_nb.serializers import folded, letters_of
from tests.platforms import MakeSession


def opened(_: Any) -> None:
    Path("/no/such/file").read_text()


def decoded(_: Any) -> None:
    b"\xff".decode()


def called(_: Any) -> None:
    raise subprocess.CalledProcessError(3, ["ls", "-l"])


def grouped(_: Any) -> None:
    raise ExceptionGroup("both", [ValueError(1), OSError(2, "no")])


def parsed(_: Any) -> None:
    json.loads("{")


def looked_up(_: Any) -> None:
    dict[str, int]()["name"]


def several(_: Any) -> None:
    raise ValueError("one", 2)


SAYS = {
    "OSError": (opened, "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'"),
    "UnicodeDecodeError": (
        decoded,
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ),
    "CalledProcessError": (called, "CalledProcessError: Command '['ls', '-l']' returned non-zero exit status 3."),
    "ExceptionGroup": (grouped, "ExceptionGroup: both (2 sub-exceptions)"),
    "JSONDecodeError": (parsed, None),
    "KeyError": (looked_up, "KeyError: 'name'"),
    "several arguments": (several, "ValueError: ('one', 2)"),
}


@pytest.mark.parametrize(("function", "text"), SAYS.values(), ids=SAYS)
def test_an_error_is_told_by_its_own_text_everywhere(
    make_session: MakeSession, function: Callable[[Any], object], text: str | None
) -> None:
    session = make_session(on_error="skip")
    session.source([7]).map(function, name="it").collect()
    session.run(PATIENCE_S)
    (letter,) = session.dead_letters
    text = f"{type(letter.error).__name__}: {letter.error}" if text is None else text
    assert letter.text == f"it failed on packet 7: {text}"
    assert [event.text for event in session.events if event.kind == "skip"] == [f"failed on packet 7: {text}: skipped"]
    assert text in letter.traceback
    assert letters_of(session)["letters"][0]["error"] == text
    session = make_session()
    session.source([7]).map(function, name="it").collect()
    with pytest.raises(runtime.TaskFailed) as failed:
        session.run(PATIENCE_S)
    assert str(failed.value) == f"task 'it' failed on packet 7: {text}"


class Raises(Exception):
    def __str__(self) -> str:
        raise SystemExit("no text")


class Huge(Exception):
    def __str__(self) -> str:
        return "x" * 50_000_000


class NoText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307


class Text(str):
    def __getitem__(self, index: Any) -> NoReturn:
        raise SystemExit("no character")

    __len__ = __getitem__  # type: ignore[assignment]


class Odd(Exception):
    def __str__(self) -> str:
        return Text("odd text")


class Lying(Exception):
    __class__ = property(lambda self: 1 // 0)
    args = property(lambda self: 1 // 0)


class Meta(type):
    def __hash__(cls) -> int:
        raise SystemExit("no hash")

    __eq__ = __hash__  # type: ignore[assignment]


class Unhashed(Exception, metaclass=Meta):
    pass


class Payload:
    def __repr__(self) -> str:
        raise SystemExit("no repr")


HOSTILE: dict[str, tuple[Callable[[], BaseException], str | None]] = {  # made in the test: pytest would show them
    "raises": (lambda: Raises("why"), "'why'"),
    "huge": (lambda: Huge("why"), "x" * MAX_MESSAGE + "…"),
    "no text": (lambda: NoText("why"), "'why'"),
    "odd text": (lambda: Odd("why"), "odd text"),
    "lies": (lambda: Lying("why"), "why"),
    "class without hash": (lambda: Unhashed("why"), "why"),
    "payload without repr": (lambda: ValueError(Payload()), "<Payload>"),
    "huge argument": (lambda: ValueError("x" * 50_000_000), "x" * MAX_MESSAGE + "…"),
    "huge list": (lambda: ValueError([1] * 1_000_000), None),
    "huge number": (lambda: ValueError(10**6_000), "<int of 19932 bits>"),
    "lone surrogate": (lambda: ValueError("\udc80 alone"), r"\udc80 alone"),
    "name of a file": (lambda: FileNotFoundError(2, "no", "\udcff"), r"[Errno 2] no: '\udcff'"),
    "nothing": (ValueError, ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_the_text_of_an_error_is_what_is_shown_is_short_and_can_be_printed(name: str) -> None:
    make, text = HOSTILE[name]
    error = make()
    began_s = time.monotonic()
    shown = message_of(error)
    assert shown == text if text is not None else shown.startswith("[1, 1, ")
    assert len(shown) <= MAX_MESSAGE + 1
    assert time.monotonic() - began_s < PATIENCE_S
    shown.encode()
    error_text(error).encode()
    traceback_text(error).encode()


def test_a_text_that_does_not_come_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_message, "PATIENCE_S", 0.05)
    over, asked = threading.Event(), []

    class Hangs(Exception):
        def __str__(self) -> str:
            asked.append(1)
            over.wait(PATIENCE_S)
            return "at last"

    def hangs(value: int) -> int:
        raise Hangs("why", value)

    with runtime.Session(on_error="skip") as session:
        session.source(range(5)).map(hangs, name="it").collect()
        session.run(PATIENCE_S)
        texts = [letter.text for letter in session.dead_letters]
    over.set()
    assert texts == [f"it failed on packet {number}: Hangs: 'why', {number}" for number in range(5)]
    assert len(asked) == 1


@pytest.mark.parametrize("place", ["map", "logger"])
def test_lone_surrogates_never_keep_letters_and_events_from_being_printed(
    make_session: MakeSession, place: str
) -> None:
    class Bad(runtime.Function[str, str]):
        def process(self, value: str, /) -> str:
            if place == "logger":
                self.ctx.logger.propagate = False  # the test's own report could not be printed either
                self.ctx.logger.warning("bad: %s", value)
            raise ValueError(value)

    session = make_session(on_error="skip")
    session.source(["\ud800 \udfff"]).map(Bad(), name="it").collect()
    session.run(PATIENCE_S)
    letter = session.dead_letters[0]
    for text in (str(letter), repr(session.dead_letters), letter.text, letter.traceback, repr(session.events)):
        assert text.encode().decode() == text


# ── tracebacks ──


def caused(_: Any) -> None:
    try:
        int("no")
    except ValueError as error:
        raise KeyError("by that") from error


def during(_: Any) -> None:
    try:
        caused(_)
    except KeyError:
        error = RuntimeError("two\nlines")
        error.add_note("a note\nof two lines")
        error.add_note("another")
        raise error  # noqa: B904  that is what is tried


def hidden(_: Any) -> None:
    try:
        int("no")
    except ValueError:
        raise LookupError("alone") from None


def raised(function: Callable[[Any], object]) -> BaseException:
    try:
        function(None)
    except BaseException as error:  # noqa: BLE001  that is what is wanted
        return error
    raise AssertionError("it raised nothing")


def in_groups(_: Any) -> NoReturn:
    inner = BaseExceptionGroup("inner", [raised(during), TypeError("never raised")])
    raise BaseExceptionGroup("outer", [raised(hidden), inner, raised(lambda _: 1 // 0)])


def ending_in_a_group(_: Any) -> None:
    try:
        in_groups(_)
    except ExceptionGroup as error:
        raise ExceptionGroup("last", [TypeError(1), ExceptionGroup("inner", [ValueError(1)])]) from error


@pytest.mark.parametrize("function", [caused, during, hidden, parsed, opened, in_groups, ending_in_a_group])
def test_a_traceback_is_what_python_would_print(function: Callable[[Any], object]) -> None:
    error = raised(function)
    assert traceback_text(error) == "".join(traceback.format_exception(error))


def test_the_traceback_of_a_letter_has_causes_notes_and_the_members_of_groups(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    session.source([in_groups]).map(lambda function: function(None), name="it").collect()
    session.run(PATIENCE_S)
    text = session.dead_letters[0].traceback
    for part in (
        "ExceptionGroup: outer (3 sub-exceptions)",
        "was the direct cause of",
        "During handling",
        "| a note\n",
        "TypeError: never raised",
    ):
        assert part in text
    assert "of the runtime" in folded(text)
    assert "lambda function: function(None)" in folded(text)


def test_a_traceback_is_bounded_in_every_direction() -> None:
    def deep(left: int) -> None:
        if left:
            deep(left - 1)
        raise ValueError("deep")

    error: BaseException = raised(lambda _: deep(500))
    assert len(traceback_text(error).splitlines()) < 4 * MAX_FRAMES
    for _ in range(1_000):
        later = ValueError("later")
        later.__cause__, error = error, later
    assert traceback_text(error).count("ValueError") == MAX_ERRORS
    error.__cause__ = error
    assert traceback_text(error).count("ValueError") == 1
    many = ExceptionGroup("many", [ValueError(number) for number in range(1_000)])
    assert traceback_text(many).count("ValueError") == MAX_MEMBERS
    nest: Exception = ValueError("innermost")
    for _ in range(100):
        nest = ExceptionGroup("nest", [nest])
    assert "innermost" not in traceback_text(nest)
    noted = ValueError("noted")
    noted.__notes__ = [Payload(), "x" * 10_000_000, *("note" for _ in range(1_000))]  # type: ignore[list-item]
    assert traceback_text(noted).count("note") == MAX_NOTES
    noted.__notes__ = 5  # type: ignore[assignment]
    assert traceback_text(noted) == "ValueError: noted\n"
