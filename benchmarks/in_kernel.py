"""What the figures of the view do inside a kernel: sessions to look at, frames one by one, and driving a sampler.

CPU time is that of all threads of the kernel, the one that sends included: each block ends when all is sent.
"""

from __future__ import annotations

import json
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from itertools import cycle
from time import process_time, thread_time
from typing import Any, Final

import anywidget
import traitlets

import runtime
from benchmarks.steps import Count, add_one
from sage_nb.sampler import PERIOD_S, Sampler
from sage_nb.view_hub import DASHBOARD, ViewHub, hub_of

Meshes = dict[int, tuple[int, int]]
MESHES: Final[Meshes] = {10: (5, 2), 50: (5, 10), 200: (20, 10)}
"""So many tasks, as operators in a row and instances of each, every one joined to all of the next."""

CAPACITY: Final = 100_000
BLOCK: Final = 20  # of one kind before it is the next one's turn

FRAME: Final = "frame"
INJECT: Final = "inject"
TEXT: Final = "text"
RECORD: Final = "record"
KINDS: Final = (FRAME, INJECT, TEXT, RECORD)


def session_of(tasks: int) -> runtime.Session:
    """A mesh of so many tasks, whose source never makes anything by itself if it is paused."""
    operators, instances = MESHES[tasks]
    session = runtime.Session(f"mesh of {tasks}", capacity=CAPACITY)
    stream: runtime.Stream[int] = session.source(range(tasks), name="source", parallelism=instances)
    for number in range(operators - 2):
        stream = stream.map(add_one, name=f"stage {number + 1}", parallelism=instances)
    stream.sink(Count().count, name="sink", parallelism=instances)
    return session


class Peer(anywidget.AnyWidget):
    """A widget that somebody else would write: one trait of text, and one of JSON."""

    _esm = "export default { render() {} };"
    text = traitlets.Unicode().tag(sync=True)
    record = traitlets.Dict().tag(sync=True)


class Frames:
    """One session, paused, its view, and a peer beside it."""

    def __init__(self, tasks: int) -> None:
        self.session = session_of(tasks)
        self.session.start(paused=True)
        self._hub: ViewHub = hub_of(self.session)
        self.view = self._hub.view(DASHBOARD)
        self._sampler = Sampler(weakref.ref(self.session), self._hub)
        self._sampler.sample(self.session)  # the plan, and the first frame
        self.peer = Peer()
        self.targets = [name for name in self.session.snapshot().depths if not name.startswith("source")]
        self._next = cycle(self.targets)
        self.injected = self.frames = self.peers = 0

    def inject(self) -> None:
        """Make the next frame another one."""
        self.session.inject(next(self._next), 1)
        self.injected += 1

    def frame(self) -> None:
        """What the sampler does ten times a second, with something new to see."""
        self.inject()
        self._sampler.sample(self.session)
        self.frames += 1

    def text(self) -> None:
        """As many characters as a frame has, other ones each time."""
        self.peers += 1
        self.peer.text = f"{self.peers:09}{self.view.frame[9:]}"

    def record(self) -> None:
        """A record of the size of a frame, another one each time."""
        self.peers += 1
        self.peer.record = {**self._record, "number": self.peers}

    def blocks(self, each: int) -> dict[str, list[float]]:
        """CPU time in ms of a frame with its inject, of an inject, and of what the peer does: a value a block."""
        acts: dict[str, Callable[[], None]] = {kind: getattr(self, kind) for kind in KINDS}
        self._record: dict[str, Any] = json.loads(self.view.frame)
        found: dict[str, list[float]] = {kind: [] for kind in KINDS}
        order = list(KINDS)
        for kind in order:
            _cpu_ms(acts[kind], 3)  # the first ones are slower, whatever they are
        for _ in range(max(1, each // BLOCK)):
            for kind in order:
                found[kind].append(_cpu_ms(acts[kind], min(BLOCK, each)))
            order.reverse()
        return found

    def depths(self) -> dict[str, int]:
        """How many packets wait for each task, as the session says."""
        return self.session.snapshot().depths


def _cpu_ms(act: Callable[[], None], times: int) -> float:
    sys.stdout.flush()  # waits for all that the kernel's thread has still to send
    began_s = process_time()
    for _ in range(times):
        act()
    sys.stdout.flush()
    return 1e3 * (process_time() - began_s) / times


def drive(session: runtime.Session, targets: Sequence[str], seconds: float) -> float:
    """Change something ten times a second. CPU time in s that all other threads took meanwhile."""
    sys.stdout.flush()
    began_s, own_s = process_time(), thread_time()
    for number in range(max(2, round(seconds / PERIOD_S))):
        session.inject(targets[number % len(targets)], 1)
        time.sleep(PERIOD_S)
    return process_time() - began_s - (thread_time() - own_s)
