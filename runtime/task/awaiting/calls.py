"""Calls: those of one task that are open, and whose turn it is to be sent. Knows no loop, no lane and no policy.

Open is what is under way, and what is over and waits for its turn; `most` bounds both together. In order, the oldest is
sent first; else, whichever has something first. Of equal keys one is under way at a time. A call that is held is open,
and neither under way nor over: in order, those after it wait for their turn.

A call that streams has something to send while it is under way. With `BUFFERED` results that are not sent it is
*suspended*: under way, and at its `yield` until there is room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from runtime.errors import NO_PACKET
from runtime.task.awaiting.call import Call, Failure
from runtime.task.counts import TaskCounts

BUFFERED: Final = 16
"""How many results of a call that streams may be made and not sent."""


class Calls:
    """The open calls, in the order in which they began. By the task's thread; any may ask for the length."""

    __slots__ = (
        "_counts",
        "_keys",
        "_listed",
        "_open",
        "held",
        "may_hold",
        "most",
        "streaming",
        "under_way",
    )

    def __init__(self, most: int, counts: TaskCounts, *, is_ordered: bool, may_hold: bool) -> None:
        self.most = most
        self.may_hold = may_hold  # so the key of one that has failed is not free before that is decided
        self.held = 0
        self._counts = counts  # which are told how many are open
        self._open: deque[Call] = deque()
        # Those that have something to send, the first of them first; None: in order, so that the oldest goes first.
        self._listed: deque[Call] | None = None if is_ordered else deque()
        self._keys: set[object] = set()  # of those under way
        self.under_way = 0
        self.streaming: dict[Call, None] = {}  # those under way of which results go on as they are made

    def __len__(self) -> int:
        return len(self._open)

    def how_many_go_on(self) -> int:
        """How many are under way, and not suspended. Any thread."""
        return self.under_way - self.suspended()

    def all(self) -> tuple[Call, ...]:
        """All that are open. Any thread."""
        return tuple(self._open)

    def room(self) -> int:
        """How many more may begin."""
        return self.most - len(self._open) if not self.may_hold else self.most - self._whole()

    def count(self) -> None:
        """Let those who look know how many are open."""
        self._counts.have_open(len(self._open) if not self.may_hold else self._whole())

    def _whole(self) -> int:
        """How many are open; what is left of one that was taken apart is one."""
        return len({id(call if call.of is None else call.of) for call in self.all()})

    def has_key(self, key: object) -> bool:
        """Whether a call of this key is under way."""
        return key in self._keys

    def begin(self, call: Call) -> None:
        """One more is under way."""
        self._open.append(call)
        self.under_way += 1
        if call.key is not NO_PACKET:
            self._keys.add(call.key)
        elif call.keys:
            self._keys.update(call.keys)

    def end(self, call: Call) -> None:
        """It is over."""
        self.under_way -= 1
        if not (self.may_hold and call.has_failed()):
            self._let_go_of_keys(call)
        self.streaming.pop(call, None)
        self._list(call)
        call.end()  # who sees that sees whether it is due

    def is_due(self) -> bool:
        """Whether something of some call is to be sent next. Any thread."""
        return bool(self._open and self._open[0].has_some()) if self._listed is None else bool(self._listed)

    def due(self) -> Call | None:
        """The call of which something is to be sent next."""
        if self._listed is None:
            return self._open[0] if self._open and self._open[0].has_some() else None
        return self._listed[0] if self._listed else None

    def take(self, call: Call) -> None:
        """The call that is due, and over, is not open any more."""
        if self._listed is None:
            self._open.popleft()
        else:
            self._listed.popleft()
            self._open.remove(call)

    def moves(self) -> bool:
        """Whether some call goes on, or is to be sent."""
        return self.how_many_go_on() > 0 or self.is_due()

    def _list(self, call: Call) -> None:
        """It has something to send."""
        if self._listed is not None and not call.is_listed:
            call.be_listed(True)
            self._listed.append(call)

    def _unlist(self, call: Call) -> None:
        """It has nothing to send now."""
        if self._listed is not None:
            self._listed.remove(call)
            call.be_listed(False)

    # ── those that stream ──

    def stream(self, call: Call) -> None:
        """Results of a call that is under way go on as they are made."""
        call.stream()
        self.streaming[call] = None

    def have_made(self, call: Call) -> bool:
        """A call that streams has made one more. Whether something is due by now."""
        self._list(call)
        return self.is_due()

    def suspended(self) -> int:
        """How many are. Any thread."""
        return sum([call.room is not None for call in tuple(self.streaming)]) if self.streaming else 0

    def let_go_on(self) -> None:
        """Let all go on that are suspended and have room."""
        for call in self.streaming:
            if len(call.results) < BUFFERED:
                call.go_on()

    def sent_part(self, call: Call, count: int) -> None:
        """The first results, so many, of the call that was due were sent, and it was under way."""
        del call.results[:count]
        self._unlist(call)
        if call.has_some():
            self._list(call)

    # ── those that are held ──

    def free_key(self, call: Call) -> None:
        """What becomes of a call that has failed was decided: the next one of its key may begin."""
        if self.may_hold:  # else it was free when the call was over, and another one may have it
            self._let_go_of_keys(call)

    def _let_go_of_keys(self, call: Call) -> None:
        if call.key is not NO_PACKET:
            self._keys.discard(call.key)
        elif call.keys:
            self._keys.difference_update(call.keys)

    def put_first(self, parts: Sequence[Call]) -> None:
        """Of the call that was taken last these are left, and are over: the next ones to be sent."""
        self._open.extendleft(reversed(parts))
        if self._listed is not None:
            self._listed.extendleft(reversed(parts))
            for part in parts:
                part.be_listed(True)

    def take_apart(self, call: Call, parts: Sequence[Call]) -> None:
        """Let these, which are over, stand in the place of one that waits for its turn."""
        for waiting in (self._open, self._listed):
            if waiting is not None and call in waiting:
                at = waiting.index(call)
                waiting.remove(call)
                for part in reversed(parts):
                    waiting.insert(at, part)
                    part.be_listed(self._listed is not None)

    def hold(self, call: Call, failure: Failure) -> None:
        """A call that is over and has failed stays open. As long as there is one, no other packet is begun."""
        self._unlist(call)
        call.be_held(failure)
        self.held += 1
        self.free_key(call)

    def failed(self) -> list[Call]:
        """Those that have failed and wait for their turn."""
        return [call for call in self._open if call.is_over and call.error is not None]

    def next_held(self) -> Call | None:
        """The oldest of those that are held and may begin again. Any thread."""
        held = (call for call in self.all() if call.held is not None)
        return next((call for call in held if call.key not in self._keys), None)

    def all_held(self) -> list[Call]:
        """The oldest first. Any thread."""
        return [call for call in self.all() if call.held is not None] if self.held else []

    def begin_again(self, call: Call, version: int) -> bool:
        """A call that was held is under way, by this version of the function. Whether it is the same packet."""
        self.held -= 1
        self.under_way += 1
        if call.key is not NO_PACKET:
            self._keys.add(call.key)
        return call.begin_again(version)

    def discard(self, call: Call) -> None:
        """One that was to begin again is open no more."""
        self.under_way -= 1
        self._keys.discard(call.key)
        self._open.remove(call)

    def remove(self, call: Call) -> tuple[Call, ...]:
        """One that is held is open no more. Which were before it, for `put_back`."""
        before = self.all()
        self._open.remove(call)
        self.held -= 1
        self.count()
        return before[: before.index(call)]

    def put_back(self, call: Call, before: tuple[Call, ...]) -> None:
        """Undo `remove`: it is after the last of those that were before it, as far as they are there."""
        self._open.insert(1 + max((at for at, each in enumerate(self._open) if each in before), default=-1), call)
        self.held += 1
        self.count()

    def clear(self) -> int:
        """Forget all, which are over. For how many packets they were."""
        count = sum(call.size for call in self._open)
        for call in self._open:
            call.end()  # one that was cancelled before its first step has its task still, which has the call
            call.forget_error()
        self._open.clear()
        if self._listed is not None:
            self._listed.clear()
        self.streaming.clear()
        self.held = 0
        self.count()
        return count
