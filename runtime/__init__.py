"""A dataflow runtime that a person can open up: tasks, services, queues, packets and stop signals, on threads."""

from runtime.collected import Collected
from runtime.connected import ConnectedStreams
from runtime.context import ServiceContext, TaskContext
from runtime.dead_letters import DeadLetter, DeadLetters
from runtime.dispatcher import Dispatcher
from runtime.environment import Environment, KeyedStream, Stream
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
    LostReply,
    NotCopyable,
    NotStarted,
    QueueFull,
    QueueUnreachable,
    ServiceFailed,
    ServiceLoop,
    ServiceStopped,
    ServiceTimeout,
    SourceSpent,
    TaskEnded,
    TaskFailed,
    TaskLost,
    UnconsumedStream,
    UnknownName,
    UnstableKey,
    WrongArguments,
)
from runtime.facts import Event, LaneFacts, Outcome, ServiceFacts, Snapshot, TaskFacts
from runtime.graph import ExecutionGraph
from runtime.job_manager import JobManager
from runtime.metrics import prometheus
from runtime.operators import Function, SourceFunction
from runtime.policy import Retry
from runtime.service.invocation import Invocation
from runtime.session import Session

__all__ = [
    "NO_PACKET",
    "AlreadyStarted",
    "AsyncFunction",
    "Cancelled",
    "Collected",
    "CommandRefused",
    "ConnectedStreams",
    "CyclicGraph",
    "DataflowError",
    "DeadLetter",
    "DeadLetters",
    "Dispatcher",
    "DuplicateName",
    "Environment",
    "Event",
    "ExecutionGraph",
    "Function",
    "GraphFrozen",
    "GraphInvalid",
    "InputOpen",
    "Invocation",
    "JobManager",
    "KeyedStream",
    "LaneFacts",
    "LostReply",
    "NotCopyable",
    "NotStarted",
    "Outcome",
    "QueueFull",
    "QueueUnreachable",
    "Retry",
    "ServiceContext",
    "ServiceFacts",
    "ServiceFailed",
    "ServiceLoop",
    "ServiceStopped",
    "ServiceTimeout",
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
    "WrongArguments",
    "prometheus",
]
