"""Commands: what changes a run is given as a record, and carried out by one thread that no interrupt reaches.

Python interrupts its main thread, between any two bytecodes and in any wait, and no other thread. So whoever gives a
command touches nothing of a run: it appends a record, in one C call that wakes the thread as well, and waits on a raw
lock of the record's own. That call cannot be cut; whatever an interrupt cuts before or behind it, no lock is left held
and no number wrong. What nobody waits for any more is withdrawn, if it has not begun.

The thread takes records in order and carries each out. It never sits out a wait and never runs user code. A record
that has to wait is a generator (`waiting.py`): it is put aside, and looked at again when something has changed, when
another record was carried out, or when its time is over; so a cancel that is given later is carried out meanwhile.
Whoever carries out has the helm, a lock that the thread gives out of its hand only while it sleeps; so nothing that
only commands change needs another.

While it sleeps, a task that has come to its closed gate takes the helm for a moment and goes on with the one command
that waits for that: a step by hand. So a step goes from its caller to the thread, to the task, and from there straight
back. No interrupt reaches a task's thread either, so that it may have a lock. Where turns are handed out, or processes
are looked at, tasks do not help.

The thread is there while there is something to do, or a run that lasts. It claims a raw lock, and ends at once if
another one has it: so whoever appends a record starts a thread if that lock is free, and no interrupt loses or doubles
it.
"""

from __future__ import annotations

import _thread
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from types import GeneratorType
from typing import Any, Final, TypeVar, overload

from runtime.errors import CommandRefused
from runtime.python.interactive import acquire, acquire_interruptibly
from runtime.scheduling.command import Answer, Command
from runtime.scheduling.quiescence import Changes
from runtime.scheduling.waiting import NEVER, Until, Waiting

T = TypeVar("T")

_LONGEST_S: Final = 3600.0  # of one wait of the thread; longer ones may be too long for the clock of the system


class _Warning:
    """Warns when it is let go of: where warnings are errors, nobody could catch it, and Python says so by itself."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __del__(self) -> None:
        warnings.warn(self._text, ResourceWarning, stacklevel=2)


class Commands:
    """The commands of one session, and the thread that carries them out. Any thread may give one."""

    def __init__(self, name: str) -> None:
        self._name = name
        # None: something has changed; a reference: nobody holds any more what it referred to.
        self._given: SimpleQueue[Command | weakref.ref[Any] | None] = SimpleQueue()
        self._owner: weakref.ref[Any] | None = None
        self._posted: deque[Command] = deque()  # by threads of the job
        self._claim = _thread.allocate_lock()  # held by the thread that carries out
        self._ident = 0  # of that thread
        self._helper = 0  # the thread of a task that has the helm
        # Guards all below: held by the thread while it is awake, or by a task that helps. Whoever an interrupt may
        # reach never takes it.
        self._helm = _thread.allocate_lock()
        self._aside: list[Command] = []
        self._moved = False  # one that was put aside has gone on
        self._is_watching = False
        self._changes: Changes | None = None  # in the run there is
        self._holds: Changes | None = None  # these, where turns are handed out
        self._lasts: Callable[[], bool] = bool  # whether there is a run that more can become of
        self._end: Callable[[], Waiting[Any]] | None = None  # ends it

    # ── any thread ──

    @overload
    def do(self, work: Callable[[], Waiting[T]], *, lasting: bool = False) -> T: ...

    @overload
    def do(self, work: Callable[[], T], *, lasting: bool = False) -> T: ...

    def do(self, work: Callable[[], Any], *, lasting: bool = False) -> Any:
        """Have `work` done, and wait for what it returns, or comes to. Raises what it raises.

        An interrupt withdraws it if it has not begun; a wait that it has come to is given up, unless it is `lasting`.
        """
        self.refuse_here()
        command = Command(work, lasting=lasting)
        try:
            self.give(command)
            acquire(command.bell)
        except BaseException:
            self.withdraw(command)
            raise
        return command.answer()

    def ask(self, begin: Callable[[], None], answer: Answer, give_up: Callable[[], None]) -> Any:
        """Have something begun, and wait until whoever ends it rings. Raises what it, or its beginning, raises.

        If the wait is interrupted, `give_up` is done, in the order of commands.
        """

        def told() -> None:
            if command.error is not None:
                answer.close(None, command.error)
                answer.tell()

        command = Command(begin, told)
        try:
            self.give(command)
            acquire(answer.bell)
        except BaseException:
            command.withdrawn = True
            last = Command(give_up)
            self.give(last)
            acquire_interruptibly(last.bell)  # which takes no time
            raise
        command.value, command.error = answer.value, answer.error
        answer.error = None
        return command.answer()

    def withdraw(self, command: Command) -> None:
        """Nobody waits for it any more."""
        command.withdrawn = True
        self.tell()

    def is_here(self) -> bool:
        """Whether the caller is the thread that carries commands out: a finalizer may run there."""
        return _thread.get_ident() in (self._ident, self._helper)

    def refuse_here(self) -> None:
        """Raise `CommandRefused` on the thread that carries commands out, which would wait for itself."""
        if self.is_here():
            raise CommandRefused("a finalizer gave a command on the thread that carries commands out; let it be quick")

    def give(self, command: Command) -> None:
        """Have it carried out, without waiting for that."""
        self._given.put(command)
        self._see_to_the_thread()

    def post(self, work: Callable[[], object], failed: Callable[[BaseException], object]) -> None:
        """Thread of the job: have `work` done, without waiting; `failed` hears what it raises.

        Who sees what this thread does afterwards sees that as well: a breakpoint that was hit, say, before the task
        that stands still because of it.
        """

        def told() -> None:
            if command.error is not None:
                failed(command.error)
                command.error = None

        command: Command = Command(work, told)
        self._posted.append(command)
        self.tell()
        self._see_to_the_thread()

    def end_without(self, owner: object) -> None:
        """End the job of a run if nobody holds `owner` any more: it is put down in one C call."""
        self._owner = weakref.ref(owner, self._given.put)

    def tell(self) -> None:
        """Let those who wait be looked at again. If there are any, there is the thread."""
        self._given.put(None)

    def _see_to_the_thread(self) -> None:
        if not self._claim.locked():
            _thread.start_new_thread(self._start, ())

    def _start(self) -> None:
        """On a thread that nothing can interrupt: start one that has a name and can be joined."""
        if self._claim.locked():
            return
        try:
            threading.Thread(target=self._work, name=f"{self._name} commands", daemon=True).start()
        except RuntimeError:  # no more threads: this one will do
            self._work()

    # ── the thread ──

    def serve(self, changes: Changes, lasts: Callable[[], bool], end: Callable[[], Waiting[Any]] | None) -> None:
        """There is a run: hear its changes, and stay while it `lasts`. `end` ends it, if nobody holds it any more."""
        if self._changes is not None and self._is_watching:
            self._changes.end()
            self._is_watching = False
        changes.tell_to(self)
        self._holds = changes if changes.hands_out_turns else None
        self._changes, self._lasts, self._end = changes, lasts, end

    def elsewhere(self, work: Callable[[], T], name: str) -> Waiting[T]:
        """Have something done on a thread of its own that may take long, or runs user code."""
        over: list[bool] = []

        def run() -> None:
            try:
                command.value = work()
            except BaseException as error:  # noqa: BLE001  it is raised where the command was given
                command.error = error
            over.append(True)
            self.tell()

        command = Command(work)
        threading.Thread(target=run, name=f"{self._name} {name}", daemon=True).start()
        yield Until(lambda: bool(over), watched=False)
        value: T = command.answer()
        return value

    def changed(self) -> None:
        """Thread of the job: something has changed."""
        self._given.put(None)

    def _work(self) -> None:
        while self._claim.acquire(False):
            self._ident = _thread.get_ident()
            try:
                with self._helm:
                    self._carry_out()
            finally:
                self._ident = 0
                self._claim.release()
            if self._given.empty():  # else it came while this one was about to go
                return

    def _carry_out(self) -> None:
        """Until there is nothing to do, and no run."""
        while True:
            if not (lasts := self._lasts()):
                self._lasts, self._end = bool, None  # and hold the run no more
            stays = lasts or bool(self._aside)
            try:
                given = self._next(stays)
            except Empty:
                if not stays:
                    return
                given = None
            self._carry_out_posted()
            if isinstance(given, Command):
                self._begin(given)
            elif given is not None:
                self._let_go()
            if given is None or self._aside != [given]:  # else it has just been looked at
                self._look()
            given = None  # it holds a payload, maybe

    def _next(self, stays: bool) -> Command | weakref.ref[Any] | None:
        """What was put down next; while the thread waits for it, the helm is free. Raises `Empty`."""
        patience_s = self._patience_s() if stays else None
        self._helm.release()
        try:
            return self._given.get(stays, patience_s)
        finally:
            self._helm.acquire()

    def help(self) -> bool:
        """Thread of a task that has come to its closed gate: go on with the one command that waits for that.

        So a step by hand goes from its task straight to its caller. False: the thread of commands has to look, since it
        is awake, or since there is more than this one to be looked at.
        """
        if not self._helm.acquire(False):
            return False
        self._helper = _thread.get_ident()
        try:
            if len(self._aside) != 1:
                return False
            command = self._aside[0]
            until = command.until
            if until is None or not until.by_tasks:
                return False
            if not self._is_over(command):
                # Others may have been posted; and if it waits less long now, the thread sleeps for too long.
                return len(self._aside) == 1 and command.until is not None and command.until.deadline >= until.deadline
            self._aside.remove(command)
            if self._aside:
                return False
            self._watch_no_more()
            return self._lasts()
        finally:
            self._helper = 0
            self._helm.release()

    def _let_go(self) -> None:
        """Nobody holds the session any more: end its job, and say that somebody should have."""
        if (end := self._end) is None or not self._lasts():
            return
        self._begin(Command(end, bool, lasting=True))
        _Warning(
            f"session {self._name!r} was let go of while its job was running, which is cancelled; close() it first"
        )

    def _carry_out_posted(self) -> None:
        while self._posted:
            self._begin(self._posted.popleft())

    def _patience_s(self) -> float | None:
        """How long nothing is due."""
        if not self._aside:
            return None
        deadline = min([command.until.deadline for command in self._aside if command.until is not None])
        return None if deadline == NEVER else min(max(0.0, deadline - monotonic()), _LONGEST_S)

    def _begin(self, command: Command) -> None:
        if command.withdrawn or command.work is None:
            command.forget()
            return
        try:
            made = command.work() if self._holds is None else self._in_one_act(command.work)
        except BaseException as error:  # noqa: BLE001  it is raised where the command was given
            command.error = error
            self._finish(command)
            return
        if type(made) is GeneratorType:
            command.steps = made
            if not self._go_on(command, None):
                self._aside.append(command)
        else:
            command.value = made
            self._finish(command)

    def _go_on(self, command: Command, ready: bool | BaseException | None) -> bool:
        """Let a command run until it has to wait, by what its wait has come to, or raised. True: it is over."""
        steps = command.steps
        assert steps is not None, "it has waited before"
        self._moved = True
        try:
            until = (
                self._until_it_waits(steps, ready)
                if self._holds is None
                else self._in_one_act(lambda: self._until_it_waits(steps, ready))
            )
        except StopIteration as end:
            command.value = end.value
        except BaseException as error:  # noqa: BLE001  it is raised where the command was given
            command.error = error
        else:
            command.until = until
            return False
        self._finish(command)
        return True

    def _until_it_waits(self, steps: Waiting[Any], ready: bool | BaseException | None) -> Until:
        if ready is None:
            until = next(steps)
        else:
            until = steps.throw(ready) if isinstance(ready, BaseException) else steps.send(ready)
        while (ready := self._is_ready(until)) is not None:
            until = steps.send(ready)
        return until

    def _in_one_act(self, change: Callable[[], T]) -> T:
        """Let no turn be handed out while something is changed."""
        holds = self._holds
        assert holds is not None, "turns are handed out"
        holds.hold()
        try:
            return change()
        finally:
            holds.release()

    def _is_ready(self, until: Until) -> bool | None:
        """What a wait has come to; None: nothing yet. What it waits for is watched from now on."""
        while True:
            if until.ready():
                if not self._posted:
                    return True
                self._carry_out_posted()  # it was there before what `ready` has seen
                continue
            if not until.watched or self._is_watching or self._changes is None:
                return False if until.deadline <= monotonic() else None
            self._is_watching = True
            self._changes.begin()

    def _look(self) -> None:
        """Go on with those that are put aside and need to wait no longer; what one does may be what another awaits."""
        if self._changes is not None:
            self._changes.heard()
        self._moved = True
        while self._moved and self._aside:
            self._moved = False
            for command in tuple(self._aside):
                if self._is_over(command):
                    self._aside.remove(command)
        if not any(command.until and command.until.watched for command in self._aside):
            self._watch_no_more()

    def _watch_no_more(self) -> None:
        if self._is_watching:
            self._is_watching = False
            assert self._changes is not None, "something was watched"
            self._changes.end()

    def _is_over(self, command: Command) -> bool:
        """Whether a command that was put aside is over by now."""
        until, steps = command.until, command.steps
        assert until is not None, "it was put aside"
        assert steps is not None, "likewise"
        if command.withdrawn and not command.lasting:
            with suppress(BaseException):  # nobody is there to hear it
                steps.close()
            self._finish(command)
            return True
        try:
            ready = self._is_ready(until)
        except BaseException as error:  # noqa: BLE001  it is raised where the command was given
            return self._go_on(command, error)
        return ready is not None and self._go_on(command, ready)

    def _finish(self, command: Command) -> None:
        tell = command.tell
        command.forget()
        try:  # noqa: SIM105  suppress() takes as long as ten of these
            tell()
        except RuntimeError:  # the event loop of whoever waited is closed
            pass
