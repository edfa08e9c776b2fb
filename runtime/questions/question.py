"""A question, and all that are open in one run: when it is over, what it has come to, and what that adds up to.

A question is over when no packet of it is left. Each packet of it has a *mark*, from before it lies in a lane until it
has been worked and what was made of it lies in lanes; so whoever adds one has one, and when the last is gone no other
can come. Marks are the elements of a list: to add and to take one are single steps under the GIL, on whichever thread,
and need no lock. Two that have taken the last two marks may both see that none is left, so what follows from that is
claimed: a question ends once, by whoever takes it out of the dict of open ones, which is a single step, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from operator import length_hint
from sys import maxsize
from time import monotonic
from typing import Any, Final, Generic, NoReturn, TypeVar

from runtime.errors import JobPaused, NoReply, NotSendable
from runtime.facts import QuestionFacts
from runtime.questions.gates import Gates, refusal
from runtime.texts.preview import preview

T = TypeVar("T")

_MOST: Final = maxsize  # that an iterator can say how many are left of, also in 32 bits
_LAST: Final = 1_024  # of so many ends the times are kept


class Replies(list[T], Generic[T]):
    """All replies to one question, in the order in which they came, and the errors of what was skipped of it."""

    def __init__(self, replies: Iterable[T] = (), errors: Iterable[BaseException] = ()) -> None:
        super().__init__(replies)
        self.errors = tuple(errors)


class Ticks:
    """A number that any thread adds to, in a single step that needs no lock and no interrupt can cut."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = iter(range(_MOST))

    def add(self) -> None:
        """One more."""
        next(self._left)

    @property
    def value(self) -> int:
        """How many there were."""
        return _MOST - length_hint(self._left)


class Question:
    """What was asked at one input, until it has come to an end; packets that still carry it then are late."""

    __slots__ = (
        *(
            "_lost_s",
            "_made_s",
            "_marks",
            "_questions",
            "_stands_since_s",
            "_error",
            "answers",
            "callers",
            "errors",
            "input",
            "number",
        ),
        *("is_many", "value", "waits_at_gates", "wake"),
    )

    def __init__(self, questions: Questions, number: int, input_: str, value: Any, *, many: bool) -> None:
        self.number = number
        self._questions, self.input, self.value, self.is_many = questions, input_, value, many
        self._marks: list[None] = [None]  # the packet that asks
        self._made_s = monotonic()
        self.callers: tuple[str, ...] = ()
        self.answers: list[Any] = []
        self.errors: list[BaseException] = []  # of what was skipped
        self._error: BaseException | None = None  # what it has come to, if that is no answer
        self.wake: Callable[[], object] = bool  # told of the end, and when its time goes on; on any thread
        self.waits_at_gates = False
        self._stands_since_s: float | None = None  # since when a gate has been closed
        self._lost_s = 0.0  # for how long it was so before

    def __reduce__(self) -> NoReturn:
        raise NotSendable(
            "a question stays in its process; where its packets go to others, whoever carries them knows its number: "
            'run the graph on platform="local" or "remote"'
        )

    # ── its packets ──

    def bear(self) -> None:
        """One more packet carries it."""
        self._marks.append(None)

    def leave(self) -> None:
        """One packet less does."""
        marks = self._marks
        marks.pop()
        if not marks:
            self._questions.over(self)

    def blame(self, error: BaseException) -> None:
        """A packet of it was skipped, because of this."""
        self.errors.append(error)

    def reply(self, value: Any) -> None:
        """This has come of it."""
        self._questions.reply(self, value)

    def come_to(self, error: BaseException) -> None:
        """Whoever has claimed its end: that is what it has come to."""
        self._error = error

    # ── who asks ──

    def ask_for(self, callers: tuple[str, ...]) -> None:
        """Before its packet is put in: for whom, the outermost first."""
        self.callers = (*callers, self.input)

    def is_going_on(self) -> float | None:
        """Once woken: for how long time has stood still, if that is why; None: it has come to an end."""
        if not self._questions.is_open(self):
            return None
        lost_s, self._lost_s = self._lost_s, 0.0
        return lost_s

    def give_up(self, error: BaseException) -> None:
        """Nobody waits for it any more, nor is to be told."""
        self.wake = bool
        self._questions.fail(self, error)

    def wake_by(self, wake: Callable[[], object], *, at_gates: bool = False) -> None:
        """Before its packet is put in: who is told. `at_gates`: while one on its way is closed, time stands still."""
        self.wake, self.waits_at_gates = wake, at_gates

    @property
    def stands_still(self) -> bool:
        """Whether a gate on its way is closed, and its time stands still."""
        return self._stands_since_s is not None

    def stand_still(self, is_closed: bool) -> None:
        """Whether that is so from now on."""
        if is_closed == self.stands_still:
            return
        now_s = monotonic()
        if self._stands_since_s is not None:
            self._lost_s += now_s - self._stands_since_s
        self._stands_since_s = now_s if is_closed else None
        if not is_closed:
            self.wake()

    def left_s(self, timeout_s: float | None) -> float | None:
        """What is left of a time that began with it, without what it has stood still; None: no end is in sight."""
        return None if timeout_s is None or self.stands_still else timeout_s + self._lost_s - self.age_s

    @property
    def age_s(self) -> float:
        """For how long it has been under way."""
        return monotonic() - self._made_s

    @property
    def text(self) -> str:
        """What was asked, and where, bounded."""
        return f"{self.input!r} asked {preview(self.value)}"

    def result(self) -> Any:
        """After its end: its answer, or all. Raises what it has come to in place of that."""
        try:
            if self._error is not None:
                raise self._error
            if self.is_many:
                return Replies(self.answers, self.errors)
            if self.answers:
                return self.answers[0]
            if self.errors:
                raise self.errors[0]
            raise NoReply(
                f"{self.text}: no packet of it is left, and none has come to a reply(); ask with many=True where there "
                "may be none"
            )
        finally:
            self._error = None  # its traceback holds this frame
            self.errors, self.answers = [], []


class Questions:
    """All questions of one run that are open, and how many have ended how. Any thread."""

    def __init__(self, gates: Gates) -> None:
        self.gates = gates
        self._numbers = count(1)
        self._open: dict[Question, None] = {}  # in the order in which they were asked
        self._answered, self._unanswered = Ticks(), Ticks()
        self._failed, self._late, self._replies = Ticks(), Ticks(), Ticks()
        self._ends_s: deque[float] = deque(maxlen=_LAST)

    def ask(self, input_: str, value: Any, *, many: bool) -> Question:
        """A question that is open from now on; its first packet is about to be put in."""
        question = Question(self, next(self._numbers), input_, value, many=many)
        self._open[question] = None
        return question

    def is_open(self, question: Question) -> bool:
        """Whether it has not come to an end."""
        return question in self._open

    def open(self) -> list[Question]:
        """Those that have not come to an end, the oldest first."""
        return list(self._open)

    def reply(self, question: Question, value: Any) -> None:
        """A packet of it has come to a reply."""
        self._replies.add()
        if question.is_many and question in self._open:
            question.answers.append(value)
        elif question.is_many or not self._claim(question):
            self._late.add()
        else:
            question.answers.append(value)
            self._answered.add()
            question.wake()

    def over(self, question: Question) -> None:
        """No packet of it is left."""
        if self._claim(question):
            (self._answered if question.answers else self._unanswered).add()
            question.wake()

    def fail(self, question: Question, error: BaseException) -> bool:
        """Nobody waits for it any more, because of this. False: it has come to an end before."""
        if not self._claim(question):
            return False
        question.come_to(error)
        self._failed.add()
        question.wake()
        return True

    def fail_all(self, error_of: Callable[[Question], BaseException]) -> None:
        """The same for all that are open."""
        for question in self.open():
            self.fail(question, error_of(question))

    def look_at_gates(self, held: JobPaused | None) -> None:
        """Gates were closed or opened by hand: end the questions of those who might have to open them.

        For the others time stands still meanwhile. `held` says why the job stands still, if a packet is held.
        """
        for question in self.open():
            if question.waits_at_gates:
                question.stand_still(bool(self.closed(question)))
            elif closed := self.closed(question):
                self.fail(question, refusal(question.text, closed, held))

    def closed(self, question: Question) -> list[str]:
        """The tasks on its way that are paused by hand."""
        return self.gates.closed(question.input, everywhere=question.is_many)

    def _claim(self, question: Question) -> bool:
        """Whether the caller is the one to end it. In one step: of several that are about to, one."""
        is_claimed = self._open.pop(question, self) is None
        if is_claimed:
            self._ends_s.append(monotonic())
        return is_claimed

    def facts(self, processed: int) -> QuestionFacts:
        """Where they stand; so many packets have come to a reply."""
        now_s, opened = monotonic(), self.open()
        ends_s = [end_s for end_s in self._ends_s.copy() if end_s > now_s - 1]
        spanned_s = now_s - ends_s[0] if len(ends_s) == _LAST else 1.0  # there were more, perhaps
        answered, unanswered, failed = self._answered.value, self._unanswered.value, self._failed.value
        return QuestionFacts(
            len(opened) + answered + unanswered + failed,
            len(opened),
            answered,
            unanswered,
            failed,
            self._late.value,
            max(0, processed - self._replies.value),
            len(ends_s) / max(spanned_s, 1e-6),
            opened[0].age_s if opened else 0.0,
            opened[0].text if opened else "",
        )
