"""Whole graphs as plans, and what plain Python expects of them: multisets of numbers, order by signature. No threads.

A plan is data, drawn up front. What a function of a plan does is fixed by the payload alone, so the oracle needs
neither threads nor queues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Kind = Literal["map", "filter", "flat_map", "reduce", "fold", "take", "co_map", "join"]
Slow = Literal["", "busy", "yield", "sleep"]


@dataclass(frozen=True)
class Source:
    """`items` numbers; a generator makes them for each instance, a list is shared among them."""

    items: int
    parallelism: int = 1
    generator: bool = False
    slow: Slow = ""


@dataclass(frozen=True)
class Stage:
    """An operator fed by earlier nodes (sources first, then stages, counted through), each edge with its strategy."""

    kind: Kind
    inputs: tuple[int, ...]
    strategies: tuple[str, ...]
    number: int = 2
    parallelism: int = 1
    capacity: int = 1
    at_end: bool = False
    as_function: bool = False
    slow: Slow = ""

    @property
    def one_input(self) -> bool:
        """Whether it is neither connected nor joined."""
        return self.kind not in ("co_map", "join")

    @property
    def sides(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Which nodes feed its first input, and its second if it has two: every other one; a single node feeds both."""
        if self.one_input:
            return self.inputs, ()
        return self.inputs[::2], self.inputs[1::2] or self.inputs[:1]

    @property
    def ways_in(self) -> tuple[int, ...]:
        """The nodes that feed it, once for each edge."""
        return self.sides[0] + self.sides[1]

    @property
    def how(self) -> Literal["inner", "left", "outer"]:
        """Of a join."""
        hows: tuple[Literal["inner", "left", "outer"], ...] = ("inner", "left", "outer")
        return hows[self.number % 3]


@dataclass(frozen=True)
class Trouble:
    """At packet `at`, counted over all its instances, the function of `node` raises, or commands the session.

    `skip` and `retry` raise, too, once, and are the policy of the whole session.
    """

    what: Literal["raise", "stop", "cancel", "skip", "retry"]
    node: int
    at: int
    from_another_thread: bool = False


@dataclass(frozen=True)
class Plan:
    sources: tuple[Source, ...]
    stages: tuple[Stage, ...]
    trouble: Trouble | None = None
    collected: tuple[int, ...] = ()  # nodes that are collected although somebody else consumes them

    @property
    def nodes(self) -> tuple[Source | Stage, ...]:
        return self.sources + self.stages

    def ends(self) -> list[int]:
        """The nodes that are collected."""
        consumed = {node for stage in self.stages for node in stage.inputs}
        return [node for node in range(len(self.nodes)) if node not in consumed or node in self.collected]


class Item(NamedTuple):
    """A payload: who made it, the how many-th of his it is, and the number that counts."""

    maker: Any
    place: int
    value: int


class Planned(Exception):
    """The error that a plan wants."""


def opened(payload: Any) -> Item:
    """The item of a payload; a keyed reduce has put its key beside it."""
    if type(payload) is Item:
        return payload
    key, item = payload
    return Item(item.maker, item.place, paired(key, item.value))


def paired(key: int, value: int) -> int:
    return key * 31 + value


def item_value(place: int) -> int:
    return place * 7 % 50


def mapped(stage: Stage, value: int) -> int:
    return (value * 3 + stage.number) % 101


def passes(stage: Stage, value: int) -> bool:
    return value % (stage.number + 1) != 0


def multiplied(stage: Stage, value: int) -> list[int]:
    return [value + more for more in range((value + stage.number) % 3)]


def co_mapped(stage: Stage, value: int) -> int:
    return (value * 5 + stage.number) % 103


def joined(left: int | None, right: int | None) -> int:
    return ((101 if left is None else left) * 7 + (103 if right is None else right)) % 107


def key_of(stage: Stage, value: int) -> int:
    return value % (stage.number + 1)


# ── the oracle ──

Stream = Counter[int]


class Changes:
    """What happens in a run beside the functions of its plan: what each node has skipped, unless others say more."""

    def __init__(self, skipped: Mapping[int, Stream]) -> None:
        self.skipped = skipped

    def worked(self, node: int, into: Stream) -> Stream:
        """Of what comes to a node, that which it does not skip."""
        return into - self.skipped.get(node, Counter())

    def answered(self, node: int, made: Stream) -> Stream:
        """What is sent in place of what the node has made."""
        return made


def expected(plan: Plan, drawn: list[list[int]], changes: Changes | None = None) -> tuple[list[Stream], list[Stream]]:
    """What each node's function is called for, and what it sends, if its sources send the first `drawn` items."""
    changes = changes or Changes({})
    taken: list[Stream] = []
    sent: list[Stream] = []
    for source, counts in zip(plan.sources, drawn, strict=True):
        step = 1 if source.generator else source.parallelism
        starts = [0] * source.parallelism if source.generator else range(source.parallelism)
        made = Counter(
            item_value(start + step * n) for start, count in zip(starts, counts, strict=True) for n in range(count)
        )
        taken.append(made)
        sent.append(made)
    for node, stage in enumerate(plan.stages, len(plan.sources)):
        first, second = (arriving(stage, nodes, sent) for nodes in stage.sides)
        if stage.kind == "join":  # its function is called for each result, not for each packet
            made = all_joined(stage, list(first.elements()), list(second.elements()))
            taken.append(made)
        else:
            made = transformed(stage, changes.worked(node, first), changes.worked(node, second))
            taken.append(first + second)
        sent.append(changes.answered(node, made))
    return taken, sent


def arriving(stage: Stage, nodes: Iterable[int], sent: list[Stream]) -> Stream:
    into: Stream = Counter()
    strategies = dict(zip(stage.inputs, stage.strategies, strict=True))
    for node in nodes:
        for _ in range(stage.parallelism if strategies[node] == "broadcast" else 1):
            into.update(sent[node])
    return into


def all_joined(stage: Stage, lefts: list[int], rights: list[int]) -> Stream:
    """By comparing every value of the one side with every value of the other."""
    result = Counter(
        joined(left, right) for left in lefts for right in rights if key_of(stage, left) == key_of(stage, right)
    )
    left_keys, right_keys = ({key_of(stage, value) for value in side} for side in (lefts, rights))
    if stage.how != "inner":
        result.update(joined(left, None) for left in lefts if key_of(stage, left) not in right_keys)
    if stage.how == "outer":
        result.update(joined(None, right) for right in rights if key_of(stage, right) not in left_keys)
    return result


def transformed(stage: Stage, into: Stream, second: Stream) -> Stream:
    values = list(into.elements())
    match stage.kind:
        case "co_map":
            ours = Counter(mapped(stage, value) for value in values)
            return ours + Counter(co_mapped(stage, value) for value in second.elements())
        case "map":
            return Counter(mapped(stage, value) for value in values)
        case "filter":
            return Counter(value for value in values if passes(stage, value))
        case "flat_map":
            return Counter(many for value in values for many in multiplied(stage, value))
        case "fold":
            return counted(len(values), stage.at_end)
        case "reduce":
            result: Stream = Counter()
            for key, size in Counter(key_of(stage, value) for value in values).items():
                result.update({paired(key, count): 1 for count in counted(size, stage.at_end)})
            return result
        case "take":
            return into  # of these some, see check()
        case "join":
            raise AssertionError("see all_joined()")


def counted(size: int, at_end: bool) -> Stream:
    if at_end:
        return Counter([size] if size else [])
    return Counter(range(1, size + 1))


def signatures(plan: Plan) -> list[dict[int, bool]]:
    """For each node, who has signed the items it sends, and whether a consumer finds them in order per signer."""
    result: list[dict[int, bool]] = [{node: True} for node in range(len(plan.sources))]
    for node, stage in enumerate(plan.stages, len(plan.sources)):
        if stage.kind in ("filter", "take"):  # they pass on what others have signed
            ways = merged(result, stage.ways_in)
            result.append({signer: in_order and stage.parallelism == 1 for signer, in_order in ways.items()})
        else:
            result.append({node: not stage.at_end})
    return result


def merged(of_nodes: list[dict[int, bool]], inputs: Iterable[int]) -> dict[int, bool]:
    """Signers whose items come on one way only stay in order."""
    result: dict[int, bool] = {}
    for node in inputs:
        for signer, in_order in of_nodes[node].items():
            result[signer] = in_order and signer not in result
    return result


def fully_needed(plan: Plan) -> list[bool]:
    """Whether something other than a take wants all that a node sends."""
    result = [False] * len(plan.nodes)
    for node in reversed(range(len(plan.nodes))):
        is_take = isinstance(own := plan.nodes[node], Stage) and own.kind == "take"
        result[node] = node in plan.ends() and not is_take
        result[node] |= any(
            result[len(plan.sources) + place] and stage.kind != "take"
            for place, stage in enumerate(plan.stages)
            if node in stage.inputs
        )
    return result


def everything(source: Source, index: int) -> int:
    return source.items if source.generator else len(range(index, source.items, source.parallelism))
