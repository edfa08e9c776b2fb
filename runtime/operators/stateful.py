"""Operators that remember: reduce and its kin, count and scan; and take."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from runtime.operators.first_look import doubt_generator
from runtime.operators.function import Context
from runtime.operators.memory import ALL, Keeping, Mapped, copy_of, put_back
from runtime.operators.operator import Attention, Emit, Operator
from runtime.origins.memory import Folds
from runtime.texts.preview import preview
from runtime.texts.sentinel import Sentinel

if TYPE_CHECKING:
    from runtime.origins.made import Made

NO_INITIAL: Final = Sentinel("NO_INITIAL", __name__)
"""Stands for an `initial` that was not given; the first packet takes its place."""


class Reduce(Operator):
    """Folds packets, per key on a keyed input. Sends `(key, value)`, on an unkeyed input the bare value.

    `emit` says when: after each packet, or once per key (in the order in which the keys came) at the end of the input.
    `initial` is copied for each key; without it a key starts with its first packet.
    """

    at_most_one = True
    emits_last = True
    wants_keys = True
    remembers = True
    arguments = 2
    inline: tuple[str, ...] = (
        "if {key} in {folds}:",
        "    {made} = {call}({folds}[{key}], {value})",
        "else:",
        "    {made} = {start}({value})",
        "{folds}[{key}] = {made}",
    )

    def __init__(
        self, function: Any, *, initial: Any = NO_INITIAL, emit: Literal["each", "end"] = "each", keyed: bool = False
    ) -> None:
        super().__init__(function)
        self.accumulators: dict[Any, Any] = {}
        self._initial, self._each, self._keyed = initial, emit == "each", keyed
        self._new = _copier(initial)
        self._traced: Folds | None = None  # the same, in a traced job
        self.sends_at_end = emit == "end"
        if self._each and keyed:
            self.inline = (*self.inline, "{made} = ({key}, {made})")

    def trace(self, made: Made) -> None:
        """Keep with each folded value which packets it was made of."""
        self.accumulators = self._traced = Folds(made)

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Fold each packet into what its key has so far."""
        call, accumulators, new, each, keyed = self.call, self.accumulators, self._new, self._each, self._keyed
        first_is_initial = self._initial is NO_INITIAL
        pairs = values if keyed else ((None, value) for value in values)
        for key, value in pairs:
            if key in accumulators:
                result = call(accumulators[key], value)
            else:
                result = value if first_is_initial else call(new(), value)
            accumulators[key] = result
            if each:
                emit((key, result) if keyed else result)
            if attention.yield_requested:
                return

    def start(self, value: Any) -> Any:
        """The first value of a key."""
        return value if self._initial is NO_INITIAL else self.call(self._new(), value)

    @property
    def folds(self) -> dict[Any, Any]:
        """The folded values."""
        return self.accumulators

    def doubt(self, made: Any) -> str | None:
        """A generator."""
        return doubt_generator(made, "folds them; return the folded value")

    def remembered(self) -> Any:
        """What each key has so far; on an unkeyed input, what all packets have."""
        return dict(self.accumulators) if self._keyed else self.accumulators.get(None)

    def remember(self, key: Any, value: Any) -> None:
        """Go on from another value."""
        own = key if self._keyed else None
        if self._traced is None:
            self.accumulators[own] = value
        else:
            self._traced.set_by_hand(own, value)

    def copy(self, key: Any) -> tuple[Mapped, ...]:
        """The folded values."""
        return tuple(copy_of(each, key if self._keyed else ALL) for each in self._copied)

    def restore(self, copied: tuple[Mapped, ...]) -> None:
        """Fold on from these."""
        for own, before in zip(self._copied, copied, strict=True):
            put_back(own, before)

    @property
    def _copied(self) -> tuple[dict[Any, Any], ...]:
        return (self.accumulators,) if self._traced is None else (self.accumulators, self._traced.history)

    def keep(self, keeping: Keeping, key: Any) -> None:
        """The folded value of the key; at the end of an input, none changes."""
        super().keep(keeping, key)
        if key is not ALL:
            key = key if self._keyed else None
            keeping.slot(self.accumulators, key)
            if isinstance(self.accumulators, Folds):
                keeping.slot(self.accumulators.history, key)

    def release(self) -> None:
        """Let go of the folded values as well."""
        super().release()
        self.accumulators, self._initial, self._new, self._traced = {}, None, _released, None

    def finish(self) -> Iterable[Any]:
        """The folded values, if they were not sent all along, and what the function itself has left."""
        if self._each:
            return super().finish()
        folded: Iterable[Any] = self.accumulators.items() if self._keyed else self.accumulators.values()
        if self._traced is not None:
            folded = self._traced.each(folded)
        return chain(folded, super().finish())


class Count(Reduce):
    """How many packets there are, per key on a keyed input. Without keys that is also said of none, at the end."""

    def finish(self) -> Iterable[Any]:
        """The numbers, if they were not sent all along."""
        if self.sends_at_end and not self._keyed and not self.accumulators:
            return (0,)
        return super().finish()


class Scan(Reduce):
    """For each packet what the function makes of it and of what it remembers: it returns both, `(state, result)`.

    Sends `(key, result)`, on an unkeyed input the bare result. `initial` is copied for each key.
    """

    inline = ()  # an unpacking that fails in a loop could not be told from an error of the user's function

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send the result for each packet, and remember the state."""
        call, states, new, keyed = self.call, self.accumulators, self._new, self._keyed
        pairs = values if keyed else ((None, value) for value in values)
        for key, value in pairs:
            made = call(states[key] if key in states else new(), value)
            try:
                states[key], result = made
            except (TypeError, ValueError) as error:
                raise TypeError(_no_pair(made)) from error
            emit((key, result) if keyed else result)
            if attention.yield_requested:
                return

    def doubt(self, made: Any) -> str | None:
        """What is no pair."""
        return None if isinstance(made, tuple | list) and len(made) == 2 else _no_pair(made)


def _no_pair(made: Any) -> str:
    return f"the function of scan returned {preview(made)}; it has to return (state, result)"


def one_more(count: int, _: Any) -> int:
    """What counts."""
    return count + 1


class Take(Operator):
    """The first `count` packets; those after them are dropped. Says `enough` once, after the last that it takes.

    What only it consumes comes to its end then: see `TaskContext.enough`.
    """

    needs_function = False
    single = "it counts to n once"
    at_most_one = True
    emits_last = True
    turn_changes = ("missing",)

    @classmethod
    def create(cls, function: Any, options: Mapping[str, Any], index: int, parallelism: int) -> Self:
        """The only instance."""
        return cls(**options)

    def __init__(self, *, count: int) -> None:
        super().__init__()
        self.missing = count
        self._enough: Callable[[], None] | None = None

    def open(self, ctx: Context) -> None:
        """Learn whom to tell that nothing more is needed; a `take(0)` tells at once."""
        self._enough = ctx.enough
        if not self.missing:
            ctx.enough()

    def copy(self, key: Any) -> int:
        """How many are missing."""
        return self.missing

    def restore(self, copied: int) -> None:
        """Let so many be missing again. What was told of enough stays told."""
        self.missing = copied

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send packets on while some are missing."""
        for value in values:
            if self.missing:
                emit(value)
                self.missing -= 1
                if not self.missing and self._enough is not None:
                    self._enough()
            if attention.yield_requested:
                return


def _released() -> None:
    raise AssertionError("asked for after its release")


def _copier(initial: Any) -> Callable[[], Any]:
    """Makes fresh copies of `initial`; a value that is its own copy is not copied again and again."""
    if copy.deepcopy(initial) is initial:
        return partial(_itself, initial)
    return partial(copy.deepcopy, initial)


def _itself(initial: Any) -> Any:
    return initial
