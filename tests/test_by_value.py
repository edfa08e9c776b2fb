"""Reports by value: whatever an error is, what arrives of it says so. No process, no cluster."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

import pytest

import runtime
from runtime.communication.packet import Packet
from runtime.context.report import TaskReport
from runtime.errors import NO_PACKET
from runtime.history.dead_letters import DeadLetter
from runtime.ray.codec import CODEC
from runtime.remote.by_value import (
    LEAST_FRAMES,
    MOST_ERRORS,
    MOST_FRAMES,
    Payload,
    decode,
    encode,
    encode_letter,
    encode_report,
)
from runtime.remote.codec import Pickled, require_sendable
from runtime.step import Step


def raised(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:  # noqa: BLE001  whatever it is
        return error
    raise AssertionError("it has not raised")


E = TypeVar("E", bound=BaseException)


def sent(error: E) -> E:
    arrived: E = decode(encode(error, CODEC))
    return arrived


def causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def deep(value: int) -> NoReturn:
    deep(value + 1)


def chain(length: int) -> BaseException:
    """Errors, each raised from the one before, the first of them a KeyError."""
    last: BaseException = KeyError("where it began")
    for number in range(1, length):
        last = raised(lambda: raise_from(ValueError(number), last))  # noqa: B023  called at once
    return last


def raise_from(error: BaseException, cause: BaseException) -> NoReturn:
    raise error from cause


class TwoArguments(Exception):
    """Is pickled, and not unpickled: its class is made from two arguments, and says one."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what} {number}")
        self.number = number


class HoldsLock(LookupError):
    """Is not pickled, for its attribute."""

    def __init__(self, text: str) -> None:
        super().__init__(text, threading.Lock())
        self.text, self.lock = text, threading.Lock()


class ExitsWhenPickled(Exception):
    def __reduce__(self) -> NoReturn:
        raise SystemExit(3)


class ComesBackAsText(Exception):
    def __reduce__(self) -> tuple[Any, ...]:
        return str, ("a text",)


class Family(Exception):
    def __reduce__(self) -> tuple[Any, ...]:
        return Family, self.args


class Child(Family):
    """Is unpickled as an error of the class above it."""


class Contrary(Exception):
    """Has an own idea of everything."""

    def __bool__(self) -> bool:
        raise ZeroDivisionError

    def __getattribute__(self, name: str) -> NoReturn:
        raise ZeroDivisionError

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise ZeroDivisionError


def test_a_traceback_of_any_depth_arrives_with_its_ends_and_says_what_is_left_out() -> None:
    error = sent(raised(lambda: deep(0)))
    assert type(error) is RecursionError
    frames = traceback.extract_tb(error.__traceback__)
    assert len(frames) == MOST_FRAMES + 1
    assert "frames are left out" in frames[MOST_FRAMES // 5].name
    assert frames[0].name == "raised"
    assert frames[-1].name == "deep"


def test_many_deep_errors_in_one_message_have_a_bound_and_each_has_its_innermost_frames() -> None:
    def dig(depth: int, error: BaseException, cause: BaseException | None) -> NoReturn:
        if depth:
            dig(depth - 1, error, cause)
        raise error from cause

    last: BaseException | None = None
    for number in range(MOST_ERRORS):
        error, cause = ValueError(number), last
        last = raised(lambda: dig(50, error, cause))  # noqa: B023  called at once
    assert last is not None
    frames = [traceback.extract_tb(error.__traceback__) for error in causes(sent(last))]
    assert len(frames[0]) > 50
    assert sum(map(len, frames)) < 4 * MOST_FRAMES + MOST_ERRORS * (LEAST_FRAMES + 1)
    assert all(each[-1].name == "dig" for each in frames)


@pytest.mark.parametrize("length", [1, 2, MOST_ERRORS, 600, 5_000])
def test_a_chain_of_causes_of_any_length_arrives_and_says_what_it_began_with(length: int) -> None:
    found = list(causes(sent(chain(length))))
    assert [error.args for error in found[: length - 1]] == [(length - number,) for number in range(1, len(found) + 1)][
        : length - 1
    ]
    assert len(found) == min(length, MOST_ERRORS)
    if length > MOST_ERRORS:
        (note,) = found[-1].__notes__
        assert f"{length - MOST_ERRORS:,} more errors" in note
        assert "the first of them was KeyError: 'where it began'" in note
    else:
        assert type(found[-1]) is KeyError


def test_errors_that_are_each_others_causes_arrive_so() -> None:
    first, second = ValueError("first"), KeyError("second")
    second.__cause__ = first
    arrived = sent(raised(lambda: raise_from(first, second)))
    assert type(arrived) is ValueError
    assert type(arrived.__cause__) is KeyError
    assert arrived.__cause__.__cause__ is arrived


def test_an_error_that_is_its_own_argument_arrives() -> None:
    error = ValueError()
    error.args = (error,)
    assert type(sent(error)) is ValueError


def test_a_context_arrives_unless_it_is_hidden() -> None:
    def hidden() -> None:
        try:
            raise KeyError("context")
        except KeyError:
            raise ValueError("plain") from None

    def shown() -> None:
        try:
            raise KeyError("context")
        finally:
            raise ValueError("plain")

    assert type(sent(raised(shown)).__context__) is KeyError
    arrived = sent(raised(hidden))
    assert arrived.__suppress_context__
    assert arrived.__context__ is None


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (TwoArguments("no", 3), ("no 3",)),
        (HoldsLock("held"), ("held", "<lock>")),
        (ExitsWhenPickled("it"), ("it",)),
        (ComesBackAsText("it"), ("it",)),
        (Child("it"), ("it",)),
        (runtime.TaskLost("it"), ("it",)),
        (SystemExit(3), (3,)),
        (OSError(2, "no such file", "a.txt"), (2, "no such file")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_keeps_its_type_and_what_can_be_pickled_of_it(
    error: BaseException, arguments: tuple[Any, ...]
) -> None:
    error.add_note("a note")
    arrived = sent(error)
    assert type(arrived) is type(error)
    assert arrived.args == arguments
    assert arrived.__notes__ == ["a note"]


def test_attributes_that_can_be_pickled_arrive_beside_those_that_cannot() -> None:
    arrived = sent(HoldsLock("held"))
    assert vars(arrived) == {"text": "held", "lock": "<lock>"}
    assert sent(TwoArguments("no", 3)).number == 3


def test_an_error_that_answers_for_itself_arrives() -> None:
    assert type(decode(encode(Contrary("it"), CODEC))) is Contrary


def test_a_class_that_cannot_be_pickled_arrives_as_one_of_its_name_under_those_above_it() -> None:
    class Local(HoldsLock):
        lock_of_class = threading.Lock()

    first, second = sent(Local("first")), sent(Local("second"))
    assert type(first).__name__ == "Local"
    assert isinstance(first, HoldsLock)
    assert first.args == ("first", "<lock>")
    assert type(first) is type(second)


def test_the_errors_of_a_group_arrive_each_as_well_as_it_can() -> None:
    group: ExceptionGroup[Exception] = ExceptionGroup(
        "some", [HoldsLock("held"), RecursionError("deep"), ExceptionGroup("in", [KeyError("k")])]
    )
    arrived = sent(group)
    assert [type(error) for error in arrived.exceptions] == [HoldsLock, RecursionError, ExceptionGroup]
    assert [error.args for error in arrived.exceptions[:2]] == [("held", "<lock>"), ("deep",)]


def test_what_a_task_failed_on_arrives_or_a_text_for_it() -> None:
    lock = threading.Lock()
    for packet, arrives_as in ((3, 3), (NO_PACKET, NO_PACKET), (lock, "<lock>"), ([lock], "[<lock>]")):
        (report,) = decode(encode_report(CODEC, TaskReport("work", "failed", HoldsLock("held"), packet)))
        assert (report.task, report.ending, report.packet) == ("work", "failed", arrives_as)
        assert type(report.error) is HoldsLock
        letter = decode(encode_letter(DeadLetter("work", packet, HoldsLock("held"), key=packet), CODEC))
        assert (letter.task, letter.packet, letter.key) == ("work", arrives_as, arrives_as)


def test_a_step_arrives_whatever_it_shows() -> None:
    shown = Packet(threading.Lock(), key="k", keyed=True, task="work")
    step: Step = decode(encode(Step("done", "work", Packet(3), (("end", shown),), HoldsLock("held")), CODEC))
    assert str(step) == "work: 3 -> '<lock>' [key 'k'] to end; skipped: HoldsLock: ('held', '<lock>')"
    assert step.sent[0][1].task == "work"


def test_a_payload_that_can_be_unpickled_only_where_it_was_made_arrives_as_a_text() -> None:
    class Elsewhere:
        def __reduce__(self) -> tuple[Any, ...]:
            return refuse, ()

    assert decode(encode([Payload(Elsewhere()), Payload(2)], CODEC)) == ["<Elsewhere>", 2]


def refuse() -> NoReturn:
    raise LookupError("not in this process")


class KnowsWhoPickles:
    """A value that notes how often it is pickled."""

    def __init__(self, often: list[str], numbers: bytearray) -> None:
        self.often, self.numbers = often, numbers

    def __reduce__(self) -> tuple[Any, ...]:
        self.often.append("pickled")
        return KnowsWhoPickles, ([], self.numbers)


def test_what_was_pickled_already_arrives_as_the_value_and_no_code_of_its_class_runs_when_it_is_sent() -> None:
    value = KnowsWhoPickles([], bytearray(b"123"))
    pickled = Pickled(value, CODEC)
    assert value.often == ["pickled"]
    place, arrived = CODEC.decode(CODEC.encode((7, pickled)))
    assert value.often == ["pickled"]
    assert (place, type(arrived), arrived.numbers) == (7, KnowsWhoPickles, value.numbers)


def test_what_cannot_travel_is_refused_with_what_it_is_and_why() -> None:
    class Elsewhere:
        def __reduce__(self) -> tuple[Any, ...]:
            return refuse, ()

    for value, why in ((threading.Lock(), "cannot pickle '_thread.lock' object"), (Elsewhere(), "not in this process")):
        with pytest.raises(runtime.NotSendable, match=why) as refusal:
            require_sendable([value], CODEC)
        assert refusal.value.__cause__ is not None
    require_sendable([1, "text", None], CODEC)
