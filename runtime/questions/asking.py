"""Asking: how one run is asked from outside, by threads and by coroutines. It knows ways in, and nothing of packets.

Where the input has room, to ask is one step that no interrupt can cut, and then a wait on a bell of one's own. Where it
is full, questions stand in a line, one for each input, of which the thread of commands puts in the first as soon as
there is room: so thousands that wait cost no more than one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from runtime.errors import GraphInvalid, QueueFull, ServiceStopped, error_text
from runtime.python.interactive import acquire_within, listening
from runtime.questions.gates import refusal
from runtime.questions.question import Question
from runtime.scheduling.parker import always, new_permit, unpark
from runtime.scheduling.waiting import Until, Waiting, drive
from runtime.texts.preview import preview

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, TimerHandle

    from runtime.communication.calls import Request
    from runtime.control.injector import Given, Injector
    from runtime.dispatcher import Dispatcher
    from runtime.scheduling.commands import Commands


_TIMES_S: Final = 0.001  # times that end one after the other are looked at no more often


class Asking:
    """The questions that are put to one run from outside."""

    def __init__(self, dispatcher: Dispatcher, injector: Injector, commands: Commands) -> None:
        self._dispatcher, self._injector, self._commands = dispatcher, injector, commands
        self._questions = dispatcher.questions
        # Questions that wait for room in an input, in order; and the inputs of which one is being put in.
        self._lines: dict[str, deque[tuple[Question, Given]]] = {}
        self._served: set[str] = set()
        self._doors: WeakKeyDictionary[AbstractEventLoop, Door] = WeakKeyDictionary()

    def ask(self, input_: str, value: Any, timeout_s: float | None, *, many: bool) -> Any:
        """Ask, and wait for the answer on this thread. Raises as `Session.ask`."""
        timeout_s = _limit(timeout_s)
        question = self._begin(input_, value, many=many)
        bell = new_permit()
        question.wake_by(partial(unpark, bell))
        try:
            if self._dispatcher.completion.is_something_paused and (closed := self._questions.closed(question)):
                raise refusal(question.text, closed, self._dispatcher.why_held())
            self._enter(question, value)
            acquire_within(bell, timeout_s)
            if self._questions.is_open(question):
                self._give_up(question, _too_late(question, timeout_s))
        except BaseException as error:
            self._give_up(question, error)
            raise
        return question.result()

    async def ask_async(self, input_: str, value: Any, timeout_s: float | None, *, many: bool) -> Any:
        """The same for a coroutine; at closed gates it waits, and its time stands still. Raises as `ask`."""
        import asyncio  # noqa: PLC0415  where something awaits, it is there

        loop = asyncio.get_running_loop()
        timeout_s = _limit(timeout_s)
        question = self._begin(input_, value, many=many)
        news = News(self._door(loop))
        question.wake_by(news, at_gates=True)
        try:
            if self._dispatcher.completion.is_something_paused:
                question.stand_still(bool(self._questions.closed(question)))
            self._enter(question, value)
            with listening():
                while self._questions.is_open(question):
                    left_s = question.left_s(timeout_s)
                    if left_s is not None and left_s <= 0:
                        self._give_up(question, _too_late(question, timeout_s))
                    else:
                        await news.come(left_s)
        except BaseException as error:
            self._give_up(question, error)
            raise
        return question.result()

    def way(self, input_: str) -> tuple[str, ...]:
        """The tasks to which packets of an input come on the way to a reply."""
        return self._questions.gates.way(input_, everywhere=False)

    def put(self, request: Request, begin: Callable[[Question], bool], hear: Callable[[Question], object]) -> None:
        """Ask for a function or service of the job, unless it does not `begin`; `hear` is told of what comes of it."""
        (value,) = request.args
        question = self._questions.ask(request.service, value, many=False)
        question.ask_for(request.callers)
        question.wake_by(partial(hear, question), at_gates=True)
        if not begin(question):
            question.give_up(ServiceStopped("nobody waits for it any more"))
            return
        try:
            if self._dispatcher.completion.is_something_paused:
                question.stand_still(bool(self._questions.closed(question)))
            self._enter(question, value)
        except Exception as error:  # noqa: BLE001  it is raised where it was asked
            self._questions.fail(question, error)

    def _begin(self, input_: str, value: Any, *, many: bool) -> Question:
        self._injector.require_input(input_)
        self._questions.gates.way(input_, everywhere=many)
        return self._questions.ask(input_, value, many=many)

    def _give_up(self, question: Question, error: BaseException) -> None:
        if self._questions.fail(question, error) and self._lines.get(question.input):
            self._commands.tell()  # it need not be put in any more

    # ── the way in ──

    def _enter(self, question: Question, value: Any) -> None:
        """Put its packet in, at once or as soon as there is room."""
        name = question.input
        if (line := self._lines.get(name)) is None:
            line = self._lines.setdefault(name, deque())
        given = self._injector.address_input(name, value, question)
        if not line and self._injector.offer(given):
            return
        sent = self._injector.sendable(given)
        if not line:
            put = partial(self._injector.put, sent, 0)
            with suppress(QueueFull):
                if self._dispatcher.backend.is_own_thread() or self._commands.is_here():
                    drive(put(), lambda ready, _: ready())
                else:
                    self._commands.do(put)
                return
        line.append((question, sent))
        # Posted, so that who sees its caller wait sees that it is to be put in.
        self._commands.post(partial(self._serve, name), self._report)

    def _report(self, error: BaseException) -> None:
        self._dispatcher.warned(None, error_text(error))

    def _serve(self, name: str) -> Waiting[None]:
        """The thread of commands: put in what stands in line, one after the other."""
        line = self._lines[name]
        if name in self._served:
            return
        self._served.add(name)
        try:
            while line:
                yield from self._put(*line[0])
                line.popleft()
        finally:
            self._served.discard(name)

    def _put(self, question: Question, given: Given) -> Waiting[None]:
        """Put one in, unless it ends before there is room; under a seed between two turns, so that it repeats."""
        is_open = partial(self._questions.is_open, question)
        putting = self._injector.put(given, None)
        seeded = self._dispatcher.backend.changes.seeded
        may = always if seeded is None else seeded.is_between_turns
        try:
            if not may():
                yield Until(_either(may, is_open))
            until = next(putting) if is_open() else None
            while until is not None:
                ready = until.ready if seeded is None else _both(may, until.ready)
                came = yield Until(_either(ready, is_open), until.deadline, watched=until.watched)
                if not is_open():
                    break
                until = putting.send(came)
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001  it is raised where it was asked
            self._questions.fail(question, error)
        finally:
            putting.close()

    def _door(self, loop: AbstractEventLoop) -> Door:
        if (door := self._doors.get(loop)) is None:
            door = self._doors.setdefault(loop, Door(loop))
        return door


def _both(may: Callable[[], bool], ready: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: may() and ready()


def _either(ready: Callable[[], bool], is_open: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: not is_open() or ready()


class Door:
    """Wakes coroutines of one event loop from other threads: as many as are to be woken by one call.

    One timer of the loop serves all that wait: most are answered long before their time, and a timer for each would
    cost a fifth of what a question does.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self._due_s: dict[News, float] = {}  # when each is to look at its time, by the loop's clock
        self._looks_at_s = math.inf
        self._timer: TimerHandle | None = None
        self._rung: deque[News] = deque()
        self._is_told = False  # the loop will look; said no more before it looks

    def ring(self, news: News) -> None:
        """Any thread."""
        self._rung.append(news)
        if not self._is_told:
            self._is_told = True
            try:
                self.loop.call_soon_threadsafe(self._look)
            except RuntimeError:  # the loop is closed: nobody waits there
                self._is_told = False

    def _look(self) -> None:
        self._is_told = False
        while self._rung:
            self._rung.popleft().tell()

    def begin_time(self, news: News, timeout_s: float) -> None:
        """In the loop: tell `news` after so long, unless `end_time` comes first."""
        due_s = self._due_s[news] = self.loop.time() + timeout_s
        if due_s < self._looks_at_s:
            self._look_at(due_s)

    def end_time(self, news: News) -> None:
        """In the loop: it waits no more. A timer that was set for it finds that out, once."""
        self._due_s.pop(news, None)

    def _look_at(self, due_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at_s, self._timer = due_s, self.loop.call_at(due_s, self._tell_due)

    def _tell_due(self) -> None:
        self._looks_at_s, self._timer = math.inf, None
        now_s = self.loop.time()
        due = [news for news, due_s in self._due_s.items() if due_s <= now_s]
        for news in due:
            del self._due_s[news]
            news.tell()
        if self._due_s:
            self._look_at(max(min(self._due_s.values()), now_s + _TIMES_S))


class News:
    """One coroutine's wait. Called, from any thread, it wakes it."""

    __slots__ = ("_door", "_has_come", "_waited")

    def __init__(self, door: Door) -> None:
        self._door = door
        self._has_come = False  # before it was waited for
        self._waited: Future[None] | None = None

    def __call__(self) -> None:
        """There is some."""
        self._door.ring(self)

    def tell(self) -> None:
        """In the loop: end the wait."""
        if self._waited is None:
            self._has_come = True
        elif not self._waited.done():
            self._waited.set_result(None)

    async def come(self, timeout_s: float | None) -> None:
        """Wait for some, or so long."""
        if self._has_come:
            self._has_come = False
            return
        door = self._door
        waited = self._waited = door.loop.create_future()
        if timeout_s is not None:
            door.begin_time(self, timeout_s)
        try:
            await waited
        finally:
            self._waited = None
            door.end_time(self)


def _limit(timeout_s: float | None) -> float | None:
    """Raises `GraphInvalid` for what is no time."""
    if timeout_s is not None and (type(timeout_s) not in (int, float) or math.isnan(timeout_s) or timeout_s < 0):
        raise GraphInvalid(
            f"timeout of ask is {preview(timeout_s)}; it must be a number of seconds, at least 0, or None for no limit"
        )
    return None if timeout_s is None or math.isinf(timeout_s) else timeout_s


def _too_late(question: Question, timeout_s: float | None) -> TimeoutError:
    return TimeoutError(
        f"{question.text}: no answer within {timeout_s:g} s; its packets go on, and a reply that comes later is counted"
    )
