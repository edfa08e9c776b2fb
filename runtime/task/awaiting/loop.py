"""TaskLoop: the event loop of one task, run in pieces by its thread: whenever that has to wait, and for a moment else.

It is asyncio's own loop of selectors, with a selector that can be told to sleep less long. `asyncio` is imported with
this module, which is when the first task opens whose function waits.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from contextvars import Context
from math import inf
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple, Unpack

from runtime.communication.calls import AnswerFuture
from runtime.errors import Cancelled
from runtime.task.awaiting.blocking import Blocking, Listener
from runtime.task.awaiting.permit import LoopPermit

if TYPE_CHECKING:
    from concurrent.futures import Executor

Args = TypeVarTuple("Args")
T = TypeVar("T")

_LONGEST_S: Final = 86_400.0  # that a selector takes


class Selector(selectors.DefaultSelector):
    """Selects without sleep, unless somebody sleeps by it: then until his permit is given, or his time is over."""

    def __init__(self) -> None:
        super().__init__()
        self._permit: LoopPermit | None = None
        self._rests: Listener | None = None  # who hears that it sleeps
        self.is_asleep = False
        self.until_s = 0.0
        self._own_keys = 0  # the loop's own descriptors, by which it is only woken
        self.woke_s = monotonic()  # when it last came back

    def begin(self) -> None:
        """The loop is there: what is registered by now is its own."""
        self._own_keys = len(self.get_map())

    def has_any(self) -> bool:
        """Whether somebody waits for a descriptor. Any thread."""
        return len(self.get_map()) > self._own_keys

    def sleep_by(self, permit: LoopPermit | None, until_s: float = 0.0) -> None:
        """From now on sleep by that permit, and no longer; None: not at all."""
        self._permit, self.until_s = permit, until_s

    def tell_of_rest(self, listener: Listener | None) -> None:
        """From now on that one hears of each sleep; None: nobody."""
        self._rests = listener

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What has come, after `timeout` at most."""
        if self._permit is None or (timeout is not None and timeout <= 0):
            # To ask would let go of the GIL at each turn, and so change threads.
            come = super().select(0) if self.has_any() else []
        else:
            timeout_s = min(_LONGEST_S if timeout is None else timeout, max(0.0, self.until_s - monotonic()))
            self.is_asleep = True
            if self._rests is not None:
                self._rests.tell_of_rest()
            come = self._permit.sleep(super().select, timeout_s)
            self.is_asleep = False
        self.woke_s = monotonic()
        return come


class TaskLoop(asyncio.SelectorEventLoop):
    """An event loop that its thread runs in pieces, and that others see running while it does.

    What it uses of `BaseEventLoop` besides its public names is the same in all versions of Python that there are tests
    for: `_run_once`, what waits to be run, what `run_forever` sets while it runs, and whether it is closed, or debugs.
    """

    if TYPE_CHECKING:
        _ready: deque[asyncio.Handle]
        _scheduled: list[asyncio.TimerHandle]
        _thread_id: int | None
        _debug: bool
        _closed: bool
        _run_once: Callable[[], None]
        _process_events: Callable[[Any], None]
        _write_to_self: Callable[[], None]
        _asyncgen_firstiter_hook: Callable[[Any], None]
        _asyncgen_finalizer_hook: Callable[[Any], None]

    def __init__(self, listener: Listener) -> None:
        self._sleeper = Selector()
        super().__init__(self._sleeper)
        self._blocking, self._listener = Blocking(listener), listener
        self._answers: dict[AnswerFuture, object] = {}  # that are awaited, and by which call or request
        self._sleeper.begin()
        self._jobs = 0  # of executors, that have not come to their end
        self._is_news = False  # something has come for which whoever sleeps here is to look up
        self._hooks: Any = None

    # ── in pieces ──

    def enter(self) -> None:
        """From now on, until `leave`, this thread runs it: what is called may start tasks."""
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._asyncgen_firstiter_hook, finalizer=self._asyncgen_finalizer_hook)
        self._thread_id = get_ident()
        asyncio._set_running_loop(self)

    def leave(self) -> None:
        """It does not any more."""
        asyncio._set_running_loop(None)
        self._thread_id = None
        sys.set_asyncgen_hooks(*self._hooks)

    def run(self, permit: LoopPermit, timeout_s: float) -> None:
        """Run until the permit is given, there is news, or `timeout_s` have passed."""
        selector = self._sleeper
        selector.sleep_by(permit, inf if timeout_s < 0 else monotonic() + timeout_s)
        self.enter()
        try:
            while True:
                self._turn()
                if permit.given or self._is_news or monotonic() >= selector.until_s:
                    return
        finally:
            self._is_news = False
            selector.sleep_by(None)
            self.leave()

    def run_until(self, is_over: Callable[[], bool]) -> None:
        """Run until it is over, which it tells, whatever anybody wants of this thread."""
        permit = LoopPermit(self)
        while not is_over():
            self.run(permit, -1)

    def poll(self) -> None:
        """Run what can go on now, without sleep."""
        self.enter()
        try:
            self._turn()
        finally:
            self.leave()

    def _turn(self) -> None:
        """Run what can go on, after a sleep if that is nothing; see whether some of it holds up the rest."""
        blocking, ready = self._blocking, self._ready
        if not (blocking.looks_closely() and ready):
            self._run_once()
            blocking.turn_took(monotonic() - self._sleeper.woke_s)
            return
        later = [ready.pop() for _ in range(len(ready) - 1)]
        context = ready[0]._context  # type: ignore[attr-defined]
        self._run_once()
        blocking.step_took(monotonic() - self._sleeper.woke_s, context)
        ready.extendleft(later)

    def begun_since(self, began_s: float) -> None:
        """Calls have begun since then, one after the other, and have taken their first steps."""
        self._blocking.turn_took(monotonic() - began_s)

    def tell(self, _: object = None) -> None:
        """Its own thread: something has come for which whoever sleeps here is to look up."""
        self._is_news = True

    def wake(self) -> None:
        """Any thread: end the sleep of its selector."""
        self._write_to_self()

    def end(self) -> None:
        """Close what is left, and itself: no task of it is left."""
        for close in (self.shutdown_asyncgens(), self.shutdown_default_executor()):
            task = self.create_task(close)
            task.add_done_callback(self.tell)
            self.run_until(task.done)
        self.close()

    # ── for who hands out turns ──

    def can_go_on(self) -> bool:
        """Whether something can be run now."""
        return bool(self._ready)

    def due_s(self) -> float | None:
        """When time brings something; None: its own selector sees to that."""
        return None

    def go_on(self) -> None:
        """Run what can go on now."""
        self.poll()

    # ── what runs in it ──

    def call_soon(
        self, callback: Callable[[Unpack[Args]], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        """As in every loop, in half of the time: each call that begins, or goes on, takes this way."""
        if self._debug or self._closed:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def start(self, work: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None]:
        """Start a task, between `enter` and `leave`; where that can be, its first step is taken at once."""
        if sys.version_info >= (3, 12):
            return asyncio.Task(work, loop=self, context=context, eager_start=True)
        return asyncio.Task(work, loop=self, context=context)

    async def within(self, made: Awaitable[Any], seconds: float) -> Any:
        """What `made` comes to. Raises `TimeoutError` once it has ended after so long."""
        async with asyncio.timeout(seconds):
            return await made

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Args]], T], *args: *Args
    ) -> asyncio.Future[T]:
        """What another thread is asked for."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_ended)
        return future

    def _job_ended(self, _: object) -> None:
        self._jobs -= 1

    def stands_still(self, calls: int) -> bool:
        """Whether all of so many calls wait for answers that stand still, and nothing else goes on. Any thread."""
        held = {id(asker) for reply, asker in self._answers.copy().items() if reply.is_held()}
        return len(held) >= max(calls, 1) and self._rests_on_answers() and self._is_asleep()

    def _is_asleep(self) -> bool:
        return self._sleeper.is_asleep

    def _rests_on_answers(self) -> bool:
        """Whether neither a callback, nor time, nor a descriptor, nor an executor brings anything."""
        timers = any(not timer.cancelled() for timer in self._scheduled.copy())
        return not self._ready and not timers and not self._jobs and not self._sleeper.has_any()

    def waits_for_held(self, asker: object) -> bool:
        """Whether `asker` waits for an answer that stands still, and nothing else goes on. Any thread."""
        held = any(reply.is_held() for reply, by in self._answers.copy().items() if by is asker)
        return held and self._rests_on_answers() and self._is_asleep()

    def answer_of(self, reply: AnswerFuture, asker: object) -> asyncio.Future[Any]:
        """What `reply` comes to, which another thread brings, for `asker`. To cancel it cancels that."""
        answer = self.create_future()
        self._answers[reply] = asker
        self._sleeper.tell_of_rest(self._listener)

        def forget(_: object) -> None:
            del self._answers[reply]
            if not self._answers:
                self._sleeper.tell_of_rest(None)

        def bring() -> None:
            if answer.done():  # cancelled meanwhile
                return
            try:
                answer.set_result(reply.result())
            except (Cancelled, CancelledError):
                answer.cancel()
            except BaseException as error:  # noqa: BLE001  the service's, which is the caller's to hear
                answer.set_exception(error)

        def tell(_: object) -> None:
            with suppress(RuntimeError):  # it is closed: nobody waits any more
                self.call_soon_threadsafe(bring)

        def give_up(_: object) -> None:
            if answer.cancelled():
                reply.cancel()

        answer.add_done_callback(forget)
        reply.add_done_callback(tell)
        answer.add_done_callback(give_up)
        return answer

    def tasks(self) -> list[asyncio.Task[Any]]:
        """All that have not come to their end."""
        return list(asyncio.all_tasks(self))


async def pause(seconds: float) -> None:
    """Let a call wait."""
    await asyncio.sleep(seconds)
