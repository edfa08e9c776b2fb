"""Reports by value: how errors, and what else of the user's is to be seen, get to another process. Knows no mail.

A report of a failure must get through, whatever it is about. So a message is packed in a way that cannot fail: each
error in it is sent beside it and by itself, and so is each payload; what cannot be pickled arrives as a text, for a
person to read. An error keeps its type, its arguments, its notes, its traceback and the errors that it came from, also
where these lead back to it: they are a table, not a nest, so no depth and no circle matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, replace
from typing import Any, Final, NamedTuple

from runtime.communication.packet import Packet
from runtime.context.report import TaskReport
from runtime.errors import error_text
from runtime.history.dead_letters import DeadLetter
from runtime.remote.codec import Codec
from runtime.remote.error_forms import FrameFacts, Part, body_of, dumps_by, error_of, frames_of, loads, traceback_of

MOST_ERRORS: Final = 100
"""In one message. Of a longer chain the last one is told by a note."""

MOST_FRAMES: Final = 100
"""Of one error; of all in a message, three times as many, and `LEAST_FRAMES` of each that comes after them."""

LEAST_FRAMES: Final = 5

_slots: Final = vars(BaseException)  # what a class of the user's says of itself is not asked


class SentError(NamedTuple):
    """One error as it travels; it names others by their numbers in the message."""

    body: bytes
    text: str
    frames: tuple[FrameFacts, ...]
    cause: int | None
    context: int | None
    context_hidden: bool
    note: str


class Encoded(NamedTuple):
    """A message as it travels."""

    blob: bytes
    errors: tuple[SentError, ...]


class Payload(NamedTuple):
    """A value of the user's in a message: it arrives as itself, or as a text."""

    value: Any


def encode(message: Any, codec: Codec) -> Encoded:
    """Pack a message. Of facts, errors, packets and payloads it can pack any; raises what pickling of others raises."""
    encoder = _Encoder(codec)
    blob = encoder.dumps(message)
    return Encoded(blob, tuple(encoder.sent()))


def decode(message: Encoded) -> Any:
    """The message as it was, with payloads in the place of `Payload`s."""
    return loads(message.blob, _Decoder(message.errors).referred)


def encode_report(codec: Codec, report: TaskReport, *beside: Any) -> Encoded:
    """A task's report, and what is said beside it."""
    return encode((replace(report, packet=Payload(report.packet)), *beside), codec)


def encode_letter(letter: DeadLetter, codec: Codec) -> Encoded:
    """A dead letter."""
    return encode(replace(letter, packet=Payload(letter.packet), key=Payload(letter.key)), codec)


class _Encoder:
    """The errors of one message, each with the number by which others refer to it."""

    def __init__(self, codec: Codec) -> None:
        self._pickler = codec.pickler
        self.dumps = dumps_by(self._pickler, self.refer_to)
        self._found: list[BaseException] = []
        self._numbers: dict[int, int] = {}  # by identity; `_found` keeps them alive
        self._frames_left = 3 * MOST_FRAMES

    def refer_to(self, value: Any) -> object | None:
        """What stands for a value, or nothing."""
        kind = type(value)
        if issubclass(kind, BaseException):
            number = self._number(value)
            return ("left out", error_text(value)) if number is None else ("error", number)
        if kind is Payload:
            return "payload", Part.of(value.value, self.dumps)
        if kind is Packet:
            bare = replace(value, payload=None, key=None)
            return "packet", (astuple(bare), Part.of(value.payload, self.dumps), Part.of(value.key, self.dumps))
        return None

    def sent(self) -> Iterator[SentError]:
        """All errors that were referred to, and those that they refer to."""
        number = 0
        while number < len(self._found):
            yield self._send(self._found[number])
            number += 1

    def _send(self, error: BaseException) -> SentError:
        cause, context, hidden = (_slots[name].__get__(error) for name in _CHAINED)
        if hidden:
            context = None
        cause_number, context_number = (None if each is None else self._number(each) for each in (cause, context))
        left_out = cause if cause_number is None else context if context_number is None else None
        body = body_of(error, dumps_by(self._pickler, lambda value: None if value is error else self.refer_to(value)))
        most = max(LEAST_FRAMES, min(MOST_FRAMES, self._frames_left))
        frames = frames_of(_slots["__traceback__"].__get__(error), most)
        self._frames_left -= len(frames)
        return SentError(body, error_text(error), frames, cause_number, context_number, hidden, _told(left_out))

    def _number(self, error: BaseException) -> int | None:
        """Its number; None: there are too many."""
        number = self._numbers.get(id(error))
        if number is None and len(self._found) < MOST_ERRORS:
            number = self._numbers[id(error)] = len(self._found)
            self._found.append(error)
        return number


class _Decoder:
    """The errors of one message that has arrived, each made once."""

    def __init__(self, sent: tuple[SentError, ...]) -> None:
        self._sent = sent
        self._made: dict[int, BaseException] = {}
        self._in_work: set[int] = set()
        for number in reversed(range(len(sent))):  # most refer to later ones: those are there then
            self._error(number)
        for number, each in enumerate(sent):
            self._chain(number, each)

    def referred(self, pid: Any) -> Any:
        """What an id in a message stands for."""
        what, which = pid
        if what == "error":
            return self._error(which)
        if what == "payload":
            return which.value(self.referred)
        if what == "packet":
            bare, payload, key = which
            return replace(Packet(*bare), payload=payload.value(self.referred), key=key.value(self.referred))
        return Exception(which)

    def _error(self, number: int) -> BaseException:
        error = self._made.get(number)
        if error is not None:
            return error
        each = self._sent[number]
        if number in self._in_work:  # it is an argument of itself
            return Exception(each.text)
        self._in_work.add(number)
        error = self._made[number] = error_of(each.body, each.text, self.referred)
        return error

    def _chain(self, number: int, sent: SentError) -> None:
        error = self._made[number]
        cause, context = (None if each is None else self._made[each] for each in (sent.cause, sent.context))
        _slots["__cause__"].__set__(error, cause)
        _slots["__context__"].__set__(error, context)
        _slots["__suppress_context__"].__set__(error, sent.context_hidden)
        _slots["__traceback__"].__set__(error, traceback_of(sent.frames))
        if sent.note:
            _slots["add_note"](error, sent.note)


_CHAINED: Final = ("__cause__", "__context__", "__suppress_context__")


def _told(left_out: BaseException | None) -> str:
    """What to say of errors that are too many to be sent: how many there are, and the one that it all began with."""
    if left_out is None:
        return ""
    seen = {id(left_out)}
    while True:
        cause, context = (_slots[name].__get__(left_out) for name in ("__cause__", "__context__"))
        before = context if cause is None else cause
        if before is None or id(before) in seen:
            break
        seen.add(id(before))
        left_out = before
    return f"{len(seen):,} more errors that this came from are left out; the first of them was {error_text(left_out)}"
