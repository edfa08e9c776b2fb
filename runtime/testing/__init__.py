"""What tests of dataflows want: a guard against what stays behind, waits that cannot hang, a watch over queues, faults
on purpose, a search through the orders in which a graph may run, whether functions change packets in place, and what
was done by hand as a test.
"""

from runtime.session.written import as_test
from runtime.testing.changes import ChangedInPlace, check_unchanged
from runtime.testing.checks import (
    PATIENCE_S,
    FaultInjector,
    Finding,
    Hold,
    InjectedFault,
    LeakFound,
    Moment,
    QueueWatch,
    check_bounded,
    explore,
    leak_guard,
)

__all__ = [
    "PATIENCE_S",
    "ChangedInPlace",
    "FaultInjector",
    "Finding",
    "Hold",
    "InjectedFault",
    "LeakFound",
    "Moment",
    "QueueWatch",
    "as_test",
    "check_bounded",
    "check_unchanged",
    "explore",
    "leak_guard",
]
