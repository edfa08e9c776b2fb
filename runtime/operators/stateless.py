"""Operators that keep nothing from one packet to the next: map, filter, flat_map, sink, and the input of the hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from runtime.operators.first_look import doubt_generator, doubt_text, no_results
from runtime.operators.memory import Keeping
from runtime.operators.operator import Attention, Emit, Operator


class Map(Operator):
    """One result for each packet: what the function returns, None included."""

    at_most_one = True
    emits_last = True
    inline = ("{made} = {call}({value})",)

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send the function's result for each packet."""
        call = self.call
        for value in values:
            emit(call(value))
            if attention.yield_requested:
                return

    def doubt(self, made: Any) -> str | None:
        """A generator."""
        return doubt_generator(made, "map sends those themselves; flat_map sends what they yield")


class Filter(Operator):
    """The packets for which the function returns something true, unchanged."""

    at_most_one = True
    emits_last = True
    inline = ("if {call}({value}):",)

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send each packet on, or not."""
        call = self.call
        for value in values:
            if call(value):
                emit(value)
            if attention.yield_requested:
                return

    def doubt(self, made: Any) -> str | None:
        """A generator."""
        return doubt_generator(made, "those are always true, so every packet passes; return True or False")


class FlatMap(Operator):
    """Any number of results for each packet: what the function returns or yields, each sent as soon as it is made."""

    inline = ("{all} = {call}({value})", "{all} = iter({all})", "for {made} in {all}:")

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send all results of each packet."""
        call = self.call
        made: Any = ()
        try:
            for value in values:
                made = call(value)
                for result in made:
                    emit(result)
                if attention.yield_requested:
                    return
        except TypeError as error:
            if made is None:
                raise no_results("flat_map") from error
            raise

    def explain(self, error: BaseException, made: Any) -> BaseException:
        """None in place of results."""
        if made is not None or not isinstance(error, TypeError):
            return error
        explained = no_results("flat_map")
        explained.__cause__ = error
        return explained

    def doubt(self, made: Any) -> str | None:
        """A text."""
        return doubt_text(made)


class Sink(Operator):
    """The end of a stream: the function is called for each packet and what it returns is ignored."""

    is_end = True
    at_most_one = True
    emits_last = True
    inline = ("{call}({value})",)

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Give each packet to the function."""
        call = self.call
        for value in values:
            call(value)
            if attention.yield_requested:
                return

    def doubt(self, made: Any) -> str | None:
        """A generator."""
        return doubt_generator(made, "nobody runs those; write it without yield")


class Gathered(Protocol):
    """Where packets are gathered."""

    def arrived(self) -> None:
        """Hear that some have been, which whoever reads there may wait for."""

    def _keep(self, keeping: Keeping) -> None:
        """Let be kept how many there are."""


class Collect(Sink):
    """The end of a stream whose packets are gathered where the session lives, by the function, in `into`."""

    single = "the list is one"
    replaceable = False
    inline = Sink.inline

    def __init__(self, function: Any, *, into: Gathered | None = None) -> None:
        super().__init__(function)
        self._into = into

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Gather each packet; after all that there are now, say so."""
        super().receive_packets(values, emit, attention)
        self.loop_paused()

    def loop_paused(self) -> None:
        """Say that packets were gathered."""
        if self._into is not None:
            self._into.arrived()

    def keep(self, keeping: Keeping, key: Any) -> None:
        """How many there are."""
        if self._into is not None:
            self._into._keep(keeping)

    @property
    def in_driver(self) -> bool:
        """It does: the list is there."""
        return True


class Input(Operator):
    """What the hand puts in, sent on unchanged."""

    is_start = True
    is_input = True
    needs_function = False
    single = "there is one hand"
    at_most_one = True
    emits_last = True
    inline = ("pass",)

    @property
    def in_driver(self) -> bool:
        """It does: the hand is there."""
        return True

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send each packet on."""
        for value in values:
            emit(value)
            if attention.yield_requested:
                return
