"""A dataflow runtime that a person can open up: tasks, queues, packets and stop signals, on threads."""

from runtime.context import TaskContext
from runtime.dispatcher import Dispatcher
from runtime.environment import Collected, Environment, KeyedStream, Stream
from runtime.errors import (
    NO_PACKET,
    AlreadyStarted,
    AsyncFunction,
    Cancelled,
    CommandRefused,
    CyclicGraph,
    DataflowError,
    DuplicateName,
    GraphFrozen,
    GraphInvalid,
    InputOpen,
    NotCopyable,
    NotStarted,
    QueueFull,
    QueueUnreachable,
    SourceSpent,
    TaskEnded,
    TaskFailed,
    TaskLost,
    UnconsumedStream,
    UnknownName,
    UnstableKey,
)
from runtime.facts import Event, LaneFacts, Outcome, Snapshot, TaskFacts
from runtime.graph import ExecutionGraph
from runtime.job_manager import JobManager
from runtime.operators import Function, SourceFunction
from runtime.session import Session

__all__ = [
    "NO_PACKET",
    "AlreadyStarted",
    "AsyncFunction",
    "Cancelled",
    "Collected",
    "CommandRefused",
    "CyclicGraph",
    "DataflowError",
    "Dispatcher",
    "DuplicateName",
    "Environment",
    "Event",
    "ExecutionGraph",
    "Function",
    "GraphFrozen",
    "GraphInvalid",
    "InputOpen",
    "JobManager",
    "KeyedStream",
    "LaneFacts",
    "NotCopyable",
    "NotStarted",
    "Outcome",
    "QueueFull",
    "QueueUnreachable",
    "Session",
    "Snapshot",
    "SourceFunction",
    "SourceSpent",
    "Stream",
    "TaskContext",
    "TaskEnded",
    "TaskFacts",
    "TaskFailed",
    "TaskLost",
    "UnconsumedStream",
    "UnknownName",
    "UnstableKey",
]
