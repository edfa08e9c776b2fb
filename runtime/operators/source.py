"""Where packets come from: an iterable, a callable that returns one, or a SourceFunction. Knows nothing of tasks."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from copy import copy
from itertools import chain, islice
from operator import length_hint
from typing import Any, Final, Protocol, Self

from runtime.errors import CommandRefused
from runtime.operators.function import Context, SourceFunction
from runtime.operators.items import DIVIDED, IDLE, OneRun, Share, Waits, claim, give_up, is_indexed
from runtime.operators.memory import Keeping
from runtime.operators.operator import Attention, Emit, Operator
from runtime.python.asynchronous import async_method, refuse_coroutine
from runtime.texts.preview import preview

_LIST: Final[type[Any]] = type(iter([]))
_SAY_WHERE: Final = (type(iter(range(0))), type(iter(())), _LIST)
"""Iterators that can be asked, at any time, how far they have come."""


class Source(Operator):
    """Sends what its iterator yields. `drawn` counts what was taken from it, `idled` how often that was `IDLE`.

    Of a list, a range or something else with indexes and parallelism n, instance i takes items i, i + n, i + 2n …; any
    other iterable is shared item by item. Callables and SourceFunctions are called once per instance and decide
    themselves what each yields.
    """

    is_start = True
    has_queue = False
    needs_function = False  # what it is given is refused in its own words
    at_most_one = True
    may_await = True
    turn_changes = ("drawn", "idled")

    def __init__(self, function: Any, *, index: int = 0, parallelism: int = 1) -> None:
        super().__init__(function)
        self._index, self._parallelism = index, parallelism
        self.iterator: Iterator[Any] = iter(())
        self._claimed: Iterator[Any] = self.iterator  # which it draws from in the end, whatever comes before that
        self.waits: Waits | None = None  # how it waits for other instances that draw
        self.drawn = self.idled = 0
        self._position = 0  # of the iterator, where a chain's loop began to draw

    @classmethod
    def create(cls, function: Any, options: Mapping[str, Any], index: int, parallelism: int) -> Self:
        """Instance `index` of so many, which draws its own part."""
        kind: Any = cls if async_method(function) is None else AsyncSource
        made: Self = kind(function, index=index, parallelism=parallelism)
        return made

    def wait_by(self, waits: Waits) -> None:
        """Task: so it waits for other instances that draw."""
        self.waits = waits

    def draw(self) -> Any:
        """The next item. Raises StopIteration, and what the iterator raises."""
        item = next(self.iterator)
        self.drawn += 1
        self.idled += item is IDLE
        return item

    @property
    def in_driver(self) -> bool:
        """Whether it draws from what exists once, where the session lives."""
        return isinstance(self.function, OneRun | Share)

    @property
    def is_generator(self) -> bool:
        """Whether it draws from a generator, which an error of its own finishes."""
        iterator = self._claimed
        return iterator.shared.is_generator if isinstance(iterator, Share) else isinstance(iterator, Generator)

    def open(self, ctx: Context) -> None:
        """Open the SourceFunction, or call the callable, and ask for the iterator."""
        if isinstance(self.function, SourceFunction):
            super().open(ctx)
        if isinstance(self.function, Share):
            assert self.waits is not None, "shared items are for tasks"
            self.function.open(self.waits)
        if type(self.function) is str:
            ctx.warn(
                f"its source is the text {preview(self.function)}, of which each character is sent; open(…) is a "
                "source of a file's lines, [text] of one text"
            )
        self.iterator = self._claimed = claim(self._items())

    def _items(self) -> Iterator[Any]:
        function = self.function
        if isinstance(function, Share):
            return function
        if isinstance(function, SourceFunction):
            return _iterator_of(function.run(), "run()")
        if is_indexed(function):
            return map(function.__getitem__, range(self._index, len(function), self._parallelism))
        if isinstance(function, Iterable):
            every = self._parallelism
            return islice(function, self._index, None, every) if every > 1 else iter(function)
        return _iterator_of(function(), "the function")

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send items as they come; `values` is a part of `self.iterator`."""
        drawn, idle = self.drawn, IDLE
        try:
            for value in values:
                drawn += 1
                if value is idle:
                    self.idled += 1
                else:
                    emit(value)
                if attention.yield_requested:
                    return
        finally:
            self.drawn = drawn
            del values  # else the traceback of an error would keep the iterator

    # ── drawn from by the loop of a chain ──

    @property
    def keeps_thread(self) -> bool:
        """Whether what it draws from is the user's code, which has to stay on one thread from beginning to end."""
        return type(self.function) not in (list, tuple, range)

    @property
    def says_position(self) -> bool:
        """Whether its iterator says how far it has come, so that nobody has to count."""
        return type(self.iterator) in _SAY_WHERE

    def at_most(self, count: int) -> int:
        """How many to draw in one go. A list's end is drawn apart: with it the iterator forgets its place."""
        return max(1, min(count, length_hint(self.iterator))) if type(self.iterator) is _LIST else count

    def begin_to_count(self) -> None:
        """What is drawn from now on is not in `drawn` yet."""
        self._position = self._where()

    def drawn_since(self) -> int:
        """How many items its iterator has yielded since `begin_to_count`, if that says so. Any thread."""
        return self._where() - self._position

    def count_drawn(self, drawn: int, idled: int) -> None:
        """So many were drawn, and were `IDLE`; how many were drawn the iterator knows better, if it says so."""
        if self.says_position:
            position, self._position = self._position, self._where()
            drawn = self._position - position
        self.drawn += drawn
        self.idled += idled

    def _where(self) -> int:
        iterator = self.iterator
        if type(iterator) is _LIST:  # of which the length may change
            state: Any = iterator.__reduce__()
            return int(state[2]) if len(state) == 3 else self._position  # it has been seen to end, by drawing nothing
        return -length_hint(iterator) if self.says_position else 0

    def copy(self, key: Any) -> int:
        """Its position: how many items it has drawn."""
        return self.drawn

    def restore(self, copied: int) -> None:
        """Go on from this position. Raises `CommandRefused` if what it draws from gives each item once only."""
        if copied == self.drawn:
            return
        function = self.function
        if not is_indexed(function) and type(function) not in DIVIDED:
            raise CommandRefused(
                f"the source has drawn {self.drawn:,} items and cannot go to item {copied:,}: what it draws from gives "
                "each item once; give it a list, a range or another sequence"
            )
        give_up(self._claimed)
        self._claimed = claim(islice(self._items(), copied, None))
        self.iterator, self.drawn = self._claimed, copied

    def keep(self, keeping: Keeping, key: Any) -> None:
        """Its position, and what it draws: that is kept, to be sent again."""
        super().keep(keeping, key)
        keeping.part(_Place(self) if self.says_position else _Draws(self))

    def draw_from(self, iterator: Iterator[Any]) -> None:
        """Draw from that until it is over, or from what it draws from in the end."""
        self.iterator = iterator

    def go_to(self, before: Iterator[Any]) -> None:
        """Draw from this one, which stands where its own one has stood."""
        give_up(self._claimed)
        self.iterator = self._claimed = claim(before)

    def close(self) -> None:
        """Let go of the iterator, on the thread that ran it (a generator is closed), then close the SourceFunction."""
        claimed, self.iterator = self._claimed, iter(())
        self._claimed, function = self.iterator, self.function
        try:
            give_up(claimed)
        finally:
            del claimed
            if isinstance(function, OneRun | Share):
                function.close()
            super().close()


class _Place:
    """Where the iterator of a source stands, which says that itself."""

    def __init__(self, source: Source) -> None:
        self._source, self._before = source, copy(source.iterator)

    def close(self) -> bool:
        """Whether something was drawn; or it has ended, which it would again."""
        return True

    def put_back(self) -> None:
        """Go there."""
        self._source.go_to(self._before)


class _Draws:
    """What a source draws from an iterator that gives each item once; in its place until that is over."""

    def __init__(self, source: Source) -> None:
        self._source, self._rest = source, source.iterator
        self._drawn: list[Any] = []
        source.draw_from(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        item = next(self._rest)
        self._drawn.append(item)
        return item

    def close(self) -> bool:
        """Draw from that itself again."""
        if self._source.iterator is self:  # else it has ended
            self._source.draw_from(self._rest)
        return bool(self._drawn)

    def put_back(self) -> None:
        """Draw the same again, before what follows."""
        self._source.draw_from(chain(self._drawn, self._source.iterator))


class Drawing(Protocol):
    """What draws from an asynchronous generator, and awaits, for a source."""

    def open(self, ctx: Any) -> Any:
        """Be ready to await. Returns the context that the user's code is to see: `ctx`, with a loop."""

    def begin(self, made: Any) -> None:
        """From now on draw from that."""

    def draw(self) -> Any:
        """The next item. Raises StopIteration if there is none, or the source is to end; Cancelled."""

    def come_to(self, made: Any) -> Any:
        """What a method has returned, once that has come. Raises Cancelled."""

    def end(self) -> None:
        """End what is drawn from; whatever it does at its end is awaited. Raises what that raises."""

    def close(self, made: Any) -> None:
        """Await this last one, and end."""


class AsyncSource(Source):
    """One that draws from an asynchronous generator, or awaits in another method: item by item, when asked."""

    def draw_by(self, drawing: Drawing) -> None:
        """Task: so it draws."""
        self._drawing = drawing

    @property
    def is_generator(self) -> bool:
        """Its own error finishes it."""
        return True

    def open(self, ctx: Context) -> None:
        """Open the SourceFunction; nothing is drawn before it is asked for."""
        drawing, function = self._drawing, self.function
        ctx = drawing.open(ctx)
        if isinstance(function, SourceFunction):
            drawing.come_to(function._opened_in(ctx))
        drawing.begin(function.run() if isinstance(function, SourceFunction) else function())
        self.iterator = self._claimed = iter(_Items(drawing))

    def restore(self, copied: int) -> None:
        """What it draws from gives each item once. Raises `CommandRefused`."""
        if copied != self.drawn:
            raise CommandRefused("the source draws from an asynchronous generator, which gives each item once")

    def close(self) -> None:
        """End what it draws from, then close the SourceFunction."""
        self.iterator = self._claimed = iter(())
        function = self.function
        try:
            self._drawing.end()
        finally:
            self._drawing.close(function.close() if isinstance(function, SourceFunction) else None)


class _Items:
    """An iterator of what is drawn."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self._drawing.draw()


def _iterator_of(made: Any, what: str) -> Iterator[Any]:
    if made is None:
        raise no_items(what)
    return iter(refuse_coroutine(made, f"{what} of a source"))


def no_items(what: str) -> TypeError:
    """What to raise for None in place of items."""
    return TypeError(f"{what} of a source returned None; it has to return an iterable, or to yield the packets")
