"""What a source draws from, where it is not simply an iterable of its own. Knows nothing of tasks.

A bare iterator (`OneRun`) is there for one run, which lets go of it. An iterable that instances share (`SharedItems`)
is asked for one iterator, and each item of that goes to the instance that asks first: an iterator for each of them
would be right only if all yielded the same, as those of sets, of cursors and of what shuffles do not. And no two
sources draw from one iterator at the same time (`claim`).
"""

from __future__ import annotations

import threading
from _thread import allocate_lock
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final, Protocol, TypeVar

from runtime.errors import GraphInvalid
from runtime.texts.preview import preview
from runtime.texts.sentinel import Sentinel

T_co = TypeVar("T_co", covariant=True)


class Indexed(Protocol[T_co]):
    """What has a length and items by index, as most data sets."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> T_co: ...


IDLE: Final[Any] = Sentinel("IDLE", __name__)
"""What a source may yield in place of a packet, if it has nothing to send at the moment: the task looks up then."""


DIVIDED: Final = (list, tuple, range, str, bytes, dict)
"""Every `iter()` of one yields the same, in the same order."""


def is_indexed(items: object) -> bool:
    """Whether its items are to be had by index alone, as those of most data sets."""
    kind = type(items)
    return not isinstance(items, Iterable) and hasattr(kind, "__getitem__") and hasattr(kind, "__len__")


def must_be_shared(items: object) -> bool:
    """Whether instances can have the items of an iterable by one common iterator only."""
    return isinstance(items, Iterable) and type(items) not in DIVIDED


class OneRun:
    """A bare iterator, given to a source: for one run. Whoever opens it takes it, and it is let go of."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._is_spent = False
        self._iterator: Iterator[Any] | None = iterator

    @property
    def is_spent(self) -> bool:
        """Whether a run that had it has begun."""
        return self._is_spent

    def spend(self) -> None:
        """A run that has it begins: no other can."""
        self._is_spent = True

    def is_of(self, iterator: object) -> bool:
        """Whether it is this iterator's."""
        return self._iterator is iterator

    def __iter__(self) -> Iterator[Any]:
        iterator, self._iterator = self._iterator, None
        return iter(()) if iterator is None else iterator

    def close(self) -> None:
        """Forget the iterator, should nobody have taken it."""
        self._iterator = None


class Waits(Protocol):
    """How an instance waits for others who draw."""

    wants_out: bool
    """Whether it is to end, and draw nothing more."""

    def wait_for(self, ready: Callable[[], bool], held: Callable[[], bool]) -> None:
        """Wait until `ready`. `held`: whether what it waits for stands still itself. Raises Cancelled."""

    def unpark(self) -> None:
        """Any thread: what it waits for may be there."""

    def stands_still(self) -> bool:
        """Whether it waits for something that time alone will not bring."""


class SharedItems:
    """An iterable that several instances of a source share: one iterator, and one of them draws from it at a time.

    `_free` is held by whoever draws, and guards the iterator and its end. Who finds it taken joins `_waiting`, then
    tries again; who is done releases it, then looks who waits. Whichever is second sees the other.
    """

    def __init__(self, items: Iterable[Any], instances: int) -> None:
        self._items = items
        self._iterator: Iterator[Any] | None = None
        self._ended = False
        self._free = allocate_lock()
        self._waiting: list[Waits] = []
        self._drawer: Waits | None = None
        self._left = instances  # that have not closed yet; guarded by _closing
        self._closing = threading.Lock()

    def shares(self) -> list[Share]:
        """What each instance draws from."""
        return [Share(self) for _ in range(self._left)]

    def open(self, who: Waits) -> None:
        """Ask for the iterator, unless another instance has. Raises what that raises; Cancelled."""
        if self._enter(who):
            try:
                if self._iterator is None:
                    self._iterator = claim(iter(self._items))
            finally:
                self._go()

    def draw(self, who: Waits) -> Any:
        """The next item. Raises StopIteration at the end, and if `who` is to end while another one draws; Cancelled."""
        if not self._enter(who):
            raise StopIteration
        iterator = self._iterator
        assert iterator is not None, "drawn from before it was opened"
        try:
            if self._ended:
                raise StopIteration
            return next(iterator)
        except StopIteration:
            self._ended = True  # for all: one that waits for its last item would wait for another one then
            raise
        finally:
            del iterator
            self._go()

    def _enter(self, who: Waits) -> bool:
        """Become the one who draws. False: the instance is to end."""
        if not self._free.acquire(False) and not self._wait(who):
            return False
        self._drawer = who
        return True

    def _go(self) -> None:
        self._drawer = None
        self._free.release()
        if self._waiting:
            self._unpark_first()

    def _wait(self, who: Waits) -> bool:
        """Wait until nobody draws. False: the instance is to end."""
        self._waiting.append(who)
        entered = False
        try:
            while not (entered := self._free.acquire(False)):
                if who.wants_out:
                    return False
                who.wait_for(lambda: not self._free.locked() or who.wants_out, self._is_held)
            return True
        finally:
            self._waiting.remove(who)
            if not entered:  # it may have been woken for what it does not take
                self._unpark_first()

    def _unpark_first(self) -> None:
        for waits in self._waiting[:1]:
            waits.unpark()

    def _is_held(self) -> bool:
        drawer = self._drawer
        return drawer is not None and drawer.stands_still()

    @property
    def is_generator(self) -> bool:
        """Whether an error of its own finishes it."""
        return isinstance(self._iterator, Generator)

    def leave(self) -> None:
        """One instance has ended; the last one releases the iterator."""
        with self._closing:
            self._left -= 1
            if self._left:
                return
        iterator, self._iterator = self._iterator, None
        if iterator is not None:
            give_up(iterator)


class Share:
    """One instance's part in `SharedItems`: an iterator of what it draws."""

    def __init__(self, shared: SharedItems) -> None:
        self.shared = shared
        self._waits: Waits | None = None

    def __iter__(self) -> Share:
        return self

    def open(self, waits: Waits) -> None:
        """The instance begins."""
        self._waits = waits
        self.shared.open(waits)

    def __next__(self) -> Any:
        assert self._waits is not None, "drawn from before it was opened"
        return self.shared.draw(self._waits)

    def close(self) -> None:
        """The instance has ended."""
        self.shared.leave()


_claimed: Final[dict[int, Iterator[Any]]] = {}  # by id: iterators that sources draw from now, in all jobs
_claiming = threading.Lock()  # guards _claimed


def claim(iterator: Iterator[Any]) -> Iterator[Any]:
    """Let nobody else draw from `iterator` until it is given up. Raises `GraphInvalid` if somebody does already."""
    with _claiming:
        if id(iterator) in _claimed:
            raise GraphInvalid(
                f"another source draws from this iterator ({preview(iterator)}) already, and each would get a "
                "part of it only; give one source several consumers, or each source a callable that makes an iterator "
                "of its own"
            )
        _claimed[id(iterator)] = iterator
    return iterator


def give_up(iterator: Iterator[Any]) -> None:
    """Draw from it no more: a generator is closed, what it wraps goes with whoever refers to it last."""
    try:
        if isinstance(iterator, Generator):
            iterator.close()
    finally:
        with _claiming:
            _claimed.pop(id(iterator), None)
