"""How a packet lies in a lane: the one place that knows.

An *element* is a bare payload, or `(key, payload)` where the input is keyed. In a traced job an item of a lane is a
`Packet` that holds an element, else it is the element itself; in a graph that can be asked it is a pair of the question
to which it belongs, or None, and that. What the hand puts into the queue of a task with several inputs is `(number of
the input, item)`. Which of these it is, is decided when the graph is compiled (`format_of`).

Only the loops of the router, and those of operators that want keys, know elements themselves: a call for each packet
would cost as much as all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from runtime.communication.lane import Lane
from runtime.communication.packet import Again, Bearer, Borne, Packet, Place, Tracer
from runtime.communication.partition import Partition
from runtime.errors import CommandRefused
from runtime.graph import ExecutionGraph
from runtime.operators import Operator
from runtime.origins.made import KEPT_BYTES, Made
from runtime.texts.preview import Told, preview

if TYPE_CHECKING:
    from runtime.context import TaskContext

Values = Callable[[Iterator[Any]], Iterator[Any]]


@dataclass(frozen=True, slots=True)
class Format:
    """What lies in the lanes that lead to one task. By value."""

    keyed: bool = False
    traced: bool = False
    numbered: bool = False
    """Whether each item names its input: in the hand's lane of a task with several."""
    asked: bool = False
    """Whether each item says to which question it belongs."""
    kept_bytes: int = 0
    """How much each task remembers of the packets that it has made, where they are traced."""

    def element(self, key: Any, payload: Any) -> Any:
        """The element of a payload; `key` counts where it is keyed."""
        return (key, payload) if self.keyed else payload

    def parts(self, element: Any) -> tuple[Any, Any]:
        """The key of an element, None where there is none, and its payload."""
        return element if self.keyed else (None, element)

    def element_of(self, item: Any) -> Any:
        """What an item of a lane, not the hand's, holds."""
        if self.asked:
            item = item[1]
        return self.element(item.key, item.payload) if self.traced else item

    def question_of(self, item: Any) -> Borne | None:
        """To which question an item of a lane belongs."""
        if not self.asked:
            return None
        question: Borne | None = (item[1] if self.numbered else item)[0]
        return question

    def packet(self, item: Any, task: str, lane: Lane, place: Place) -> Packet:
        """An item of a lane of `task` as a person sees it."""
        number, item = item if self.numbered else (lane.input, item)
        if self.asked:
            item = item[1]
        if self.traced:
            traced: Packet = replace(item, place=place)
            return traced
        key, payload = self.parts(item)
        return Packet(payload, key, number, self.keyed, task, lane.producer, place)

    def exchanged(self, before: Any, item: Any) -> Any:
        """What is to lie in place of the item `before`: `item`, untraced, with all that travels with the packet."""
        if self.numbered:
            return (item[0], replace(self, numbered=False).exchanged(before[1], item[1]))
        if self.asked:
            return (before[0], replace(self, asked=False).exchanged(before[1], item))
        if not self.traced:
            return item
        key, payload = self.parts(item)
        return replace(before, key=key, payload=payload, edited=True)

    def told(self, item: Any, tell: Callable[[Any], Told]) -> Any:
        """What replaces an item whose payload is released: the same, made of previews."""
        if self.numbered:
            return (item[0], replace(self, numbered=False).told(item[1], tell))
        key, payload = self.parts(self.element_of(item))
        return self.exchanged(item, self.element(tell(key) if self.keyed else None, tell(payload)))

    def stamped(
        self, task: str, hand: Lane, now: Callable[[], float], of_task: Tracer | None
    ) -> Callable[[Any], Any] | None:
        """What makes an item of an untraced element that the hand puts in; None where the two are the same."""
        if not self.traced or of_task is None:
            return None
        tracer, producer = Tracer(f"{hand.producer}/{task}", now, of_task.made.of_hand()), hand.producer

        def stamp(item: Any, number: int = 0) -> Any:
            return (item[0], stamp_bare(item[1], number)) if self.asked else stamp_bare(item, number)

        def stamp_bare(element: Any, number: int) -> Packet:
            tracer.made.draw(None)
            if type(element) is Again:
                tracer.made.draw(element.packet)
                element = element.element
            key, payload = self.parts(element)
            return tracer.packet(payload, key, number, self.keyed, task, producer)

        return (lambda item: (item[0], stamp(item[1], item[0]))) if self.numbered else stamp

    def carried(self, tracer: Tracer, element: Any, task: str, number: int, producer: str) -> Any:
        """What lies in a lane to `task` for `element`, with what travels with it."""
        inner = element
        if self.traced:
            key, payload = self.parts(element)
            inner = tracer.packet(payload, key, number, self.keyed, task, producer)
        return tracer.item(inner) if isinstance(tracer, Bearer) else inner

    def stamps(self, task: str, now: Callable[[], float]) -> Tracer | None:
        """What gives the packets of a producer what travels with them; None where nothing does."""
        if not self.asked and not self.traced:
            return None
        made = Made(self.kept_bytes)
        return Bearer(task, now, made, traced=self.traced) if self.asked else Tracer(task, now, made)


def number_of(item: Any) -> Any:
    """The input that a numbered item names."""
    return item[0]


def without_numbers(items: list[Any]) -> tuple[list[int], list[Any]]:
    """Numbered items, taken apart: their inputs, and the items of these."""
    return [number for number, _ in items], [item for _, item in items]


# ── what operators are given ──


class Given:
    """What an operator is given of the elements of its queue: each payload, with what else it wants of it."""

    def __init__(self, format: Format, operator: Operator, ctx: TaskContext, tracer: Tracer | None) -> None:
        self._format, self._ctx, self._tracer = format, ctx, tracer
        self._with_keys = format.keyed and operator.wants_keys
        self._with_inputs = operator.wants_input
        self.give_to(operator)

    def give_to(self, operator: Operator) -> None:
        """Between two packets: as it is by now, whose function may have become one that can ask for the key."""
        format, ctx, tracer = self._format, self._ctx, self._tracer
        self.values: Values | None = None
        """Makes values from items of lanes, but for the numbers of inputs; None if they are the same."""
        if format.keyed and not (operator.wants_keys and not operator.has_context):
            self.values = partial(ctx.with_keys, bare=not operator.wants_keys)
        self.bare = _opened(format, self.values) if format.asked or format.traced else self.values
        """The same of items that are not drawn by it, and do not leave."""
        if isinstance(tracer, Bearer):
            self.values = _borne(format, tracer, self.values, with_question=operator.wants_question)
        elif tracer is not None:
            self.values = _drawn(format, tracer, self.values)

    def payload(self, item: Any) -> Any:
        """The payload of an item of a lane."""
        return self._format.parts(self._format.element_of(item))[1]

    def key(self, item: Any) -> Any:
        """The key of an item of a lane; None where there are none."""
        return self._format.parts(self._format.element_of(item))[0]

    def value(self, item: Any) -> Any:
        """What the operator was given for an item of a lane, without the number of its input."""
        element = self._format.element_of(item)
        return element if self._with_keys else self._format.parts(element)[1]

    def parts(self, value: Any) -> tuple[Any, Any, int]:
        """The payload, the key and the input of what the operator was given last."""
        number, value = value if self._with_inputs else (0, value)
        key, payload = value if self._with_keys else (self._ctx.key if self._format.keyed else None, value)
        return payload, key, number


def _drawn(format: Format, tracer: Tracer, values: Values | None) -> Values:
    keyed, draw = format.keyed, tracer.draw

    def elements(packets: Iterator[Packet]) -> Iterator[Any]:
        for packet in packets:
            draw(packet)
            yield (packet.key, packet.payload) if keyed else packet.payload

    return elements if values is None else lambda packets: values(elements(packets))


def _borne(format: Format, bearer: Bearer, values: Values | None, *, with_question: bool) -> Values:
    element_of = replace(format, asked=False).element_of

    def opened(items: Iterator[Any]) -> Iterator[Any]:
        elements = map(element_of, bearer.drawn(items)) if format.traced else bearer.drawn(items)
        return elements if values is None else values(elements)

    if not with_question:
        return opened
    return lambda items: ((bearer.borne, value) for value in opened(items))


def _opened(format: Format, values: Values | None) -> Values:
    def elements(items: Iterator[Any]) -> Iterator[Any]:
        return map(format.element_of, items)

    return elements if values is None else lambda items: values(elements(items))


# ── of a graph ──


def format_of(graph: ExecutionGraph, operator: str, *, by_hand: bool = False) -> Format:
    """What lies in the lanes of each of the operator's tasks; or in those of the hand there."""
    keyed = any(edge.strategy == "hash" for edge in graph.inputs(operator))
    kept_bytes = KEPT_BYTES // max(1, len(graph.nodes))
    return Format(keyed, graph.traced, by_hand and len(graph.input_numbers(operator)) > 1, graph.asked, kept_bytes)


def item_by_hand(graph: ExecutionGraph, operator: str, number: int, element: Any, question: Borne | None = None) -> Any:
    """What the hand puts into the queue of a task of `operator`, for its input of this number."""
    item = (question, element) if graph.asked else element
    return item if graph.by_name[operator].traits.is_input else numbered_by_hand(graph, operator, number, item)


def numbered_by_hand(graph: ExecutionGraph, operator: str, number: int, item: Any) -> Any:
    """The same for an item that says already to which question it belongs, or is put in the place of one that does."""
    return (number, item) if format_of(graph, operator, by_hand=True).numbered else item


def rekeyed(graph: ExecutionGraph, task: str, number: int, producer: str, value: Any) -> Any:
    """The element for `value` in place of one that `producer` (a task, or `hand`) has put on an input of `task`.

    Where it is keyed, it comes with the key that it has itself.

    Raises `CommandRefused` if the key belongs to another task, and what the key function raises.
    """
    operator_of = {node.name: node.operator for node in graph.nodes}
    operator = operator_of[task]
    if not (format := format_of(graph, operator)).keyed:
        return value
    edges = [edge for edge in graph.inputs(operator) if edge.input == number and edge.key is not None]
    # Where streams are united, each comes with a key of its own.
    edge = next((edge for edge in edges if edge.source == operator_of.get(producer)), edges[0] if edges else None)
    if edge is None or edge.key is None:
        raise CommandRefused(f"input {number} of {operator!r} is not keyed")
    key = edge.key(value)
    owner = Partition(graph.tasks(operator)).find(key)
    if owner != task:
        raise CommandRefused(
            f"with key {preview(key)} the packet would belong to {owner!r}, not to {task!r}; drop it and "
            f"inject({operator!r}, …)"
        )
    return format.element(key, value)
