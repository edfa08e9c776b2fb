"""The operators: what is done with packets, apart from queues and threads."""

from runtime.operators.function import Function, SourceFunction
from runtime.operators.joined import CoFlatMap, CoMap, Join
from runtime.operators.operator import Operator
from runtime.operators.source import Source
from runtime.operators.stateful import NO_INITIAL, Reduce, Take
from runtime.operators.stateless import Filter, FlatMap, Input, Map, Sink

__all__ = [
    "NO_INITIAL",
    "CoFlatMap",
    "CoMap",
    "Filter",
    "FlatMap",
    "Function",
    "Input",
    "Join",
    "Map",
    "Operator",
    "Reduce",
    "Sink",
    "Source",
    "SourceFunction",
    "Take",
]
