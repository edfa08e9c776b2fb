"""Operators with two inputs: co-map, co-flat-map and the keyed join. Each packet comes with the number of its input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Literal, Self, cast

from runtime.errors import CommandRefused
from runtime.operators import memory
from runtime.operators.first_look import doubt_generator, doubt_text, first_look, no_results
from runtime.operators.function import Context, Function, callable_of
from runtime.operators.memory import ALL, Keeping, copy_of, put_back
from runtime.operators.operator import Attention, Emit, Operator, Part
from runtime.origins.memory import Side
from runtime.python.asynchronous import refuse_coroutine
from runtime.texts.preview import preview

if TYPE_CHECKING:
    from runtime.communication.signals import Signal, StopSignal
    from runtime.origins.made import Made

How = Literal["inner", "left", "outer"]


class CoOperator(Operator):
    """A function for each of two inputs, in one operator: what they share is shared safely, they run on one thread.

    Each `Function` among the two is opened, finished and closed; one that was given for both inputs, once.
    """

    wants_input = True

    @classmethod
    def create(cls, function: Any, options: Mapping[str, Any], index: int, parallelism: int) -> Self:
        """One instance, with a copy of each of the two functions."""
        return cls(*function)

    def __init__(self, first: Any, second: Any) -> None:
        super().__init__()
        self._give(first, second)
        self.calls = (callable_of(first), callable_of(second))
        self._opened: list[Function[Any, Any]] = []  # also the one whose open() failed half-way

    def _give(self, first: Any, second: Any) -> None:
        self._given = (first, second)
        functions = (first,) if second is first else (first, second)
        self._functions = [function for function in functions if isinstance(function, Function)]

    @property
    def has_context(self) -> bool:
        """Whether one of the two can reach the task's context."""
        return bool(self._functions)

    @property
    def functions(self) -> tuple[Any, ...]:
        """That of each input."""
        return self._given

    def open(self, ctx: Context) -> None:
        """Give each function the context, and let it prepare."""
        for function in self._functions:
            self._opened.append(function)
            function._open_in(ctx)
        self._look(ctx)

    def replace(self, functions: Sequence[Any], ctx: Context) -> None:
        """Call these from now on, which have been opened. Between two packets."""
        self._give(*functions)
        self._opened = [*self._functions]
        self._look(ctx)
        self.version += 1

    def _look(self, ctx: Context) -> None:
        first, second = map(callable_of, self._given)
        looks = (partial(self._looked_at, 0), partial(self._looked_at, 1))
        self.calls = (first_look(first, ctx, self.doubt, looks[0]), first_look(second, ctx, self.doubt, looks[1]))

    def _looked_at(self, number: int) -> None:
        good = callable_of(self._given[number])
        self.calls = (self.calls[0], good) if number else (good, self.calls[1])

    def signalled(self, signal: Signal, number: int | None) -> Iterable[Any] | None:
        """What the functions make of the end of an input, the first before the second."""
        if number is None or cast("StopSignal", signal).how not in ("completed", "stopped"):
            return None
        return self._input_ended(number)

    def _input_ended(self, number: int) -> Iterator[Any]:
        for function in self._functions:
            function.ctx.set_key(None)  # from the last packet
            yield from refuse_coroutine(function.input_ended(number), "input_ended()") or ()

    def finish(self) -> Iterable[Any]:
        """What the first function has left, then the second."""
        for function in self._functions:
            yield from refuse_coroutine(function.finish(), "finish()") or ()

    def close(self) -> None:
        """Close each function that was opened, whatever the others raise."""
        for number in range(len(self.calls)):
            self._looked_at(number)
        with ExitStack() as closing:
            for function in self._opened:
                closing.callback(_close, function)


def _close(function: Any) -> None:
    refuse_coroutine(function.close(), "close()")


class CoMap(CoOperator):
    """One result for each packet: what the function of its input returns."""

    at_most_one = True

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send the result for each packet."""
        first, second = self.calls
        for number, value in values:
            emit(second(value) if number else first(value))
            if attention.yield_requested:
                return

    def doubt(self, made: Any) -> str | None:
        """A generator."""
        return doubt_generator(made, "map sends those themselves; flat_map sends what they yield")


class CoFlatMap(CoOperator):
    """Any number of results for each packet: what the function of its input returns or yields, each sent at once."""

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send all results of each packet."""
        first, second = self.calls
        made: Any = ()
        try:
            for number, value in values:
                made = second(value) if number else first(value)
                for result in made:
                    emit(result)
                if attention.yield_requested:
                    return
        except TypeError as error:
            if made is None:
                raise no_results("flat_map") from error
            raise

    def doubt(self, made: Any) -> str | None:
        """A text."""
        return doubt_text(made)


class _Rows(list[Any]):
    """Several rows of one key. A single one is kept as it is: a list for each would keep the garbage collector busy."""

    __slots__ = ()


_Kept = tuple[tuple[memory.Mapped, ...], tuple[memory.Mapped, ...], frozenset[Any], int | None]
"""What a join keeps, by value: rows of each side, keys that have met, which input was the first to end."""


class Join(Operator):
    """Rows of two keyed inputs, merged where their keys are equal: each pair once, as soon as its later row is there.

    At the end of the input a `left` join sends `merge(row, None)` for each left row that has no partner, an `outer`
    join then also `merge(None, row)`: each in the order in which their keys came first.

    Every row is kept for partners to come. Once one input has ended none will come to the other, whose rows are then
    kept only if they are to be sent without a partner.
    """

    wants_keys = True
    remembers = True
    wants_input = True
    arguments = 2

    def __init__(self, function: Any, *, how: How = "inner") -> None:
        super().__init__(function)
        self._sides: tuple[dict[Any, Any], dict[Any, Any]] = ({}, {})  # of each input, by key: a row, or `_Rows`
        self._sends_unmatched = (how != "inner", how == "outer")  # left rows without a partner; right ones
        self._met: set[Any] = set()  # keys that have had a partner which is not kept any more, where that is asked for
        self._ended: int | None = None  # the input that was the first to end
        self._ctx: Context | None = None
        self._made: Made | None = None

    @property
    def kept(self) -> int:
        """How many rows it keeps."""
        return sum(len(_listed(rows)) for side in self._sides for rows in side.values())

    def trace(self, made: Made) -> None:
        """Keep with each row which packet it was."""
        self._made = made
        self._sides = (Side(made, 0), Side(made, 1))

    @property
    def _merge(self) -> Callable[[Any, Any], Any]:
        return self.call if self._made is None else self._made.merging(self.call)

    def open(self, ctx: Context) -> None:
        """Learn where `merge` finds its key, should it be a Function."""
        self._ctx = ctx
        super().open(ctx)

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Merge each row with all that the other input has of its key, in the order in which they came."""
        if self._ended is not None:
            self._probe(1 - self._ended, values, emit, attention)
            return
        merge = self._merge
        lefts, rights = self._sides
        partners_of_left, partners_of_right = rights.get, lefts.get
        for number, (key, row) in values:
            if number:
                own, partner = rights, partners_of_right(key, _NONE)
                if type(partner) is _Rows:
                    for each in partner:
                        emit(merge(each, row))
                elif partner is not _NONE:
                    emit(merge(partner, row))
            else:
                own, partner = lefts, partners_of_left(key, _NONE)
                if type(partner) is _Rows:
                    for each in partner:
                        emit(merge(row, each))
                elif partner is not _NONE:
                    emit(merge(row, partner))
            keys = len(own)  # after its pairs: a row that failed has not come
            before = own.setdefault(key, row)
            if len(own) == keys:
                _add(own, key, before, row)
            if attention.yield_requested:
                return

    def signalled(self, signal: Signal, number: int | None) -> None:
        """Let go of what was kept for further rows of input `number`, which has ended."""
        if number is None or self._ended is not None:  # nothing comes any more, and what is left is to be sent
            return
        self._ended = number
        ended, other = self._sides[number], self._sides[1 - number]
        if self._sends_unmatched[number]:
            self._met.update(key for key in other if key in ended)
        unmatched = (
            {key: rows for key, rows in other.items() if key not in ended} if self._sends_unmatched[1 - number] else {}
        )
        if isinstance(other, Side):
            unmatched = other.only(unmatched)
        self._sides = (unmatched, ended) if number else (ended, unmatched)

    def _probe(self, number: int, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Work rows of input `number`, the one that has not ended: all their partners are there."""
        merge, own, partners_of = self._merge, self._sides[number], self._sides[1 - number].get
        unmatched_too, met = self._sends_unmatched[number], self._met if self._sends_unmatched[1 - number] else None
        for _, (key, row) in values:
            partner = partners_of(key, _NONE)
            if partner is not _NONE:
                for each in _listed(partner):
                    emit(merge(each, row) if number else merge(row, each))
                if met is not None:
                    met.add(key)
            elif unmatched_too:
                keys = len(own)
                before = own.setdefault(key, row)
                if len(own) == keys:
                    _add(own, key, before, row)
            if attention.yield_requested:
                return

    def parts_of_finish(self) -> Iterable[Part]:
        """Each row that has found no partner, where they are wanted; then what the function itself has left."""
        yield from self._unmatched()
        yield from super().parts_of_finish()

    def remembered(self) -> Any:
        """The rows of each key: of the left input, of the right one."""
        sides = [dict(side) for side in self._sides]  # each in one step: it may be at work
        keys = dict.fromkeys(key for side in sides for key in side)
        return {key: tuple(list(_listed(side[key])) if key in side else [] for side in sides) for key in keys}

    def remember(self, key: Any, value: Any) -> None:
        """Keep other rows for a key: those of the left input, and those of the right one."""
        try:
            left, right = map(list, value)
        except (TypeError, ValueError):
            raise CommandRefused(
                f"a join keeps rows of its left and of its right input; give a pair of lists, not {preview(value)}"
            ) from None
        for side, rows in zip(self._sides, (left, right), strict=True):
            if isinstance(side, Side):
                side.set_by_hand(key, len(rows))
            if rows:
                side[key] = _Rows(rows)
            else:
                side.pop(key, None)

    def copy(self, key: Any) -> _Kept:
        """The rows."""
        left, right = (tuple(copy_of(each, key) for each in _with_history(side)) for side in self._sides)
        return left, right, frozenset(self._met), self._ended

    def restore(self, copied: _Kept) -> None:
        """Keep these rows. Raises `CommandRefused` if an input has ended since: rows have been let go of then."""
        *sides, met, ended = copied
        if ended != self._ended:
            raise CommandRefused("an input of the join has ended since, and the rows that waited for it are gone")
        for side, before in zip(self._sides, sides, strict=True):
            for own, rows in zip(_with_history(side), before, strict=True):
                put_back(own, rows)
        self._met = set(met)

    def keep(self, keeping: Keeping, key: Any) -> None:
        """The rows of the key on both sides; at the end of an input, which rows there are."""
        super().keep(keeping, key)
        if key is ALL:
            keeping.attributes(self, ("_sides", "_met", "_ended"))
            return
        for side in self._sides:
            keeping.slot(side, key)
            if isinstance(side, Side):
                keeping.slot(side.history, key)
        keeping.member(self._met, key)

    def release(self) -> None:
        """Let go of the rows as well."""
        super().release()
        self._sides, self._met, self._ctx, self._made = ({}, {}), set(), None, None

    def _unmatched(self) -> Iterator[Part]:
        merge = self.call
        for number, wanted in enumerate(self._sends_unmatched):
            if not wanted:
                continue
            others, side = self._sides[1 - number], self._sides[number]
            for key, rows in side.items():
                if key in others or key in self._met:
                    continue
                if self._ctx is not None:
                    self._ctx.set_key(key)
                alone = side.send_alone(key) if isinstance(side, Side) else repeat(None)
                for row, _ in zip(_listed(rows), alone, strict=False):
                    make = partial(merge, None, row) if number else partial(merge, row, None)
                    yield Part((number, (key, row)), row, partial(_send_made, make))


_NONE: Final = object()


def _send_made(make: Callable[[], Any], emit: Emit) -> None:
    emit(make())


def _with_history(side: dict[Any, Any]) -> tuple[dict[Any, Any], ...]:
    return (side, side.history) if isinstance(side, Side) else (side,)


def _listed(rows: Any) -> list[Any]:
    return rows if type(rows) is _Rows else [rows]


def _add(side: dict[Any, Any], key: Any, before: Any, row: Any) -> None:
    """Keep one more row of a key that has some."""
    if type(before) is _Rows:
        before.append(row)
    else:
        side[key] = _Rows((before, row))
