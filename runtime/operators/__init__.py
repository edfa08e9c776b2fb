"""The operators: what is done with packets, apart from queues and threads."""

from runtime.operators.function import Function, SourceFunction
from runtime.operators.items import IDLE, Indexed, OneRun, SharedItems, is_indexed, must_be_shared
from runtime.operators.joined import CoFlatMap, CoMap, Join
from runtime.operators.kinds import class_of, register_operator
from runtime.operators.operator import Operator
from runtime.operators.source import Source
from runtime.operators.stateful import NO_INITIAL, Reduce, Take
from runtime.operators.stateless import Collect, Filter, FlatMap, Input, Map, Sink

__all__ = [
    "IDLE",
    "NO_INITIAL",
    "CoFlatMap",
    "CoMap",
    "Collect",
    "Filter",
    "FlatMap",
    "Function",
    "Indexed",
    "Input",
    "Join",
    "Map",
    "OneRun",
    "Operator",
    "Reduce",
    "SharedItems",
    "Sink",
    "Source",
    "SourceFunction",
    "Take",
    "class_of",
    "is_indexed",
    "must_be_shared",
    "register_operator",
]
