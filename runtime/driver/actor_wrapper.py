"""ActorWrapper: a task or a service in another process, from the driver: its handle, its mail, what controls it.

Whatever the driver asks is answered by the process while user code runs. None of it raises because the process has
died: then it is what was known last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic, perf_counter
from typing import Any, ClassVar, Final, Protocol, cast

from runtime.context.report import TaskReport
from runtime.context.worker_control import Broke, Condition, Errand, TaskCommand, WorkerControl
from runtime.driver.job import Job
from runtime.errors import CommandRefused, NotSendable, QueueFull, TaskEnded, TaskLost
from runtime.facts import Ending, Past, ServiceFacts, Spent, TaskFacts
from runtime.python.stacks import Stack
from runtime.remote.by_value import Encoded, decode
from runtime.remote.channel import Channel, Message
from runtime.remote.codec import Serialized, not_sendable
from runtime.remote.host import Host, HostState
from runtime.scheduling.waiting import Until, Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.service.base_service_task import ServiceReporter
from runtime.service.invocation import Interceptor
from runtime.service.ray_service_task import RayServiceTask
from runtime.step import QueueView, Step
from runtime.task.base_task import TaskReporter
from runtime.task.ray_task import RayTask
from runtime.texts.preview import Told

_SLICE_S: Final = 1.0  # of a long step: an interrupt must not leave a thread of the actor waiting for ever


class RemoteWorkerControl(WorkerControl):
    """Controls what runs in another process, by calls of it."""

    def __init__(self, wrapper: ActorWrapper, job: Job) -> None:
        self._wrapper, self._job = wrapper, job
        self._under_way: Future[Any] | None = None  # a slice of a step; whoever asked for it may have given up

    def now(self) -> WorkerState:
        """Where it stands at this moment."""
        return self._wrapper.look().worker

    def step(self, deadline: float) -> Waiting[Step]:
        """One turn, waited for over there. Raises `NotPaused`."""
        wrapper = self._wrapper
        while True:
            left_s = max(0.0, deadline - monotonic())
            if self._under_way is None:
                self._under_way = wrapper.begin_ask("hand", "step", min(left_s, _SLICE_S))
                self._under_way.add_done_callback(lambda _: self._job.poller.wake())
            asked = self._under_way
            yield Until(asked.done, watched=False)
            self._under_way = None
            step: Step = wrapper.end_ask(asked)
            if step.result != "running" or left_s <= _SLICE_S:
                return step

    def stacks(self) -> list[Stack | None]:
        """Where each of its threads is at work now, over there."""
        if self._wrapper.is_lost or self._wrapper.is_gone():
            return [None]
        found: list[Stack | None] = self._wrapper.ask("control", "stacks")
        return found

    def have_done(self, what: Errand, *arguments: Any) -> Waiting[Any]:
        """Have it done over there."""
        asked = self._wrapper.begin_ask("hand", "have_done", what, *arguments)
        asked.add_done_callback(lambda _: self._job.poller.wake())
        yield Until(asked.done, watched=False)
        return self._wrapper.end_ask(asked)

    def peek(self, first: int, last: int) -> QueueView:
        """The first and the last packets of its queue."""
        if self._wrapper.is_lost:
            facts = self._wrapper.look().facts
            return QueueView(facts.name, (), 0, facts.capacity)
        return cast(QueueView, self._wrapper.ask("control", "peek", first, last))

    def set_tap(self, tap: Callable[[Step], None] | None) -> None:
        """Show every packet from the next on, in the driver."""
        self._wrapper.set_tap(tap)

    def set_breaks(self, conditions: Sequence[Condition], broke: Broke) -> None:
        """Before each packet, ask the conditions, there, whether to pause; say here which."""
        self._wrapper.set_breaks(conditions, broke)

    def ask(self, what: TaskCommand, *arguments: Any) -> Any:
        """Have it done there. If an undo needs a place in a lane, its writer is asked for that."""
        try:
            return self._wrapper.ask("hand", "ask", what, *arguments)
        except QueueFull:
            wanted = self._wrapper.ask("hand", "wanted")
            number = None if wanted is None else self._job.find_place(self._wrapper.name, wanted)
            if number is None:
                raise
            return self._wrapper.ask("hand", "undo_into", *arguments, number)


class Process(Channel, Protocol):
    """One process of a job, from the driver."""

    def kill(self) -> None:
        """End it at once."""


class ActorWrapper:
    """What the driver has of one process. A thread of the driver, the listener, takes what the process says."""

    hosts: ClassVar[type[Host]]
    """What is to run in the process."""

    def __init__(self, name: str, reporter: TaskReporter | ServiceReporter, job: Job) -> None:
        self.name = name
        self.process: Process | None = None  # until `begin`
        self.node: str | None = None
        self._reporter, self._job = reporter, job
        self.control = RemoteWorkerControl(self, job)
        self._heard = 0  # the last parcel from it that was taken in
        self._last: HostState | None = None
        self._final: HostState | None = None
        self._final_s = 0.0  # when that was heard
        self._is_gone = False
        # Guards the two below, and that exactly one who sees that it was started and has died says so.
        self._life = threading.Lock()
        self._started = False
        self._why: BaseException | None = None  # it has died
        self._tap: Callable[[Step], None] | None = None
        self._broke: Broke | None = None

    def begin(self, process: Process, made: Serialized) -> Future[Any]:
        """Have what is to run made in this process; `end_begin` is to hear the answer."""
        self.process = process
        return self.call("make", made)

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of the host over there. Returns at once."""
        assert self.process is not None, "nothing is there yet"
        return self.process.call(method, *arguments)

    def end_begin(self, node: str | None, sent: Encoded | None) -> BaseException | None:
        """It was made on this node, or could not be: why."""
        self.node = node
        return None if sent is None else decode(sent)

    @property
    def is_lost(self) -> bool:
        """Whether its process has died."""
        return self._why is not None

    # ── asking ──

    def ask(self, group: str, method: str, *arguments: Any) -> Any:
        """Call a method over there, and wait for what it returns.

        Raises what it raises, `NotSendable`, and `TaskEnded` if its process has died.
        """
        return self.end_ask(self.begin_ask(group, method, *arguments))

    def begin_ask(self, group: str, method: str, *arguments: Any) -> Future[Any]:
        """Call a method over there; `end_ask` waits for what it returns. Raises `NotSendable`."""
        try:
            said = self._job.endpoint.codec.encode(arguments)
        except Exception as error:  # the border to user code
            raise not_sendable(arguments[-1], error) from error
        return self.call(group, method, said)

    def end_ask(self, asked: Future[Any]) -> Any:
        """Wait for what a method returns. Raises what it raises, and `TaskEnded` if its process has died."""
        if (error := asked.exception()) is not None:
            raise TaskEnded(f"the process of {self.name!r} has died, and what it held is lost") from error
        result, failure = decode(asked.result())
        if failure is not None:
            raise failure
        return result

    def begin_look(self) -> Future[Any] | None:
        """Ask where it stands; `end_look` waits for the answer."""
        return None if self.is_lost else self.call("seen", self._heard)

    def end_look(self, asked: Future[Any] | None) -> None:
        """Wait for the answer. Without one, what was known last stays."""
        if asked is not None and asked.exception() is None:
            self._last = self._job.endpoint.codec.decode(asked.result())

    def begin_watch(self, wanted: bool, wish: int) -> Future[Any] | None:
        """Ask it to say when something changes, or no more, by the wish of this number."""
        return None if self.is_lost else self.call("let_driver_watch", wanted, wish)

    def grants(self, what: str, lane: tuple[str, int]) -> bool:
        """Whether it can lend a place of a lane that it fills, or take one back. One that has died cannot."""
        asked = self.call(what, lane)
        return asked.exception() is None and asked.result()

    def look(self) -> HostState:
        """Where it stands now. Raises `TaskLost` if it has died before it was ever looked at."""
        if not self._job.poller.is_looking() or self._last is None:
            self.end_look(self.begin_look())
        if self._last is None:
            raise self.lost(TaskEnded(f"{self.name!r} did not answer"))
        return self._last

    @property
    def last(self) -> HostState:
        """Where it stood when it was looked at last, or at its end."""
        return self._final or self._last or self.look()

    @property
    def counts(self) -> HostState:
        """What it has done so far, or had done at its end."""
        return self._final or self.look()

    def times(self) -> Spent:
        """Where its time has gone, by the clocks of its process."""
        return self.counts.spent if self._final is None else Spent(self._final.spent.whole)

    def past(self) -> Past:
        """How it stood with that when, by the same clocks; of one that has ended, counted from when that was heard."""
        with suppress(TaskEnded):
            if self._final is None:
                past: Past = self.ask("control", "past")
                return past
        if self._final is None:
            return ()
        since_s = perf_counter() - self._final_s
        return tuple([(ago_s + since_s, times) for ago_s, times in self._final.past])

    # ── life ──

    def start(self) -> None:
        """Let it run. If it has died meanwhile, that is its end."""
        with self._life:
            self._started = True
            died = self._why is not None
        if died:
            self._report_death()
        else:
            self._job.post(self.name, "start")

    def cancel(self) -> None:
        """End it after the packet in work, wherever it waits."""
        self._job.post(self.name, "cancel")

    def is_current(self) -> bool:
        """Whether the caller delivers its reports."""
        return self._job.is_listener()

    def is_gone(self) -> bool:
        """Whether it has ended and all it said has been heard."""
        return self._is_gone or not self._started

    def join(self) -> None:
        """No thread of the driver is its own."""

    def kill(self) -> None:
        """End its process, if there is one yet."""
        if self.process is not None:
            self.process.kill()

    # ── the listener ──

    def fetch(self) -> Future[Any]:
        """Ask for its next parcel."""
        return self.call("fetch", self._heard)

    def has_taken(self, number: int) -> None:
        """Parcel `number` was taken in, and all before it."""
        self._heard = number

    def take(self, messages: list[Message]) -> list[Message]:
        """Take what the process says of what it hosts; returns the rest."""
        return [message for message in messages if not self._hear(*message)]

    def _hear(self, verb: str, *said: Any) -> bool:
        if verb == "report":
            getattr(self._reporter, said[0])(*said[1:])
        elif verb == "skipped":
            self._reporter.skipped(decode(said[0]))
        elif verb == "tap":
            if self._tap is not None:
                self._tap(decode(said[0]))
        elif verb == "broke":
            if self._broke is not None:
                self._broke(*decode(said[0]))
        elif verb == "ended":
            with self._life:
                report, self._final = decode(said[0])
                self._final_s = perf_counter()
            self._reporter.task_ended(report)
        elif verb == "fault":
            raise decode(said[0])
        elif verb == "gone":
            self._is_gone = True
        else:
            return False
        return True

    def lose(self, why: BaseException) -> None:
        """Its process has died."""
        with self._life:
            self._why = why
            to_tell = self._started and self._final is None
        if to_tell:
            self._report_death()
        self._is_gone = True

    def _report_death(self) -> None:
        assert self._why is not None, "it has not died"
        self._last = self._final = self._as_lost(self.last)
        self._reporter.task_ended(TaskReport(self.name, "failed", self.lost(self._why)))

    def lost(self, why: BaseException) -> TaskLost:
        """What to say of its death, unless the reason is one that says it all."""
        if isinstance(why, TaskLost):
            return why
        error = TaskLost(
            f"the process of {self.name!r} has died{'' if self.node is None else f' on node {self.node}'}, and what it "
            "held is lost: what waited for it, what was in work, and what it had made and not sent yet"
        )
        error.__cause__ = why
        return error

    def _as_lost(self, last: HostState) -> HostState:
        facts = last.facts._replace(ending="failed", state="ended")
        return HostState(
            facts, injected=last.injected, broken_off=last.broken_off, refused=last.refused, removed=last.removed,
            puts=last.puts, taken=last.taken, spent=last.spent,
        )  # fmt: skip

    # ── what is seen from here ──

    def set_tap(self, tap: Callable[[Step], None] | None) -> None:
        """Call `tap` with every step from the next on."""
        if tap is not None:
            self._tap = tap
        if not self.is_lost:
            self.ask("control", "tap", tap is not None)
        if tap is None:
            self._tap = None

    def set_breaks(self, conditions: Sequence[Condition], broke: Broke) -> None:
        """Ask the conditions there before each packet; call `broke` here."""
        if conditions:
            self._broke = broke
        self.ask("control", "breaks", tuple(conditions))


class TaskWrapper(ActorWrapper):
    """A task in another process, as the dispatcher knows tasks."""

    hosts = RayTask

    @property
    def injected(self) -> int:
        """How many packets the hand has put in."""
        return self.counts.injected

    @property
    def hand_closed(self) -> bool:
        """Whether the hand can put in nothing more."""
        return self.counts.hand_closed

    def worked(self) -> tuple[int, int, int]:
        """How many packets it has worked; of these skipped, and broken off by a cancel between two attempts."""
        facts = self.facts()
        return facts.processed, facts.skipped, self.counts.broken_off

    def end_input(self, how: Ending) -> None:
        """Ask a source to end."""
        self._job.post(self.name, "end input", how)

    def release(self, tell: Callable[[Any], Told]) -> None:
        """What it held is gone with its process."""

    def stop_sending(self) -> None:
        """Nobody needs what it makes any more."""
        self._job.post(self.name, "unneeded")

    def facts(self) -> TaskFacts:
        """Where it stands now."""
        facts = self.counts.facts
        assert isinstance(facts, TaskFacts)
        return facts._replace(node=self.node)

    def left_over(self) -> int:
        """After the end of all tasks: what was sent here or made here, and never worked."""
        look, facts = self.counts, self.facts()
        by_hand = facts.lane_depths[0] if facts.lane_depths else 0
        # Of one who has died, it was seen last how much it had put in: less, perhaps, than was taken since.
        unworked = sum(
            max(0, put - taken) for put, taken in zip(self._job.puts(self.name), look.taken[1:], strict=False)
        )
        return unworked + by_hand + look.removed + look.refused + look.broken_off


class ServiceWrapper(ActorWrapper):
    """A service in another process, as the dispatcher knows services."""

    hosts = RayServiceTask

    def intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these, over there. Raises `CommandRefused` if they cannot travel."""
        if not interceptors and not self._started:
            return
        try:
            if not self.is_lost:
                self.ask("control", "intercept", interceptors)
        except NotSendable as error:
            raise CommandRefused(
                f"an interceptor runs in the process of service {self.name!r}, and cannot be pickled "
                f"({error.__cause__}); let it be a function, or an object without locks, files and connections"
            ) from error
        except TaskEnded:  # it has died meanwhile: the listener hears of it
            pass

    def facts(self) -> ServiceFacts:
        """Where it stands now."""
        facts = self.counts.facts
        assert isinstance(facts, ServiceFacts)
        return facts
