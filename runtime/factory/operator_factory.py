"""From an operator's record to the operator that runs: which class a kind is, and a copy of the function for each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

from runtime.errors import GraphInvalid, NotCopyable, UnknownName
from runtime.graph import OperatorNode
from runtime.operators import (
    Filter,
    FlatMap,
    Function,
    Input,
    Map,
    Operator,
    Reduce,
    Sink,
    Source,
    SourceFunction,
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
    "sink": lambda node, function, index: Sink(function),
    "collect": lambda node, function, index: Sink(function),
}


def register_operator(kind: str, make: Make) -> None:
    """Offer another kind of operator. `make(node, function, index)` gets the copy of the function that is its own."""
    if _KINDS.setdefault(kind, make) is not make:
        raise GraphInvalid(f"operator kind {kind!r} is registered already; give yours another name")


def create_operator(node: OperatorNode, index: int) -> Operator:
    """The operator of instance `index`. Raises `NotCopyable` if its function cannot be copied, `UnknownName`."""
    make = _KINDS.get(node.kind)
    if make is None:
        raise UnknownName("operator kind", node.kind, _KINDS)
    return make(node, _own_function(node), index)


def _own_function(node: OperatorNode) -> Any:
    function = node.function
    if node.parallelism == 1 or not isinstance(function, Function | SourceFunction):
        return function
    try:
        return copy.deepcopy(function)
    except Exception as error:  # the border to user code
        raise NotCopyable(
            f"{node.name!r} has parallelism {node.parallelism}, so each instance gets a copy of its "
            f"{type(function).__name__}, and that cannot be copied ({error}); "
            "open files, locks and connections in open()"
        ) from error
