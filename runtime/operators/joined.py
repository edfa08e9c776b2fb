"""Operators with two inputs: co-map, co-flat-map and the keyed join. Each packet comes with the number of its input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Literal

from runtime.operators.function import Context, Function, callable_of
from runtime.operators.operator import Attention, Emit, Operator

How = Literal["inner", "left", "outer"]


class CoOperator(Operator):
    """A function for each of two inputs, in one operator: what they share is shared safely, they run on one thread.

    Each `Function` among the two is opened, finished and closed; one that was given for both inputs, once.
    """

    wants_input = True

    def __init__(self, first: Any, second: Any) -> None:
        super().__init__()
        self.calls = (callable_of(first), callable_of(second))
        functions = (first,) if second is first else (first, second)
        self._functions = [function for function in functions if isinstance(function, Function)]
        self._opened: list[Function[Any, Any]] = []  # also the one whose open() failed half-way

    @property
    def has_context(self) -> bool:
        """Whether one of the two can reach the task's context."""
        return bool(self._functions)

    def open(self, ctx: Context) -> None:
        """Give each function the context, and let it prepare."""
        for function in self._functions:
            self._opened.append(function)
            function.ctx = ctx
            function.open(ctx)

    def finish(self) -> Iterable[Any]:
        """What the first function has left, then the second."""
        for function in self._functions:
            yield from function.finish() or ()

    def close(self) -> None:
        """Close each function that was opened, whatever the others raise."""
        with ExitStack() as closing:
            for function in self._opened:
                closing.callback(function.close)


class CoMap(CoOperator):
    """One result for each packet: what the function of its input returns."""

    at_most_one = True

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send the result for each packet."""
        first, second = self.calls
        for number, value in values:
            emit(second(value) if number else first(value))
            if attention.look_up:
                return


class CoFlatMap(CoOperator):
    """Any number of results for each packet: what the function of its input returns or yields, each sent at once."""

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send all results of each packet."""
        first, second = self.calls
        for number, value in values:
            for result in second(value) if number else first(value):
                emit(result)
            if attention.look_up:
                return


class Join(Operator):
    """Rows of two keyed inputs, merged where their keys are equal: each pair once, as soon as its later row is there.

    At the end of the input a `left` join sends `merge(row, None)` for each left row that has no partner, an `outer`
    join also `merge(None, row)`: keys in the order in which they came first, left rows before right ones.

    Every row is kept for partners to come. Once one input has ended none will come to the other, whose rows are then
    kept only if they are to be sent without a partner.
    """

    wants_keys = True
    wants_input = True

    def __init__(self, function: Any, *, how: How = "inner") -> None:
        super().__init__(function)
        # Of each key one flat list: how many left rows there are, these, then the right rows. (Two lists in a tuple
        # cost half as much again: most of what a join of many keys costs is the garbage collector's walk over them.)
        self._rows: dict[Any, list[Any]] = {}
        self._sends_lonely = (how != "inner", how == "outer")  # left rows without a partner; right ones
        self._ended: int | None = None  # the input that was the first to end
        self._ctx: Context | None = None

    @property
    def kept(self) -> int:
        """How many rows it keeps."""
        return sum(len(entry) - 1 for entry in self._rows.values())

    def open(self, ctx: Context) -> None:
        """Learn where `merge` finds its key, should it be a Function."""
        self._ctx = ctx
        super().open(ctx)

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Merge each row with all that the other input has of its key, in the order in which they came."""
        if self._ended is not None:
            self._probe(self._ended, values, emit, attention)
            return
        merge, rows = self.call, self._rows
        entry_of = rows.get
        for number, (key, row) in values:
            entry = entry_of(key)
            if entry is None:
                rows[key] = [0, row] if number else [1, row]
            elif number:
                for left in entry[1 : entry[0] + 1]:
                    emit(merge(left, row))
                entry.append(row)  # behind its pairs: a row that failed has not come
            else:
                behind = entry[0] + 1
                for right in entry[behind:]:
                    emit(merge(row, right))
                entry.insert(behind, row)  # moves as many right rows as have just been merged
                entry[0] = behind
            if attention.look_up:
                return

    def input_ended(self, number: int) -> None:
        """Let go of what was kept for further rows of input `number`."""
        if self._ended is not None:  # nothing comes any more, and what is left is to be sent
            return
        self._ended = number
        # Where rows of `number` may be sent without a partner, one stays to say that those of its key have had theirs.
        stays, lonely_too = int(self._sends_lonely[number]), self._sends_lonely[1 - number]
        kept = {}
        for key, entry in self._rows.items():
            behind = entry[0] + 1
            if (len(entry) > behind) if number else (behind > 1):
                if number:
                    del entry[1 + stays : behind]
                    entry[0] = min(stays, entry[0])
                else:
                    del entry[behind + stays :]
                kept[key] = entry
            elif lonely_too:
                kept[key] = entry
        self._rows = kept

    def _probe(self, ended: int, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Work rows of the one input that has not ended: all their partners are there."""
        merge, rows = self.call, self._rows
        needs_witness, lonely_too = self._sends_lonely[ended], self._sends_lonely[1 - ended]
        for number, (key, row) in values:
            entry = rows.get(key)
            if entry is not None:
                behind = entry[0] + 1
                partners = entry[1:behind] if number else entry[behind:]
                for partner in partners:
                    emit(merge(partner, row) if number else merge(row, partner))
                alone = len(entry) == len(partners) + 1
                if not partners or (needs_witness and alone):
                    entry.insert(len(entry) if number else 1, row)
                    entry[0] += not number
            elif lonely_too:
                rows[key] = [0, row] if number else [1, row]
            if attention.look_up:
                return

    def finish(self) -> Iterable[Any]:
        """The rows that have found no partner, where they are wanted, and what the function itself has left."""
        yield from self._lonely()
        yield from super().finish()

    def remembered(self) -> Any:
        """The rows of each key: of the left input, of the right one."""
        return {key: (rows[:lefts], rows[lefts:]) for key, (lefts, *rows) in list(self._rows.items())}

    def _lonely(self) -> Iterator[Any]:
        merge, (left_too, right_too) = self.call, self._sends_lonely
        for key, (lefts, *rows) in self._rows.items():
            if lefts not in (0, len(rows)):
                continue
            if self._ctx is not None:
                self._ctx.key = key
            if lefts and left_too:
                for row in rows:
                    yield merge(row, None)
            elif not lefts and right_too:
                for row in rows:
                    yield merge(None, row)
