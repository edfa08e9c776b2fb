"""What is seen of a task or service in another process at one moment, by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.facts import ServiceFacts, TaskFacts
from runtime.remote.remote_lane import Address
from runtime.scheduling.worker_state import GONE, WorkerState


@dataclass(frozen=True, slots=True)
class Look:
    """One look. `worker` is what its `WorkerControl` says of it.

    `still`: nothing of it moves, and all that it sent has been received; `moved` is a number that changes with all that
    it does. `puts` is how many packets it has put into which lane in all, `taken` how many have left each lane of its
    queue, the hand's first, `removed` how many of these by hand. `busy`: of a service, it may call others yet.
    """

    facts: TaskFacts | ServiceFacts
    worker: WorkerState = GONE
    still: bool = True
    moved: tuple[int, ...] = ()
    injected: int = 0
    hand_closed: bool = True
    broken_off: int = 0
    refused: int = 0
    removed: int = 0
    puts: Mapping[Address, int] = field(default_factory=dict)
    taken: tuple[int, ...] = ()
    busy: bool = False
