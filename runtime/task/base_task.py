"""BaseTask: the kernel that works packets, and the life of a task around it. Knows no thread and no process.

A life has three phases: open the user's function, work until every producer has ended, finish and close; then one stop
signal to every consumer and one report. Whatever happens, the last phase is reached, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from runtime.communication.calls import here
from runtime.communication.element import Format
from runtime.communication.hand import HAND
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane
from runtime.communication.packet import Bearer, Packet, Place, Tracer
from runtime.communication.router import Router, Send
from runtime.communication.signals import StopSignal
from runtime.context import Reporter, TaskContext
from runtime.context.report import TaskReport
from runtime.errors import NO_PACKET, Cancelled, TaskEnded, Unneeded
from runtime.facts import Ending, Past, Spent, TaskFacts, TaskState
from runtime.operators import Operator, Source
from runtime.operators.awaited import Awaited
from runtime.operators.memory import Keeping
from runtime.operators.source import AsyncSource
from runtime.origins.made import Made
from runtime.python.stacks import Stack
from runtime.scheduling.parker import Parker
from runtime.scheduling.wake_source import WakeSource
from runtime.state import Store
from runtime.task.alignment import Arrival
from runtime.task.awaiting.control import CallControl
from runtime.task.awaiting.drawing import AwaitedDrawing
from runtime.task.awaiting.feed import CallFeed
from runtime.task.awaiting.operator import AwaitingOperator
from runtime.task.batch import BatchSize
from runtime.task.control import TaskControl
from runtime.task.counts import TaskCounts
from runtime.task.feed import Feed, LaneFeed, SourceFeed
from runtime.task.free_feed import FreeFeed, RatedFreeFeed
from runtime.task.guards import guarded
from runtime.task.joined_feed import JoinedFeed
from runtime.task.observer import Observer
from runtime.task.policy_operator import PolicyOperator
from runtime.task.rated_feed import RatedJoinedFeed, RatedLaneFeed, RatedSourceFeed
from runtime.task.step_record import StepRecord
from runtime.task.task_gate import TaskGate
from runtime.texts.preview import Told


class TaskReporter(Reporter, Protocol):
    """To whom a task reports its own life. Any thread may call."""

    def signal_arrived(self, task: str, count: str, signal: StopSignal) -> None:
        """`task` has received `signal`; `count` is how many it has by now, "1 of 2"."""

    def task_ended(self, report: TaskReport) -> None:
        """A task has ended. Called once for each task."""


class BaseTask:
    """One running instance of an operator: a feed, an operator, a router, and a gate between two packets."""

    def __init__(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter, parker: Parker) -> None:
        self.ctx, self.operator, self.reporter = ctx, operator, reporter
        self.parker, self.gate = parker, TaskGate(parker)
        self.counts = TaskCounts()
        self.ending: Ending | None = None
        # Which producers have ended so far, and how, in the order in which their stop signals arrived.
        self.ended_producers: tuple[tuple[str, Ending], ...] = ()
        self._control: TaskControl | None = None
        self._size = BatchSize()
        self._packet: Any = NO_PACKET  # what process() was working on when it raised
        tracer = ctx.wiring.format.stamps(self.name, parker.timestamp)
        is_guarded = ctx.wiring.node.on_error != "fail"
        makes_one = operator.at_most_one and not operator.has_context
        windows = makes_one and not is_guarded and tracer is None
        self._router = Router(ctx.wiring.outputs, parker, tracer, windows=windows, hands_over=makes_one)
        if tracer is not None and ctx.wiring.format.traced:
            tracer.made.work_for(operator, is_end=operator.is_end)
            operator.trace(tracer.made)
        self.store = Store(ctx, operator, self._router)
        self._feed = self._feed_of(operator, tracer, is_guarded)
        if isinstance(operator, AsyncSource):
            operator.draw_by(AwaitedDrawing(ctx, parker))
        ctx.bind(self._router.send, self._router.send_signal, reporter)
        if isinstance(self._feed, CallFeed) and isinstance(operator, Awaited):
            self.operator = (operator.called_by or AwaitingOperator)(operator, self._feed, self, self._router)
        elif is_guarded:
            self.operator = guarded(operator, self._feed, self, self._router)
        self._receive = self.operator.receive_packets  # what the kernel calls; `Feed.discard`, once nobody needs it
        self._was_opened = False

    def _feed_of(self, operator: Operator, tracer: Tracer | None, is_guarded: bool) -> Feed:
        ctx, parker = self.ctx, self.parker
        allowance = ctx.wiring.allowance
        if isinstance(operator, Source):
            if allowance is not None:
                return RatedSourceFeed(operator, ctx, parker, is_guarded=is_guarded).by(allowance, parker)
            return SourceFeed(operator, ctx, parker, is_guarded=is_guarded)
        inbox = ctx.wiring.queue.get_queue()
        feed: LaneFeed
        if operator.fed_by is not None:
            feed = operator.fed_by(inbox, ctx, operator, parker, tracer, self.counts, self._router)
        elif isinstance(operator, Awaited):
            feed = CallFeed(inbox, ctx, operator, parker, tracer, self.counts)
        elif (free := ctx.wiring.free) is not None and allowance is not None:
            feed = (
                RatedFreeFeed(inbox, ctx, operator, parker, tracer).among(free, ctx.wiring.index).by(allowance, parker)
            )
        elif free is not None:
            feed = FreeFeed(inbox, ctx, operator, parker, tracer).among(free, ctx.wiring.index)
        elif allowance is not None:
            rated = RatedJoinedFeed if operator.wants_input else RatedLaneFeed
            feed = rated(inbox, ctx, operator, parker, tracer).by(allowance, parker)
        else:
            feed = (JoinedFeed if operator.wants_input else LaneFeed)(inbox, ctx, operator, parker, tracer)
        hand = inbox.hand.lane
        inbox.read_by(parker, feed.format(hand).stamped(self.name, hand, parker.timestamp, tracer))
        if operator.is_awaited:
            inbox.hand.refuse_offers()
        return feed

    @property
    def name(self) -> str:
        """Its own among all tasks of the job."""
        return self.ctx.name

    @property
    def may_change_threads(self) -> bool:
        """Whether several threads may work it in turn."""
        return False

    def hear_context(self, operator: Operator) -> None:
        """Its own thread, between two packets: the function of `operator` can reach the context from now on."""
        self._router.hear_context()
        self._feed.give_to(operator)
        if isinstance(self.operator, PolicyOperator):
            self.operator.hear_context()
        else:
            self.ctx.bind(self._router.send, self._router.send_signal, self.reporter)
            self.ctx.redirect(None)

    # ── the thread that works it ──

    def _worker_loop(self, failure: BaseException | None = None) -> bool:
        """Work to the end, which has come if there is a `failure`. False: this thread is not its own any more."""
        if failure is None:
            try:
                self.begin()
                self.resume()
                while self.turn():
                    if self.has_left():
                        return False
            except BaseException as error:  # noqa: BLE001  the border to user code: SystemExit too must be heard
                failure = error
        try:
            self.end(failure)
        finally:
            del failure
        return True

    def has_begun(self) -> bool:
        """Whether some thread of it has opened the operator, or tries to."""
        return self.parker.doing != "new"

    def resume(self) -> None:
        """Finish what another thread has begun for it, if one has."""

    def has_left(self) -> bool:
        """Between two batches: whether something else works it from now on."""
        return False

    def begin(self) -> None:
        """On each thread that works it: open the operator, unless it is. Raises what that raises, and Cancelled."""
        parker = self.parker
        self.ctx.begin()
        if isinstance(self._router.tracer, Bearer):
            here.work_by(self._router.tracer)
        if self.has_begun():
            return
        parker.settle_first(self._feed)
        parker.stopwatch.begin(self.counts)
        parker.begin()
        with suppress(Unneeded):  # it has to give up because nobody needs it, and will not have to `finish`
            self.operator.open(self.ctx)
            self._was_opened = True
        parker.say("running")
        self._size.begin()

    def turn(self) -> bool:
        """Wait until there is something to take, pass the gate, and work a batch. False: the input has ended.

        Raises as `process` does.
        """
        gate, feed, parker, size = self.gate, self._feed, self.parker, self._size
        if feed.ending is not None:
            return False
        passes = parker.passes
        if parker.is_gated and feed.is_dry():
            gate.stand(parker)  # not where writers wake it for what its gate keeps it from
        feed.wait()
        done = self.process(parker.enter(gate, size.packets))
        if gate.record is not None and feed.ending is None:  # else the end of the task belongs to it, too
            gate.show()
            self.look_away()
        now_s = size.end(done, has_waited=passes != parker.passes)
        if now_s >= parker.stopwatch.due_s:
            parker.stopwatch.mark(now_s)
        return True

    def end(self, failure: BaseException | None) -> None:
        """Finish, unless it has failed; close the operator, and report. Whatever happens, it ends, once."""
        ending: Ending = "cancelled"
        error: BaseException | None = None
        packet: Any = NO_PACKET
        if failure is None:
            try:
                ending = self._finish()
            except BaseException as raised:  # noqa: BLE001  the border to user code
                failure = raised
        if failure is not None and not self._let_go(failure):
            ending, error, packet = "failed", failure, self._failed_on()
        if self._control is not None:
            self._control.end()
        try:
            self.operator.close()
        except Unneeded:  # it has tried to send something
            pass
        except BaseException as raised:  # noqa: BLE001  the border to user code
            if self._let_go(raised):
                ending = "cancelled" if error is None else ending
            elif error is None:
                ending, error = "failed", raised
            else:
                self.reporter.warned(self.name, f"close() raised {type(raised).__name__} as well")
        of = None if error is None or (made := self.made) is None else made.blamed()
        report = TaskReport(self.name, ending, error, packet, of)
        del failure, error, packet  # this frame is in the traceback, and would hold it, and the packet, for ever
        self._end(report)
        del report

    def _let_go(self, failure: BaseException) -> bool:
        """Whether this is the end that cancel asked for, and not a `Cancelled` that user code has made up."""
        return isinstance(failure, Cancelled) and self.parker.cancelled

    def process(self, n: int) -> int:
        """The kernel: work up to `n` packets from one lane, or take one signal. Returns how many packets.

        Raises what user code raises, with everything before the packet at fault worked and everything after it still
        in its lane; raises `Cancelled` after the packet in work.
        """
        gate, parker, feed, receive = self.gate, self.parker, self._feed, self._receive
        while (event := feed.take_event()) is not None:
            if self._take_up(event):
                return 0
        record, router = gate.record, self._router
        uses_window = router.only is not None and record is None
        emit: Send
        emit, count = router.window(n) if uses_window else (router.send, n)
        if record is not None:
            emit, count = self._let_see(record), 1
        done = 0
        try:
            values = feed.take(count)
            if values is None:
                if (event := feed.take_event()) is not None:  # it has come since, before the packet that was seen
                    self._take_up(event)
                return 0
            if record is not None:
                record.take(feed.seen())
            receive(values, emit, parker)
            while parker.yield_requested:
                self._look_up()
                if feed.wants_out or (gate.attentive and record is None):
                    break  # what follows is to be held, or asked about, or seen
                if uses_window:
                    emit = router.window_again()
                self._receive(values, emit, parker)
            else:
                feed.ran_out()
        except Unneeded:  # the packet in work has ended; what follows is discarded
            pass
        except BaseException as error:
            if router.tracer is not None:
                router.tracer.break_off()
            self._packet = feed.failed_on()
            if record is not None and not self._let_go(error):
                record.fail(error)
            raise
        finally:
            values = None  # else the traceback of an error would keep a source's iterator
            done = feed.close_batch()
            self.counts.work(done)
            if uses_window:
                router.close_window()
        return done

    def run_once(self) -> int:
        """Work one packet, or take one signal."""
        return self.process(1)

    def _look_up(self) -> None:
        """After a packet, because somebody asked: let go if cancelled, wake who sleeps, let in who is held back."""
        self.parker.look_up()
        self._router.wake_readers()
        self._feed.settle()

    def _finish(self) -> Ending:
        """Send what the function has left, if the input ended well. Returns how the task ends."""
        ending = self._feed.ending
        if ending not in ("completed", "stopped"):
            return "cancelled"
        if self._router.tracer is not None:
            self._router.tracer.draw(None)
        record = self.gate.record
        send = self._router.send if record is None else self._let_see(record)
        with suppress(Unneeded):  # by the first that it wants to send
            for part in self.operator.parts_of_finish() if self._was_opened else ():
                self._packet = part.packet
                part.send(send)
        self._packet = NO_PACKET
        return ending

    def _end(self, report: TaskReport) -> None:
        """The last phase: nobody waits for this task any more, and everybody is told, once.

        The report goes first: a consumer cannot have ended, and reported so, before its producer.
        """
        if self._inbox is not None:
            self._inbox.hand.end("cancelled")
        self.ctx.set_key(None)  # from the last packet
        if report.error is not None:
            self.counts.fail()
        self.ending = report.ending
        self.parker.stopwatch.end()
        self.reporter.task_ended(report)
        self._router.send_signal(StopSignal(self.name, report.ending))
        if (record := self.gate.record) is not None:
            record.end(report.ending, report.error)
        self.parker.say("ended")
        self.gate.show()
        self.gate.ended(self.parker)

    def _let_see(self, record: StepRecord) -> Send:
        """Let `record` see all that is sent, until `_look_away`. Returns what to send with."""
        plan = self._router.plan
        record.watch(plan)
        if not isinstance(self.operator, PolicyOperator):  # which holds back what its function sends, and sends it so
            self.ctx.redirect(plan.send_one)
        return plan.send_one

    def look_away(self) -> None:
        """Let nobody see what is sent, until `_let_see`."""
        self._router.plan.watch(None)
        self.ctx.redirect(None)

    def _failed_on(self) -> Any:
        packet, self._packet = self._packet, NO_PACKET
        return packet if packet is not NO_PACKET else self._router.failed_on

    def _take_up(self, event: Arrival | WakeSource) -> bool:
        """Do what follows from what has come between two packets. False: nothing of it was to be seen."""
        if not isinstance(event, Arrival):
            self._send_between(self.operator.woken(event))
            return True
        signal, is_seen = event.signal, event.producer != HAND
        if (record := self.gate.record) is not None and is_seen:
            record.arrive(event)
        if isinstance(signal, StopSignal) and event.heard is not None:
            self.ended_producers = (*self.ended_producers, (signal.producer, signal.how))
            self.reporter.signal_arrived(self.name, "{} of {}".format(*event.heard), signal)
        for ended, number in event.ended_inputs:
            self._send_between(self.operator.signalled(ended, number))
        for counted in event.counted:
            self._send_between(self.operator.signalled(counted, None))
            self._router.send_signal(counted)
        return is_seen

    def _send_between(self, results: Iterable[Any] | None) -> None:
        """Send what was made between two packets, of none of them."""
        if results is None:
            return
        if self._router.tracer is not None:
            self._router.tracer.draw(None)
        record = self.gate.record
        send = self._router.send if record is None else self._let_see(record)
        with suppress(Unneeded):
            for result in results:
                send(result)

    # ── what a turn of the hand changes ──

    def keep(self, keeping: Keeping) -> bool:
        """Let be kept what the next turn may change: not what is in lanes, nor counts, nor what the operator keeps.

        False: no end was kept, so there must be none.
        """
        for part in (self.operator, self._feed):
            if part.turn_changes:
                keeping.attributes(part, part.turn_changes)
        if (tracer := self._router.tracer) is not None:
            keeping.attributes(tracer, tracer.turn_changes)
        if not self._feed.may_end():
            return False
        keeping.attributes(self, ("ended_producers", "ending"))
        self._feed.keep_end(keeping)
        return True

    @property
    def goes_back(self) -> bool:
        """Whether its turns can be taken back."""
        return self._feed.goes_back and not isinstance(self.inner, AsyncSource)

    def revive(self) -> None:
        """It has not ended: whoever works it goes on at its gate. What has ended for good by its end stays so."""
        self.parker.stopwatch.resume()
        self.parker.revive()

    def taken(self) -> Sequence[tuple[Lane, Sequence[Any]]]:
        """What has been taken, as it lay in its lanes, lane by lane."""
        return self._feed.taken()

    def withdraw(self, sent: Sequence[tuple[Lane, int, int]]) -> None:
        """At its closed gate: what was sent last, so many packets and signals into each lane, was never sent."""
        self._router.withdraw(sent)

    @property
    def inner(self) -> Operator:
        """The operator, whatever guards it."""
        return self.operator.inner if isinstance(self.operator, PolicyOperator) else self.operator

    @property
    def _inbox(self) -> Inbox | None:
        """Its input queue; None for a source."""
        return self._feed.inbox

    # ── any thread ──

    def cancel(self) -> None:
        """End the task after the packet in work, wherever it waits. Returns at once."""
        self.parker.cancel()
        self.ctx.stopping.set()
        if self._inbox is not None:
            self._inbox.hand.cancel()

    def end_input(self, how: Ending) -> None:
        """Ask a source or an input to end. Returns at once; what is queued is still worked."""
        self._feed.end(how)
        if self._inbox is None:  # a queue brings it as a signal, for which no chain need be opened
            self.parker.interrupt()

    def stop_sending(self) -> None:
        """Nobody needs what it makes any more: end the packet in work when it sends, drop what comes. Returns at once.

        It ends when its producers have, as it would otherwise; `finish` is called, and ends when it sends.
        """
        self._receive = self._feed.discard
        self.parker.dismiss()  # before the lanes are shut: a writer that finds one full looks there for the reason
        self._router.shut()

    @property
    def inbox(self) -> Inbox:
        """Its input queue. Raises `TaskEnded` if it is a source and has none."""
        if (inbox := self._feed.inbox) is None:
            raise TaskEnded(f"{self.name!r} is a source and has no queue; inject into one of its consumers")
        return inbox

    def has_work(self) -> bool:
        """Whether there is something to be taken; of a source always, until it ends."""
        return self.ending is None and self._feed.ready()

    @property
    def control(self) -> TaskControl:
        """What a person controls it by."""
        if self._control is None:
            feed = self._feed
            self._control = CallControl(self, feed) if isinstance(feed, CallFeed) else TaskControl(self)
        return self._control

    def coming(self) -> Sequence[Packet]:
        """Its own thread: what it would take next."""
        return self._feed.coming()

    def packet(self, lane: Lane, item: Any, place: Place) -> Packet:
        """What `item` of a lane of its queue is."""
        return self.format(lane).packet(item, self.name, lane, place)

    @property
    def made(self) -> Made | None:
        """In a traced job, what it has made."""
        return None if self._router.tracer is None else self._router.tracer.made

    def open_packets(self) -> list[Packet]:
        """Those of calls that have begun and have not been sent, the oldest first."""
        return self._feed.open_packets()

    def format(self, lane: Lane) -> Format:
        """What lies in a lane of its queue."""
        assert isinstance(self._feed, LaneFeed), "a source has no lanes"
        return self._feed.format(lane)

    def release(self, tell: Callable[[Any], Told]) -> None:
        """After its end, and the close of its session: let go of all that is the user's, and of whom it has told.

        What waits in its queue stays there to be counted and seen, as previews that `tell` makes.
        """
        feed = self._feed
        if isinstance(feed, LaneFeed):
            for lane in self.lanes_in:
                lane.items[:] = [feed.format(lane).told(item, tell) for item in lane.items]
        if self._control is not None:
            self._control.release()
        self._packet = NO_PACKET
        self._router.blame(NO_PACKET)
        self.gate.set_taps(())
        self.gate.set_breaks(None)
        self.operator.release()
        self.ctx.release()
        self.reporter = _Nobody()

    def left_over(self) -> int:
        """After the end of all tasks: packets that were meant for this one, or made by it, and never worked."""
        queued = self._inbox.unworked() + self._inbox.hand.removed if self._inbox is not None else 0
        return queued + self._router.refused + self.counts.broken_off

    def worked(self) -> tuple[int, int, int]:
        """How many packets it has worked; of these skipped, and broken off by a cancel between two attempts."""
        return self.counts.processed, self.counts.skipped, self.counts.broken_off

    @property
    def injected(self) -> int:
        """How many packets the hand has put in, without those that it has taken back."""
        if self._inbox is None:
            return 0
        hand = self._inbox.hand
        return hand.lane.taken + len(hand.lane.items) - hand.retracted

    @property
    def hand_closed(self) -> bool:
        """Whether the hand can put in nothing more."""
        return self._inbox is None or self._inbox.hand.lane.closed

    @property
    def lanes_in(self) -> Sequence[Lane]:
        """The lanes of its queue, the hand's first; none for a source."""
        return self._inbox.lanes if self._inbox is not None else ()

    @property
    def lanes_out(self) -> Sequence[Lane]:
        """The lanes that it fills."""
        return self._router.lanes

    def facts(self) -> TaskFacts:
        """Where the task stands now."""
        return Observer([self]).observe()[self.name]

    def waits_for(self, state: TaskState) -> tuple[str, ...]:
        """Whom it waits for in that state, by name: consumers that have no room, or services. Any thread."""
        if state in ("held back", "held back: all busy"):
            return self._router.held_back_by()
        return self.ctx.awaited() if state == "waiting" else ()

    def stacks(self) -> list[Stack | None]:
        """Where its thread is in its code now; None: nowhere."""
        return [None]

    def times(self) -> Spent:
        """Where its time has gone."""
        return self.parker.stopwatch.spent()

    def past(self) -> Past:
        """How it stood with its times when."""
        return self.parker.stopwatch.past()


class _Nobody:
    """Whom a task tells that was released: one that was abandoned may come to its end long after."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _tell_nobody


def _tell_nobody(*_: object) -> None:
    pass
