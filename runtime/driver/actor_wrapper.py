"""ActorWrapper: a task or a service in an actor, from the driver: its handle, the mail from it, the hand's grip on it.

Whatever the driver asks is answered by the actor while user code runs. None of it raises because the actor has died:
then it is what was known last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from runtime.communication.packet import Place
from runtime.context import ServiceContext, TaskContext
from runtime.context.report import TaskReport
from runtime.errors import CommandRefused, QueueFull, TaskEnded, TaskLost
from runtime.facts import Ending, ServiceFacts, TaskFacts
from runtime.ray.actors import NoAnswer, answer_of, kill
from runtime.ray.codec import CODEC
from runtime.remote.by_value import decode
from runtime.remote.channel import Message
from runtime.remote.codec import Serialized, not_sendable
from runtime.remote.look import Look
from runtime.scheduling.waiting import Until, Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.service.base_service_task import ServiceReporter
from runtime.service.invocation import Interceptor
from runtime.step import QueueView, Step
from runtime.task.base_task import TaskReporter
from runtime.task.control import Broke, Condition
from runtime.texts.preview import Told

_SLICE_S: Final = 1.0  # of a long step: an interrupt must not leave a thread of the actor waiting for ever


class RemoteWorkerControl:
    """The hand's grip on what runs in an actor."""

    def __init__(self, wrapper: ActorWrapper) -> None:
        self._wrapper = wrapper

    def pause(self) -> None:
        """Let nothing begin any more."""
        self._ask("pause")

    def resume(self) -> None:
        """Let it run."""
        self._ask("resume")

    def now(self) -> WorkerState:
        """Where it stands at this moment."""
        return self._wrapper.look().worker

    def step(self, deadline: float) -> Waiting[Step]:
        """One turn, waited for over there. Raises `NotPaused`."""
        wrapper = self._wrapper
        while True:
            left_s = max(0.0, deadline - monotonic())
            asked = wrapper.begin_ask("hand", "step", min(left_s, _SLICE_S))
            answer = asked.future()
            answer.add_done_callback(lambda _: wrapper.news())
            yield Until(answer.done, watched=False)
            step: Step = wrapper.end_ask(asked)
            if step.result != "running" or left_s <= _SLICE_S:
                return step

    def number_of(self, place: Place) -> int:
        """Which packet of its lane it is now. Raises `PacketGone`."""
        number: int = self._wrapper.ask("hand", "number_of", place)
        return number

    def peek(self, first: int, last: int) -> QueueView:
        """The first and the last packets of its queue."""
        if self._wrapper.is_lost:
            facts = self._wrapper.look().facts
            return QueueView(facts.name, (), 0, facts.capacity)
        view: QueueView = self._wrapper.ask("control", "peek", first, last)
        return view

    def set_tap(self, tap: Callable[[Step], None] | None) -> None:
        """Show every packet from the next on, in the driver."""
        self._wrapper.set_tap(tap)

    def set_breaks(self, conditions: Sequence[Condition], broke: Broke) -> None:
        """Before each packet, ask the conditions, there, whether to pause; say here which."""
        self._wrapper.set_breaks(conditions, broke)

    def edit(self, place: Place, item: Any) -> int:
        """Put another item there."""
        change: int = self._wrapper.ask("hand", "edit", place, item)
        return change

    def drop(self, place: Place) -> int:
        """Take the packet out."""
        change: int = self._wrapper.ask("hand", "drop", place)
        return change

    def move(self, place: Place, to: int) -> int:
        """Move it within its lane."""
        change: int = self._wrapper.ask("hand", "move", place, to)
        return change

    def undo(self, change: int) -> None:
        """Take back a change. If that needs a place in a lane, its writer is asked for it."""
        try:
            self._wrapper.ask("hand", "undo", change)
        except QueueFull:
            wanted = self._wrapper.ask("hand", "wanted")
            number = None if wanted is None else self._wrapper.find_place(wanted)
            if number is None:
                raise
            self._wrapper.ask("hand", "undo_into", change, number)

    def state(self) -> Any:
        """What it remembers."""
        return self._wrapper.ask("hand", "state")

    def set_state(self, key: Any, value: Any) -> None:
        """Let it remember something else."""
        self._wrapper.ask("hand", "set_state", key, value)

    def _ask(self, method: str) -> None:
        if not self._wrapper.is_lost:
            with suppress(TaskEnded):  # it has died meanwhile: the listener hears of it
                self._wrapper.ask("control", method)


class ActorWrapper:
    """What the driver has of one actor. A thread of the driver, the listener, takes what the actor says."""

    def __init__(self, name: str, post: Callable[[str, Message], None]) -> None:
        self.name = name
        self.actor: Any = None  # until Ray is asked for it
        self.node: str | None = None
        self.control = RemoteWorkerControl(self)
        self.heard = 0  # the last parcel from it that was taken in
        self.is_lost = False
        self.is_listener: Callable[[], bool] = bool  # whether the caller takes its mail
        self.round: Callable[[], bool] = bool  # whether the caller is looking at all of them at once
        # For what is put back into a lane of its queue: whose writer has a place for it, None: nobody.
        self.find_place: Callable[[int], int | None] = lambda wanted: None
        self.news: Callable[[], object] = bool  # tells the thread of commands that something has changed
        self._post = post
        self._last: Look | None = None
        self._final: Look | None = None
        self._is_gone = False
        # Guards the three below, and that exactly one who sees that it was started and has died says so.
        self._life = threading.Lock()
        self._started = False
        self._reported = False
        self._why: BaseException | None = None  # it has died
        self._tap: Callable[[Step], None] | None = None
        self._broke: Broke | None = None
        self._reporter: TaskReporter | ServiceReporter

    # ── asking ──

    def ask(self, group: str, method: str, *arguments: Any) -> Any:
        """Call a method over there, and wait for what it returns.

        Raises what it raises, `NotSendable`, and `TaskEnded` if its process has died.
        """
        return self.end_ask(self.begin_ask(group, method, *arguments))

    def begin_ask(self, group: str, method: str, *arguments: Any) -> Any:
        """Call a method over there; `end_ask` waits for what it returns. Raises `NotSendable`."""
        return getattr(self.actor, group).remote(method, _packed(arguments))

    def end_ask(self, asked: Any) -> Any:
        """Wait for what a method returns. Raises what it raises, and `TaskEnded` if its process has died."""
        try:
            answer = answer_of(asked)
        except NoAnswer as error:
            raise TaskEnded(f"the process of {self.name!r} has died, and what it held is lost") from error
        result, failure = decode(answer)
        if failure is not None:
            raise failure
        return result

    def begin_look(self) -> Any:
        """Ask where it stands; `end_look` waits for the answer."""
        return None if self.is_lost else self.actor.seen.remote(self.heard)

    def end_look(self, asked: Any) -> None:
        """Wait for the answer."""
        if asked is not None:
            with suppress(NoAnswer):  # what was known last stays
                self._last = CODEC.decode(answer_of(asked))

    def begin_watch(self, wanted: bool, wish: int) -> Any:
        """Ask it to say when something changes, or no more, by the wish of this number; `end_watch` waits for that."""
        return None if self.is_lost else self.actor.let_driver_watch.remote(wanted, wish)

    def end_watch(self, asked: Any) -> None:
        """Wait until it does."""
        if asked is not None:
            with suppress(NoAnswer):  # the listener hears of it
                answer_of(asked)

    def grants(self, what: str, lane: tuple[str, int]) -> bool:
        """Whether it can lend a place of a lane that it fills, or take one back. One that has died cannot."""
        try:
            granted: bool = answer_of(getattr(self.actor, what).remote(lane))
        except NoAnswer:
            return False
        return granted

    def look(self) -> Look:
        """Where it stands now. Raises `TaskLost` if it has died before it was ever looked at."""
        if not self.round() or self._last is None:
            self.end_look(self.begin_look())
        if self._last is None:
            raise self.lost(TaskEnded(f"{self.name!r} did not answer"))
        return self._last

    @property
    def last(self) -> Look:
        """Where it stood when it was looked at last, or at its end."""
        return self._final or self._last or self.look()

    @property
    def counts(self) -> Look:
        """What it has done so far, or had done at its end."""
        return self._final or self.look()

    # ── life ──

    def start(self) -> None:
        """Let it run. If it has died meanwhile, that is its end."""
        with self._life:
            self._started = True
            died = self._why is not None
        if died:
            self._report_death()
        else:
            self._post(self.name, ("start",))

    def cancel(self) -> None:
        """End it behind the packet in work, wherever it waits."""
        self._post(self.name, ("cancel",))

    def is_current(self) -> bool:
        """Whether the caller delivers its reports."""
        return self.is_listener()

    def is_gone(self) -> bool:
        """Whether it has ended and all it said has been heard."""
        return self._is_gone or not self._started

    def join(self) -> None:
        """No thread of the driver is its own."""

    def kill(self) -> None:
        """End its process."""
        kill(self.actor)

    # ── the listener ──

    def receive(self, messages: list[Message]) -> list[Message]:
        """Take what the actor says of what it hosts; returns the rest."""
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
            report, self._final = decode(said[0])
            with self._life:
                self._reported = True
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
            self.is_lost, self._why = True, why
            to_tell = self._started and not self._reported
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
            f"the process of {self.name!r} has died on node {self.node}, and what it held is lost: what waited "
            "for it, what was in work, and what it had made and not sent yet"
        )
        error.__cause__ = why
        return error

    def _as_lost(self, last: Look) -> Look:
        facts = last.facts._replace(ending="failed", state="ended")
        return Look(
            facts, injected=last.injected, broken_off=last.broken_off, refused=last.refused, removed=last.removed,
            puts=last.puts, taken=last.taken,
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
    """A task in an actor, as the dispatcher knows tasks."""

    def __init__(
        self,
        ctx: TaskContext,
        reporter: TaskReporter,
        post: Callable[[str, Message], None],
        puts: Callable[[str], Sequence[int]],
    ) -> None:
        super().__init__(ctx.name, post)
        self._reporter = reporter
        self._puts = puts  # how many packets were put into each lane of its queue

    @property
    def injected(self) -> int:
        """How many packets the hand has put in."""
        return self.counts.injected

    @property
    def hand_closed(self) -> bool:
        """Whether the hand can put in nothing more."""
        return self.counts.hand_closed

    @property
    def broken_off(self) -> int:
        """How many packets a cancel has found between two attempts."""
        return self.counts.broken_off

    def end_input(self, how: Ending) -> None:
        """Ask a source to end."""
        self._post(self.name, ("end input", how))

    def release(self, tell: Callable[[Any], Told]) -> None:
        """What it held is gone with its process."""

    def stop_sending(self) -> None:
        """Nobody needs what it makes any more."""
        self._post(self.name, ("unneeded",))

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
        unworked = sum(max(0, put - taken) for put, taken in zip(self._puts(self.name), look.taken[1:], strict=False))
        return unworked + by_hand + look.removed + look.refused + look.broken_off


class ServiceWrapper(ActorWrapper):
    """A service in an actor, as the dispatcher knows services."""

    def __init__(self, ctx: ServiceContext, reporter: ServiceReporter, post: Callable[[str, Message], None]) -> None:
        super().__init__(ctx.name, post)
        self._reporter = reporter

    def intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these, over there. Raises `CommandRefused` if they cannot travel."""
        if not interceptors and not self._started:
            return
        try:
            CODEC.encode(interceptors)
        except Exception as error:  # the border to user code
            raise CommandRefused(
                f"an interceptor runs in the process of service {self.name!r}, and cannot be pickled ({error}); let it "
                "be a function, or an object without locks, files and connections"
            ) from error
        if not self.is_lost:
            with suppress(TaskEnded):  # it has died meanwhile: the listener hears of it
                self.ask("control", "intercept", interceptors)

    def facts(self) -> ServiceFacts:
        """Where it stands now."""
        facts = self.counts.facts
        assert isinstance(facts, ServiceFacts)
        return facts


def _packed(arguments: tuple[Any, ...]) -> Serialized:
    """What a command says. Raises `NotSendable` if somebody's value in it cannot be pickled."""
    try:
        return CODEC.encode(arguments)
    except Exception as error:  # the border to user code
        raise not_sendable(arguments[-1], error) from error
