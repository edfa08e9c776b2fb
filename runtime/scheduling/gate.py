"""The gate: what holds workers between two packets, or two requests. Pause is this, and nothing else is.

A gate is open, or closed; closed, it lets one worker through, once, for each turn that the hand grants. A task's gate
has one worker, a service's as many as it has threads. `attentive` is the flag that a worker reads between two batches,
without the lock: whether the gate wants to see it. A batch is cut short by `yield_requested`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import sleep
from typing import Any, TypeVar

from runtime.errors import NotPaused
from runtime.facts import TaskState
from runtime.scheduling.parker import BETWEEN, MID_PACKET, Parker, Ready, always

T = TypeVar("T")


class Turn:
    """One way through a closed gate, for one packet, one signal or one request. `record` is what came of it."""

    __slots__ = ("over", "record", "taker")

    def __init__(self) -> None:
        self.taker: Parker | None = None  # who has passed the gate by it
        self.over = False
        self.record: Any = None

    def begin(self, taker: Parker) -> None:
        """This one passes the gate by it."""
        self.taker = taker

    def end(self, record: Any = None) -> None:
        """It has come to this; None: to nothing."""
        self.record, self.over = record, True


class Gate:
    """Holds workers. Whoever takes away, while it is closed, what they work from does it under its lock."""

    __slots__ = ("_errands", "_finish", "_lock", "_waiting", "attentive", "closed", "edits", "parkers", "turn")

    def __init__(self, lock: threading.RLock | None = None) -> None:
        self.parkers: Sequence[Parker] = ()
        # Guards what the hand wants, `closed`, `turn`, errands and `attentive`, and who waits here.
        self._lock: threading.Lock | threading.RLock = threading.Lock() if lock is None else lock
        self._waiting: list[Parker] = []
        self._errands: list[Callable[[], None]] = []  # what a worker is to do here itself, before anything else
        self._finish: Callable[[Ready, Ready], bool] | None = None  # what has begun, before anybody stands still
        self.attentive = self.closed = False
        self.turn: Turn | None = None  # granted, and not taken
        self.edits = 0  # how often an edit by hand has begun or ended: an odd number, while one is made

    def hold(self, parkers: Sequence[Parker]) -> None:
        """Be the gate of these, before they begin; it may be closed by then."""
        with self._lock:
            self.parkers = parkers
            if self.closed:
                for parker in parkers:
                    parker.gate_closes()

    # ── a worker's own thread ──

    def admit(self, parker: Parker) -> int:
        """Return when one packet may be worked: the gate is open, or has a turn. Raises Cancelled."""
        while True:
            self.stand(parker)
            if self.turn is None and self._stops():
                continue
            with self._lock:
                if self.closed and self.turn is None:  # closed again, or the turn taken, since it was looked at
                    continue
                turn = parker.turn = self.turn
                if turn is not None:
                    turn.begin(parker)
                    self.turn = None
                self._let_in(turn)
                return 1

    def stand(self, parker: Parker) -> None:
        """Wait while it is closed and has no turn, and run errands meanwhile. Raises Cancelled."""
        self._stand(parker)
        while self._errands:
            with self._lock:
                errands = [self._errands.pop(0)] if self._errands else []  # another worker may have been quicker
                self._attend()
            for errand in errands:
                errand()
            self._stand(parker)

    def _stand(self, parker: Parker) -> None:
        """Whoever was called does not wait any more: he looks again."""
        waiting = self._waiting
        while self._is_shut():
            with self._lock:
                if not self._is_shut():
                    return
                if parker not in waiting:  # it may have gone on before it was called
                    waiting.append(parker)
            self._wait_here(parker, lambda: parker not in waiting or not self.closed or self.turn is not None)
        if self._finish is not None and self._has_turn():
            self._finish(always, self._has_turn)

    def finish_first(self, finish: Callable[[Ready, Ready], bool]) -> None:
        """Before its worker stands here, let `finish` bring to its end what has begun; False: nothing has.

        It returns early if the worker is called away from here meanwhile, which may be by a turn. Before one is taken,
        it is asked again: what has stayed here may have to go on first.
        """
        self._finish = finish

    def _wait_here(self, parker: Parker, is_called: Ready) -> None:
        """Wait until it is called, or for some of that. Raises Cancelled."""
        if self._finish is None or not self._finish(is_called, self._has_turn):
            parker.park_at_gate(is_called)

    def _has_turn(self) -> bool:
        return self.closed and self.turn is not None and not self._errands

    def _is_shut(self) -> bool:
        return self.closed and self.turn is None and not self._errands

    def _stops(self) -> bool:
        """Ask, before a packet that nobody has given a turn, whether to stand still. True: it is closed by then."""
        return False

    def _let_in(self, turn: Turn | None) -> None:
        """Hear, under the lock, that a packet is let in, and by which turn."""

    def passed(self, parker: Parker, record: Any) -> None:
        """What it was let in for is over, and has come to this; tell whoever waits for the turn."""
        turn, parker.turn = parker.turn, None
        if turn is not None:
            turn.end(record)
        if not self.closed:  # else it tells when it has come there
            parker.tell()

    def ended(self, parker: Parker) -> None:
        """It has said that it has ended. The turn by which it did is that of the next one, and over with the last."""
        with self._lock:
            mine, parker.turn = parker.turn, None
            if self.turn is None:
                self.turn = mine
            elif mine is not None:
                mine.end()
            if self.turn is not None and all(map(_has_ended, self.parkers)):
                self.turn.end()
                self.turn = None
            elif self.turn is not None:
                self._call(1)
        parker.tell()

    # ── the hand, on any thread ──

    def close(self) -> None:
        """Pause: closed after the packet in work. `reached` says when. Idempotent."""
        with self._lock:
            self.closed = True
            self._attend()
            for parker in self.parkers:
                parker.gate_closes()

    def open(self) -> None:
        """Resume; a turn that nobody has taken is given no longer. Idempotent."""
        with self._lock:
            self.closed = False
            if self.turn is not None:
                self.turn.end()
                self.turn = None
            self._attend()
            for parker in self.parkers:
                parker.gate_opens()
            self._call(len(self._waiting))

    def grant(self, is_of_use: Callable[[], bool]) -> Turn | None:
        """Give a turn to the next worker that comes to the closed gate, for its next packet or stop signal.

        None: the gate is open, or the turn would be of no use. Whoever takes packets out of the queue of a closed gate
        does it under the same lock, so that no turn is left for a packet that nobody has stepped.
        """
        with self._lock:
            if not self.closed or not is_of_use():
                return None
            if self.turn is None:
                self.turn = Turn()
                if all(
                    map(_has_ended, self.parkers)
                ):  # read after the turn; the last worker says it, and looks for a turn then
                    self.turn = None
                    return None
            self._call(1)
            for parker in self.parkers:
                parker.hurry()
            return self.turn

    def send_on(self, errand: Callable[[], None]) -> None:
        """Let a worker do something itself, at its gate, on the thread that works it; it raises nothing.

        Whoever asks for it wakes a worker that waits elsewhere.
        """
        with self._lock:
            self._errands.append(errand)
            self._attend()
            self._call(1)
            for parker in self.parkers:
                parker.interrupt()
                parker.hurry()

    def has_errand(self) -> bool:
        """Whether there is one that no worker has begun."""
        return bool(self._errands)

    def _call(self, count: int) -> None:
        """Under the lock: let so many of those who wait here look again."""
        called = self._waiting[:count]
        del self._waiting[:count]
        for parker in called:
            parker.unpark()

    def _attend(self) -> None:
        self.attentive = self.closed or bool(self._errands)

    # ── looking, on any thread ──

    def reached(self) -> bool:
        """Whether no user code is at work, nor will be: what workers do next, the closed gate holds up."""
        for parker in self.parkers:
            doing = parker.doing
            if doing == "ended":
                continue
            if parker.cancelled or (doing not in BETWEEN and (doing not in MID_PACKET or parker.has_come())):
                return False
            if doing in BETWEEN and self.turn is not None:
                return False
        return True

    def at_its_place(self) -> bool:
        """Whether, besides, they wait for what has not come yet: none will move before something else does."""
        for parker in self.parkers:  # a loop, as in `reached`: both are asked all the time while somebody steps
            if parker.is_at_work():
                return False
        return self.turn is None

    def look(self, read: Callable[[], T]) -> T:
        """What `read` returns while the hand changes nothing; takes no lock, so that an interrupt may come."""
        while True:
            before = self.edits
            found = read()
            if before == self.edits and not before % 2:
                return found
            sleep(0)  # let go of the GIL: who edits has it as soon as he may

    @contextmanager
    def at_rest(self, name: str) -> Iterator[None]:
        """Keep the worker at its closed gate, with nothing in work, while the block runs. Raises `NotPaused`.

        That error is `on_its_way` if a packet has just come, or is in user code: it may be otherwise in a moment.
        """
        with self._lock:
            if not self.closed:
                raise NotPaused(f"{name!r} is not paused; pause({name!r}) first")
            at_work = [doing for parker in self.parkers if (doing := _at_work(parker)) is not None]
            if self.turn is None and not at_work:
                self.edits += 1
                try:
                    yield
                finally:
                    self.edits += 1
                return
            doing = at_work[0] if at_work else "running"  # or is about to, by a turn
            raise NotPaused(
                f"{name!r} is paused, but still at work on a packet ({doing}); let it finish first",
                on_its_way=doing not in MID_PACKET,
            )


def _has_ended(parker: Parker) -> bool:
    return parker.doing == "ended"


def _at_work(parker: Parker) -> TaskState | None:
    """What it does, if it neither stands between two packets nor has ended."""
    doing = parker.doing
    is_between = doing in BETWEEN or doing == "ended" or (doing == "running" and parker.lacks_turn())
    return None if is_between else doing
