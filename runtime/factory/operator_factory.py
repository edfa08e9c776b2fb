"""From an operator's record to the operator that runs: which class a kind is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from runtime.errors import GraphInvalid, UnknownName
from runtime.graph import OperatorNode
from runtime.operators import (
    CoFlatMap,
    Collect,
    CoMap,
    Filter,
    FlatMap,
    Input,
    Join,
    Map,
    Operator,
    Reduce,
    Sink,
    Source,
    Take,
)

Make = Callable[[OperatorNode, Any, int], Operator]


def _source(node: OperatorNode, function: Any, index: int) -> Operator:
    return Source(function, index=index, parallelism=node.parallelism)


_KINDS: Final[dict[str, Make]] = {
    "source": _source,
    "input": lambda node, function, index: Input(),
    "map": lambda node, function, index: Map(function),
    "filter": lambda node, function, index: Filter(function),
    "flat_map": lambda node, function, index: FlatMap(function),
    "reduce": lambda node, function, index: Reduce(function, **node.options),
    "take": lambda node, function, index: Take(**node.options),
    "co_map": lambda node, function, index: CoMap(*function),
    "co_flat_map": lambda node, function, index: CoFlatMap(*function),
    "join": lambda node, function, index: Join(function, **node.options),
    "sink": lambda node, function, index: Sink(function),
    "collect": lambda node, function, index: Collect(function),
}


def register_operator(kind: str, make: Make) -> None:
    """Offer another kind of operator. `make(node, function, index)` gets the copy of the function that is its own."""
    if _KINDS.setdefault(kind, make) is not make:
        raise GraphInvalid(f"operator kind {kind!r} is registered already; give yours another name")


def create_operator(node: OperatorNode, index: int, function: Any) -> Operator:
    """The operator of instance `index`, with a function of its own. Raises `UnknownName`."""
    make = _KINDS.get(node.kind)
    if make is None:
        raise UnknownName("operator kind", node.kind, _KINDS)
    return make(node, function, index)
