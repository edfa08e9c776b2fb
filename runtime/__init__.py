"""A dataflow runtime that a person can open up: tasks, services, queues, packets and stop signals, on threads."""

import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _sys.platform == "emscripten":
    from runtime.browser.install import install as _install

    _install()

from runtime.batches.context import BatchContext
from runtime.builder.collected import Collected
from runtime.builder.connected import ConnectedStreams
from runtime.builder.environment import Environment
from runtime.builder.stream import KeyedStream, Stream
from runtime.communication.packet import Packet
from runtime.context import ServiceContext, TaskContext
from runtime.control.breakpoints import Breakpoint, Tap
from runtime.control.calling import Service, Services
from runtime.control.holding import Held
from runtime.dispatcher import Dispatcher
from runtime.errors import (
    NO_PACKET,
    AlreadyStarted,
    AsyncRefused,
    Cancelled,
    CommandRefused,
    CyclicGraph,
    DataflowError,
    DuplicateName,
    GraphFrozen,
    GraphInvalid,
    InputOpen,
    JobHeld,
    JobPaused,
    LostReply,
    NoReply,
    NotCopyable,
    NotInBrowser,
    NotOne,
    NotPaused,
    NotSendable,
    NotStarted,
    PacketGone,
    QueueFull,
    QueueUnreachable,
    ResultsTooLarge,
    ServiceFailed,
    ServiceLoop,
    ServicePaused,
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
    WrongBatch,
    WrongThread,
)
from runtime.facts import (
    ChainFacts,
    Columns,
    Event,
    LaneFacts,
    Outcome,
    QuestionFacts,
    ServiceFacts,
    SignalFacts,
    Snapshot,
    Spent,
    Stretch,
    TaskFacts,
    TaskTable,
    Times,
)
from runtime.graph import ExecutionGraph
from runtime.graph.policy import OnError, Retry
from runtime.graph.rate import Rate
from runtime.history.dead_letters import DeadLetter, DeadLetters
from runtime.job_manager import JobManager
from runtime.operators import IDLE, Function, SourceFunction
from runtime.origins.origin import Origin
from runtime.questions.question import Replies
from runtime.renamed import old_names as _old_names
from runtime.reporting.metrics import prometheus
from runtime.reporting.profile import Profile, ProfileLine
from runtime.service.invocation import Interceptor, Invocation
from runtime.session import Session
from runtime.step import Path, QueueView, Step

__all__ = [
    "IDLE",
    "NO_PACKET",
    "AlreadyStarted",
    "AsyncRefused",
    "BatchContext",
    "Breakpoint",
    "Cancelled",
    "ChainFacts",
    "Collected",
    "Columns",
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
    "Held",
    "InputOpen",
    "Interceptor",
    "Invocation",
    "JobHeld",
    "JobManager",
    "JobPaused",
    "KeyedStream",
    "LaneFacts",
    "LostReply",
    "NoReply",
    "NotCopyable",
    "NotInBrowser",
    "NotOne",
    "NotPaused",
    "NotSendable",
    "NotStarted",
    "OnError",
    "Origin",
    "Outcome",
    "Packet",
    "PacketGone",
    "Path",
    "Profile",
    "ProfileLine",
    "QuestionFacts",
    "QueueFull",
    "QueueUnreachable",
    "QueueView",
    "Rate",
    "Replies",
    "ResultsTooLarge",
    "Retry",
    "Service",
    "ServiceContext",
    "ServiceFacts",
    "ServiceFailed",
    "ServiceLoop",
    "ServicePaused",
    "ServiceStopped",
    "ServiceTimeout",
    "Services",
    "Session",
    "SignalFacts",
    "Snapshot",
    "SourceFunction",
    "SourceSpent",
    "Spent",
    "Step",
    "Stream",
    "Stretch",
    "Tap",
    "TaskContext",
    "TaskEnded",
    "TaskFacts",
    "TaskFailed",
    "TaskLost",
    "TaskTable",
    "Times",
    "UnconsumedStream",
    "UnknownName",
    "UnstableKey",
    "WrongArguments",
    "WrongBatch",
    "WrongThread",
    "prometheus",
]

if _sys.platform == "emscripten":
    from runtime.session.looks import let_others_go_on as _let_others_go_on

    _let_others_go_on()

if not _TYPE_CHECKING:  # to mypy a module that answers for any name has no slips
    __getattr__ = _old_names(__name__, {"AsyncFunction": "AsyncRefused"})
