"""Which class a kind of operator is. What there is to know of a kind stands on its class."""

from __future__ import annotations

from typing import Final

from runtime.errors import GraphInvalid, UnknownName
from runtime.operators.awaited import AWAITED
from runtime.operators.joined import CoFlatMap, CoMap, Join
from runtime.operators.operator import Operator
from runtime.operators.source import Source
from runtime.operators.stateful import Count, Reduce, Scan, Take
from runtime.operators.stateless import Collect, Filter, FlatMap, Input, Map, Sink

_KINDS: Final[dict[str, type[Operator]]] = {
    "source": Source,
    "input": Input,
    "map": Map,
    "filter": Filter,
    "flat_map": FlatMap,
    "reduce": Reduce,
    "count": Count,
    "scan": Scan,
    "take": Take,
    "co_map": CoMap,
    "co_flat_map": CoFlatMap,
    "join": Join,
    "sink": Sink,
    "collect": Collect,
    **AWAITED,
}


def register_operator(kind: str, operator: type[Operator]) -> None:
    """Offer another kind of operator. Raises `GraphInvalid` if another class has this name."""
    if _KINDS.setdefault(kind, operator) is not operator:
        raise GraphInvalid(f"operator kind {kind!r} is registered already; give yours another name")


def class_of(kind: str) -> type[Operator]:
    """The class of a kind. Raises `UnknownName`."""
    operator = _KINDS.get(kind)
    if operator is None:
        raise UnknownName("operator kind", kind, _KINDS)
    return operator
