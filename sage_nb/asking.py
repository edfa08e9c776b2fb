"""Asking a graph from a page: a question and its answer, and one that is watched on its way, step by step.

Of a question that is watched the gates on its way are closed, so `ask_async` asks, which waits at gates, in an event
loop of its own. It is over when that says so, whoever has let its packets go on; then the gates that were closed for it
are open again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from runtime import CommandRefused, DataflowError, NoReply, Packet, Replies, Session, Step
from runtime.errors import error_text
from runtime.facts import NO_TIME
from runtime.python.interactive import by_person
from runtime.texts.preview import preview, type_name
from sage_nb.command_queue import Done
from sage_nb.python import Typed, typed
from sage_nb.serializers import stepped, token_of
from sage_nb.texts import shown
from sage_nb.ways import way_of, why_not
from sage_nb.wire import Answer, AnswerKind, Watched

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

STEP_S: Final = 0.5
"""How long a step waits for user code, and for the answer that it may have brought."""

LEAVE_S: Final = 2.0
NEWEST: Final = 1_000
"""Among so many packets of an input the one that asks is looked for."""

MAX_ERRORS: Final = 20

Args = Mapping[str, Any]


class Asking:
    """What the pages of one session ask. At most one question is watched at a time. Any thread may call."""

    def __init__(self, remember: Callable[[Sequence[Packet]], None]) -> None:
        self._remember = remember  # packets that a page was told of
        self._numbers = count(1)
        self._lock = threading.Lock()  # guards what is below
        self._watched: WatchedQuestion | None = None

    @property
    def commands(self) -> dict[str, Callable[[Session, Args], Done]]:
        """By their names."""
        return {"ask": self._ask, "watch_ask": self._watch, "watch_step": self._step, "watch_end": self._end}

    def close(self) -> None:
        """Nobody looks any more: give up what is watched, and leave no gate closed for it."""
        with self._lock:
            watched, self._watched = self._watched, None
        if watched is not None:
            watched.give_up()

    def _ask(self, session: Session, args: Args) -> Done:
        input_, given, many = _asked(args)
        line = f"session.ask({_arguments(input_, given, many)})"
        began_s = perf_counter()
        try:
            value = session.ask(input_, given.value, many=many)
        except NoReply as nothing:
            return Done(line, "no reply", _nothing(nothing))
        return Done(line, preview(value), _answer(value, 1_000 * (perf_counter() - began_s)))

    def _watch(self, session: Session, args: Args) -> Done:
        input_, given, many = _asked(args)
        watched = WatchedQuestion(session, next(self._numbers), input_, given.value, many=many)
        with self._lock:
            if self._watched is not None and not self._watched.is_over:
                raise CommandRefused("one question is watched already: let it come to its end, or leave it, first")
            self._watched = watched
        watched.begin()
        names = ", ".join(map(repr, watched.way))
        asked = f"asked = asyncio.ensure_future(session.ask_async({_arguments(input_, given, many)}, timeout=None))"
        line = f"import asyncio; session.pause({names}); {asked}; await asyncio.sleep(0)"
        return Done(line, f"asked; its way is closed before {', '.join(watched.way)}", watched.card())

    def _step(self, _: Session, args: Args) -> Done:
        watched = self._of(args)
        taken = watched.step()
        if (step := taken.step) is not None:
            self._remember([*step.packets, *(packet for _, packet in step.sent)])
        line = f"session.step({step.task!r})" if step is not None and step.task is not None else ""
        if watched.is_over:
            line = "; ".join(filter(None, (line, watched.opening, "await asked")))
        return Done(line, "" if step is None else str(step), watched.card(taken))

    def _end(self, _: Session, args: Args) -> Done:
        watched = self._of(args)
        was_over = watched.is_over
        self.close()
        line = "" if was_over else "; ".join(filter(None, ("asked.cancel()", watched.opening)))
        return Done(line, "the gates are as they were before", watched.card())

    def _of(self, args: Args) -> WatchedQuestion:
        with self._lock:
            watched = self._watched
        if watched is None or watched.number != args.get("watch"):
            raise CommandRefused("this question is watched no more")
        return watched


@dataclass(frozen=True, slots=True)
class Taken:
    """One step on the way of a question: whether it took a packet of it, and for how long its task was at work."""

    step: Step | None = None
    is_of_it: bool = False
    took_ms: float = 0.0


class WatchedQuestion:
    """One question whose way is closed while it is under way. It closes those gates of it that are open."""

    def __init__(self, session: Session, number: int, input_: str, value: Any, *, many: bool) -> None:
        if reason := why_not(session.graph, input_):
            raise CommandRefused(reason)
        self.number, self.way = number, way_of(session.graph, input_, many=many)
        self._session, self._input, self._value, self._many = session, input_, value, many
        self._closed: tuple[str, ...] = ()  # the gates that were closed for it
        self._places: deque[Packet] = deque()  # where packets of it lie, in the order in which they came there
        self._is_found = False  # its first packet; it may have to wait for room
        self._full: str | None = None  # the task for whose room the last step waits
        graph = session.graph
        self._replies = {task for each in graph.operators if each.traits.answers for task in graph.tasks(each.name)}
        self._answer: Answer | None = None
        self._asked, self._over = threading.Event(), threading.Event()
        self._lock = threading.Lock()  # guards what is below
        self._is_given_up = False
        self._cancel: Callable[[], object] = bool  # what ends it early, once it is asked

    @property
    def is_over(self) -> bool:
        """Whether it has come to an end, and the gates are as they were."""
        return self._over.is_set()

    @property
    def opening(self) -> str:
        """The Python that opens what was closed for it."""
        return f"session.resume({', '.join(map(repr, self._closed))})" if self._closed else ""

    def begin(self) -> None:
        """Close its way, and ask. Raises what `Session.pause` raises."""
        session = self._session
        try:
            held = {task.name for task in session.snapshot() if task.held}
            self._closed = tuple(task for task in self.way if task not in held)
            if self._closed:
                session.pause(*self._closed, timeout=STEP_S)
        except BaseException:
            self._leave()
            raise
        threading.Thread(target=self._ask, name="sage-nb ask", daemon=True).start()
        self._asked.wait()
        self._find()

    def give_up(self) -> None:
        """Nobody waits for it any more. Returns when the gates are as they were."""
        with self._lock:
            self._is_given_up = True
            cancel = self._cancel
        cancel()
        self._over.wait(LEAVE_S)

    def _ask(self) -> None:
        """On a thread of its own: ask, in a loop of its own, and wait for what comes of it."""
        import asyncio  # noqa: PLC0415  it is not imported before somebody watches

        async def asked() -> Any:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            loop.call_soon(self._asked.set)  # as soon as the next line waits, its packet is in, or stands in line
            with self._lock:
                self._cancel = partial(_call_soon, loop, task.cancel if task is not None else bool)
                if self._is_given_up:
                    raise CommandRefused("it was given up")
            return await self._session.ask_async(self._input, self._value, timeout=None, many=self._many)

        try:
            self._answer = _answer(asyncio.run(asked()))
        except NoReply as nothing:
            self._answer = _nothing(nothing)
        except BaseException as error:  # noqa: BLE001  the border to the page, which gets every error as words
            self._answer = _answer_of("error", error_text(error), type_name(type(error)))
        finally:
            self._leave()
            self._asked.set()

    def _leave(self) -> None:
        """Open the gates that were closed for it."""
        try:
            with suppress(DataflowError), by_person():  # the job may be over
                if self._closed:
                    self._session.resume(*self._closed)
        finally:
            self._over.set()

    # ── its way ──

    def step(self) -> Taken:
        """One turn of the task before which a packet of it lies: the one that came to its place first.

        What lies there before it goes first. Where no packet of it is known, it is in a batch or a call, or waits for
        room: then the task deepest on the way that has something to do has its turn. Raises what `Session.step` raises.
        """
        if self.is_over:
            return Taken()
        self._find()
        if (task := self._next()) is None:
            self._over.wait(STEP_S)
            return Taken()
        before_s = self._busy_s(task)
        try:
            step = self._session.step(task, timeout=STEP_S)
        except DataflowError:
            if self._over.wait(STEP_S):  # somebody has opened the gates, or the job is over
                return Taken()
            raise
        took_ms = 1_000 * (self._busy_s(task) - before_s)
        is_of_it = self._follow(step)
        if not self._places or (is_of_it and task in self._replies and not self._many):
            self._over.wait(STEP_S)  # that may have been the last of it
        return Taken(step, is_of_it, took_ms)

    def _busy_s(self, task: str) -> float:
        return self._session.snapshot().tasks.spent().get(task, NO_TIME).whole.busy_s

    def card(self, taken: Taken = Taken()) -> Watched:
        """How it stands after a step."""
        is_over = self.is_over
        return Watched(
            watch=self.number,
            input=self._input,
            way=list(self.way),
            at=[] if is_over else list(dict.fromkeys(packet.task for packet in self._places)),
            step=None if taken.step is None else stepped(taken.step),
            is_of_it=taken.is_of_it,
            took_ms=taken.took_ms,
            answer=self._answer if is_over else None,
        )

    def _find(self) -> None:
        """Look for its first packet, until it is there: among equal ones that are one object, the newest."""
        if not self._is_found:
            view = self._session.peek(self._input, 0, NEWEST)
            found = [packet for packet in view if packet.payload is self._value]
            self._is_found = bool(found)
            self._places.extend(found[-1:])

    def _next(self) -> str | None:
        """Whose turn it is."""
        if self._full is not None:
            return self._full
        if self._places:
            return self._places[0].task
        tasks = self._session.snapshot().tasks
        return next((task for task in reversed(self.way) if tasks[task].depth or tasks[task].open), None)

    def _follow(self, step: Step) -> bool:
        """Keep up with where its packets are; whether this step took one of them."""
        self._full = step.sent[-1][0] if step.result == "held_back" and step.sent else None
        if step.result == "idle" and self._places and self._places[0].task == step.task:
            self._places.popleft()  # it was moved, dropped, or taken into a batch or a call
        taken = {token_of(packet) for packet in step.packets}
        left = [packet for packet in self._places if token_of(packet) not in taken]
        is_of_it = len(left) < len(self._places)
        if is_of_it and step.result == "done":
            on_the_way = (packet for _, packet in step.sent if packet.task in self.way and packet.place is not None)
            self._places = deque([*left, *on_the_way])
        return is_of_it


def _call_soon(loop: AbstractEventLoop, act: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # the loop is closed: it is over
        loop.call_soon_threadsafe(act)


def _asked(args: Args) -> tuple[str, Typed, bool]:
    given = typed(str(args["value"]), as_python=args.get("as_python") is True)
    return str(args["input"]), given, args.get("many") is True


def _arguments(input_: str, given: Typed, many: bool) -> str:
    text = repr(given.value) if given.source is None else given.source.text
    return f"{input_!r}, {text}{', many=True' if many else ''}"


def _answer(value: Any, took_ms: float | None = None) -> Answer:
    """A reply, or all of them with the errors of what was skipped."""
    if isinstance(value, Replies):
        errors = [shown(error_text(error)) for error in value.errors[:MAX_ERRORS]]
        return _answer_of("replies", preview(list(value)), f"{len(value):,}", took_ms, errors)
    return _answer_of("reply", preview(value), type_name(type(value)), took_ms)


def _nothing(nothing: NoReply) -> Answer:
    return _answer_of("no reply", str(nothing), "")


def _answer_of(
    outcome: AnswerKind, text: str, kind: str, took_ms: float | None = None, errors: Sequence[str] = ()
) -> Answer:
    return Answer(outcome=outcome, text=shown(text), kind=shown(kind), took_ms=took_ms, errors=list(errors))
