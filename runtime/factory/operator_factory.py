"""From an operator's record to the operator that runs: which class a kind is, and a copy of the function for each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

from runtime.errors import GraphInvalid, NotCopyable, UnknownName
from runtime.graph import CoFunctions, OperatorNode
from runtime.operators import (
    CoFlatMap,
    CoMap,
    Filter,
    FlatMap,
    Function,
    Input,
    Join,
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
    "co_map": lambda node, function, index: CoMap(*function),
    "co_flat_map": lambda node, function, index: CoFlatMap(*function),
    "join": lambda node, function, index: Join(function, **node.options),
    "sink": lambda node, function, index: Sink(function),
    "collect": lambda node, function, index: Sink(function),
}


def register_operator(kind: str, make: Make) -> None:
    """Offer another kind of operator. `make(node, function, index)` gets the copy of the function that is its own."""
    if _KINDS.setdefault(kind, make) is not make:
        raise GraphInvalid(f"operator kind {kind!r} is registered already; give yours another name")


def create_operator(node: OperatorNode, index: int) -> Operator:
    """The operator of instance `index`. Raises `NotCopyable` if its functions cannot be copied, `UnknownName`."""
    make = _KINDS.get(node.kind)
    if make is None:
        raise UnknownName("operator kind", node.kind, _KINDS)
    return make(node, _own_function(node), index)


def _own_function(node: OperatorNode) -> Any:
    with_state = [function for function in node.functions if isinstance(function, Function | SourceFunction)]
    if node.parallelism == 1 or not with_state:
        return node.function
    try:
        copies = copy.deepcopy(with_state)  # of two at once: what they share is shared by their copies
    except Exception as error:  # the border to user code
        names = " and ".join(type(function).__name__ for function in with_state)
        raise NotCopyable(
            f"{node.name!r} has parallelism {node.parallelism}, so each instance gets a copy of its "
            f"{names}, and that cannot be copied ({error}); "
            "open files, locks and connections in open()"
        ) from error
    own = {id(function): its_copy for function, its_copy in zip(with_state, copies, strict=True)}
    functions = [own.get(id(function), function) for function in node.functions]
    return CoFunctions(*functions) if isinstance(node.function, CoFunctions) else functions[0]
