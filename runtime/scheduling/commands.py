"""Commands: what changes a run is given as a record, and carried out by one thread that no interrupt reaches.

Python interrupts its main thread, between any two bytecodes and in any wait, and no other thread. So whoever gives a
command touches nothing of a run: it appends a record, in one C call that wakes the thread as well, and waits on a raw
lock of the record's own. That call cannot be cut; whatever an interrupt cuts before or behind it, no lock is left held
and no number wrong. What nobody waits for any more is withdrawn, if it has not begun.

The thread takes records in order and carries each out. It never sits out a wait and never runs user code. A record
that has to wait is a generator (`waiting.py`): it is put aside, and looked at again when something has changed, when
another record was carried out, or when its time is over; so a cancel that is given later is carried out meanwhile.
Whoever carries out has the helm (`helm.py`), which the thread lets go of only while it sleeps; so nothing that only
commands change needs another lock.

The thread is there while there is something to do, or a run that lasts. It claims a raw lock, and ends at once if
another one has it: so whoever appends a record starts a thread if that lock is free, and no interrupt loses or doubles
it.
"""

from __future__ import annotations

import _thread
import threading
import warnings
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar, overload

from runtime.errors import CommandRefused
from runtime.python.interactive import acquire, acquire_interruptibly
from runtime.scheduling.command import Answer, Command
from runtime.scheduling.helm import Helm
from runtime.scheduling.parker import Parker, unpark
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.scheduling.waiting import Until, Waiting

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
        self._helm = Helm(self._given)
        self._claim = _thread.allocate_lock()  # held by the thread that carries out
        self._lasts: Callable[[], bool] = bool  # whether there is a run that more can become of
        self._end: Callable[[], Waiting[Any]] | None = None  # ends it

    # ── any thread ──

    @overload
    def do(self, work: Callable[[], Waiting[T]], *, lasting: bool = False, at: Parker | None = None) -> T: ...

    @overload
    def do(self, work: Callable[[], T], *, lasting: bool = False, at: Parker | None = None) -> T: ...

    def do(self, work: Callable[[], Any], *, lasting: bool = False, at: Parker | None = None) -> Any:
        """Have `work` done, and wait for what it returns, or comes to. Raises what it raises.

        If a thread of the job stands at its closed gate, waiting by `at`, that one does it, if it can.
        An interrupt withdraws it if it has not begun; a wait that it has come to is given up, unless it is `lasting`.
        """
        self.refuse_here()
        command = Command(work, lasting=lasting)
        try:
            if at is None:
                self.give(command)
            else:
                self._leave(command, at)
            acquire(command.bell)
        except BaseException:
            self.withdraw(command)
            raise
        return command.result()

    def _leave(self, command: Command, at: Parker) -> None:
        """Put it down for a thread that stands at its gate; one that leaves it just now tells of what is left."""
        self._helm.posted.append(command)
        if at.helps:
            unpark(at.permit)
        else:
            self.tell()
        self._see_to_the_thread()

    def ask(self, begin: Callable[[], None], answer: Answer, give_up: Callable[[], None]) -> Any:
        """Have something begun, and wait until whoever ends it rings. Raises what it, or its beginning, raises.

        If the wait is interrupted, `give_up` is done, in the order of commands.
        """

        def told(command: Command) -> None:
            try:
                command.result()
            except BaseException as error:  # noqa: BLE001  it is raised where the command was given
                answer.close(None, error)
                answer.tell()

        command = Command(begin, told)
        try:
            self.give(command)
            acquire(answer.bell)
        except BaseException:
            command.withdraw()
            last = Command(give_up)
            self.give(last)
            acquire_interruptibly(last.bell)  # which takes no time
            raise
        return answer.result()

    def withdraw(self, command: Command) -> None:
        """Nobody waits for it any more."""
        command.withdraw()
        self.tell()

    def is_here(self) -> bool:
        """Whether the caller is the thread that carries commands out: a finalizer may run there."""
        return self._helm.is_here()

    def refuse_here(self) -> None:
        """Raise `CommandRefused` on the thread that carries commands out, which would wait for itself."""
        if self.is_here():
            raise CommandRefused("a finalizer gave a command on the thread that carries commands out; let it be quick")

    def give(self, command: Command) -> None:
        """Have it carried out, without waiting for that."""
        self._given.put(command)
        self._see_to_the_thread()

    def post(self, work: Callable[[], object], failed: Callable[[BaseException], object]) -> None:
        """Any thread: have `work` done, without waiting; `failed` hears what it raises.

        Who sees what this thread does afterwards sees that as well: a breakpoint that was hit, say, before the task
        that stands still because of it.
        """

        def told(command: Command) -> None:
            try:
                command.result()
            except BaseException as error:  # noqa: BLE001  nobody waits for it
                failed(error)

        self._helm.posted.append(Command(work, told))
        self.tell()
        self._see_to_the_thread()

    def end_without(self, owner: object) -> None:
        """End the job of a run if nobody holds `owner` any more: it is put down in one C call."""
        self._owner = weakref.ref(owner, self._given.put)

    def tell(self) -> None:
        """Something has changed: let those who wait be looked at again. If there are any, there is the thread."""
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

    def serve(
        self, changes: QuiescenceMonitor, lasts: Callable[[], bool], end: Callable[[], Waiting[Any]] | None
    ) -> None:
        """There is a run: hear its changes, and stay while it `lasts`. `end` ends it, if nobody holds it any more."""
        self._helm.serve(changes)
        self._lasts, self._end = lasts, end

    def elsewhere(self, work: Callable[[], T], name: str) -> Waiting[T]:
        """Have something done on a thread of its own that may take long, or runs user code."""
        over: list[bool] = []
        answer = Answer()

        def run() -> None:
            try:
                answer.close(work(), None)
            except BaseException as error:  # noqa: BLE001  it is raised where the command was given
                answer.close(None, error)
            over.append(True)
            self.tell()

        threading.Thread(target=run, name=f"{self._name} {name}", daemon=True).start()
        yield Until(lambda: bool(over), watched=False)
        value: T = answer.result()
        return value

    def _work(self) -> None:
        while self._claim.acquire(False):
            self._helm.take()
            try:
                self._carry_out()
            finally:
                self._helm.let_go()
                self._claim.release()
            if self._given.empty():  # else it came while this one was about to go
                return

    def _carry_out(self) -> None:
        """Until there is nothing to do, and no run."""
        while True:
            if not (lasts := self._lasts()):
                self._lasts, self._end = bool, None  # and hold the run no more
            stays = lasts or not self._helm.is_idle
            try:
                given = self._next(stays)
            except Empty:
                if not stays:
                    return
                given = None
            if given is None or isinstance(given, Command):
                self._helm.look(given)
            else:
                self._let_go()
            given = None  # it holds a payload, maybe

    def _next(self, stays: bool) -> Command | weakref.ref[Any] | None:
        """What was put down next; while the thread waits for it, the helm is free. Raises `Empty`."""
        patience_s = self._helm.sleep_s(_LONGEST_S) if stays else None
        self._helm.let_go()
        try:
            return self._given.get(stays, patience_s)
        finally:
            self._helm.take()

    def _let_go(self) -> None:
        """Nobody holds the session any more: end its job, and say that somebody should have."""
        if (end := self._end) is None or not self._lasts():
            self._helm.look()
            return
        self._helm.look(Command(end, lasting=True))
        _Warning(
            f"session {self._name!r} was let go of while its job was running, which is cancelled; close() it first"
        )
