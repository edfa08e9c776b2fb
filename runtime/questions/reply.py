"""Reply: the end of a stream that answers. Knows no asker: what comes here goes to the question that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from runtime.operators import Operator, register_operator
from runtime.operators.operator import Attention, Emit


class Reply(Operator):
    """Gives each packet to the question that it belongs to; one that belongs to none is dropped."""

    is_end = True
    at_most_one = True
    emits_last = True
    needs_function = False
    replaceable = False
    answers = True
    wants_question = True

    @classmethod
    def create(cls, function: Any, options: Mapping[str, Any], index: int, parallelism: int) -> Self:
        """The only instance."""
        return cls()

    @property
    def in_driver(self) -> bool:
        """It has to: those who ask are there."""
        return True

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Give each packet to its question."""
        for question, value in values:
            if question is not None:
                question.reply(value)
            if attention.yield_requested:
                return


register_operator("reply", Reply)
