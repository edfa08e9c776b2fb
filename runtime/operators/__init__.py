"""The operators: what is done with packets, apart from queues and threads."""

from runtime.operators.function import Function, SourceFunction
from runtime.operators.operator import Operator
from runtime.operators.source import Source
from runtime.operators.stateful import NO_INITIAL, Reduce, Take
from runtime.operators.stateless import Filter, FlatMap, Input, Map, Sink

__all__ = [
    "NO_INITIAL",
    "Filter",
    "FlatMap",
    "Function",
    "Input",
    "Map",
    "Operator",
    "Reduce",
    "Sink",
    "Source",
    "SourceFunction",
    "Take",
]
