"""BaseTask: the kernel that works packets, and the life of a task around it. Knows no thread and no process.

A life has three phases: open the user's function, work until every producer has ended, finish and close; then one stop
signal to every consumer and one report. Whatever happens, the last phase is reached, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any, Final, Protocol

from runtime.communication.calls import here
from runtime.communication.element import Format
from runtime.communication.hand import HAND
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane
from runtime.communication.packet import Packet, Place
from runtime.communication.router import Router, Send
from runtime.communication.signals import StopSignal
from runtime.context import Reporter, TaskContext
from runtime.context.report import TaskReport
from runtime.errors import NO_PACKET, Cancelled, TaskEnded, Unneeded
from runtime.facts import Ending, TaskFacts
from runtime.operators import Operator, Source
from runtime.operators.operator import Attention, Emit
from runtime.scheduling.parker import Parker
from runtime.state import Store
from runtime.task.alignment import Arrival
from runtime.task.control import TaskControl
from runtime.task.feed import Feed, LaneFeed, SourceFeed
from runtime.task.joined_feed import JoinedFeed
from runtime.task.observer import Observer
from runtime.task.policy_operator import PolicyOperator, guarded
from runtime.task.step_record import StepRecord
from runtime.task.task_gate import TaskGate
from runtime.texts.preview import Told

LARGEST: Final = 1024  # packets in a batch
QUICK_S: Final = 0.001  # a batch that took less lets the next one grow
SLOW_S: Final = 0.004  # one that took more makes it shrink, down to single packets


class TaskReporter(Reporter, Protocol):
    """To whom a task reports its own life. Any thread may call."""

    def signal_arrived(self, task: str, count: str, signal: StopSignal) -> None:
        """`task` has received `signal`; `count` is how many it has by now, "1 of 2"."""

    def task_ended(self, report: TaskReport) -> None:
        """A task has ended. Called once for each task."""


class BaseTask:
    """One running instance of an operator: a feed, an operator, a router, and a gate between two packets."""

    def __init__(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter, parker: Parker) -> None:
        self.name = ctx.name
        self.ctx, self.operator, self.reporter = ctx, operator, reporter
        self.parker, self.gate = parker, TaskGate(parker)
        self.processed = 0  # packets, added per batch
        self.errors = self.skipped = self.retries = 0
        self.broken_off = 0  # packets that a cancel found between two attempts
        self.ending: Ending | None = None
        # Which producers have ended so far, and how, in the order in which their stop signals arrived.
        self.ended_producers: tuple[tuple[str, Ending], ...] = ()
        self._control: TaskControl | None = None
        self._size = 1  # of the next batch
        self._began_s = 0.0  # the last one, or the wait for it
        self._packet: Any = NO_PACKET  # what process() was working on when it raised
        tracer = ctx.wiring.format.stamps(self.name, parker.timestamp)
        self._router = Router(ctx.wiring.outputs, parker, tracer)
        self.store = Store(ctx, operator, self._router)
        self._uses_window = operator.at_most_one and not operator.has_context
        if tracer is not None:
            self._uses_window = False
        self._inbox: Inbox | None = None
        self._feed: Feed
        if isinstance(operator, Source):
            self._feed = SourceFeed(operator, ctx, parker)
        else:
            self._inbox = ctx.wiring.queue.get_queue()
            lane_feed = JoinedFeed if operator.wants_input else LaneFeed
            self._feed = lane_feed(self._inbox, ctx, operator, tracer)
            hand = self._inbox.hand.lane
            self._inbox.read_by(parker, self._feed.format(hand).stamped(self.name, hand, parker.timestamp))
        ctx.bind(self._router.send, self._router.send_signal, reporter)
        if ctx.wiring.node.on_error != "fail":
            self._uses_window = False
            self.operator, self._feed = guarded(operator, self._feed, self, self._router)
        self._receive = self.operator.receive_packets  # what the kernel calls; `_discard`, once nobody needs it
        self._was_opened = False

    # ── the task's own thread ──

    def live(self, parker: Parker) -> None:
        """From beginning to end, on the thread that serves it."""
        here.begin(parker, parker.monitor)
        self._worker_loop()

    def _worker_loop(self) -> None:
        failure: BaseException | None = None
        try:
            self.begin()
            while self.turn():
                pass
        except BaseException as error:  # noqa: BLE001  the border to user code: SystemExit too must be heard
            failure = error
        try:
            self.end(failure)
        finally:
            del failure

    def begin(self) -> None:
        """Open the operator. Raises what that raises, and Cancelled."""
        parker = self.parker
        parker.settle_first(self._feed)
        self.ctx.begin()
        parker.begin()
        with suppress(Unneeded):  # it has to give up because nobody needs it, and will not have to `finish`
            self.operator.open(self.ctx)
            self._was_opened = True
        parker.say("running")
        self._began_s = perf_counter()

    def turn(self) -> bool:
        """Wait until there is something to take, pass the gate, and work a batch. False: the input has ended.

        Raises as `process` does.
        """
        gate, feed, parker = self.gate, self._feed, self.parker
        if feed.ending is not None:
            return False
        passes = parker.passes
        feed.wait()
        done = self.process(parker.enter(gate, self._size))
        if gate.record is not None and feed.ending is None:  # else the end of the task belongs to it, too
            gate.show()
            self._look_away()
        now_s = perf_counter()
        took_s, self._began_s = now_s - self._began_s, now_s
        # A batch that has waited says nothing about user code; most others are quick, and as large as may be.
        if passes == parker.passes and (took_s > SLOW_S or (took_s < QUICK_S and done == self._size < LARGEST)):
            self._size = self._size * 2 if took_s < QUICK_S else max(1, int(done * QUICK_S / took_s))
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
        report = TaskReport(self.name, ending, error, packet)
        del failure, error, packet  # this frame is in the traceback, and would hold it, and the packet, for ever
        self._end(report)
        del report

    def _let_go(self, failure: BaseException) -> bool:
        """Whether this is the end that cancel asked for, and not a `Cancelled` that user code has made up."""
        return isinstance(failure, Cancelled) and self.parker.cancelled

    def process(self, n: int) -> int:
        """The kernel: work up to `n` packets from one lane, or take one signal. Returns how many packets.

        Raises what user code raises, with everything before the packet at fault worked and everything behind it still
        in its lane; raises `Cancelled` behind the packet in work.
        """
        gate, parker, feed, receive = self.gate, self.parker, self._feed, self._receive
        if (arrival := feed.take_signal()) is not None:
            self._hand_on(arrival)
            return 0
        record = gate.record
        uses_window = self._uses_window and record is None
        emit: Send
        emit, count = self._router.window(n) if uses_window else (self._router.send, n)
        if record is not None:
            emit, count = self._let_see(record), 1
        done = 0
        try:
            values = feed.take(count)
            if values is None:
                if (arrival := feed.take_signal()) is not None:  # it has come since, before the packet that was seen
                    self._hand_on(arrival)
                return 0
            if record is not None:
                record.take(feed.seen())
            receive(values, emit, parker)
            while parker.yield_requested:
                self._look_up()
                if feed.wants_out or (gate.attentive and record is None):
                    break  # what follows is to be held, or asked about, or seen
                if uses_window:
                    emit = self._router.window_again(emit)
                self._receive(values, emit, parker)
            else:
                feed.ran_out()
        except Unneeded:  # the packet in work has ended; what follows is discarded
            pass
        except BaseException as error:
            self._packet = feed.failed_on()
            if record is not None and not self._let_go(error):
                record.fail(error)
            raise
        finally:
            values = None  # else the traceback of an error would keep a source's iterator
            done = feed.close_batch()
            self.processed += done
            if uses_window:
                self._router.close_window()
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
        """The last phase: nobody waits any more for this task, and everybody is told, once.

        The report goes first: a consumer cannot have ended, and reported so, before its producer.
        """
        if self._inbox is not None:
            self._inbox.hand.end("cancelled")
        self.ctx.key = None  # of the last packet
        if report.error is not None:
            self.errors += 1
        self.ending = report.ending
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

    def _look_away(self) -> None:
        self._router.plan.watch(None)
        self.ctx.redirect(None)

    def _failed_on(self) -> Any:
        packet, self._packet = self._packet, NO_PACKET
        return packet if packet is not NO_PACKET else self._router.failed_on

    def _hand_on(self, arrival: Arrival) -> None:
        """A signal has been taken: say so, and send on what counts by it, behind all that was sent before."""
        signal = arrival.signal
        if (record := self.gate.record) is not None and arrival.producer != HAND:
            record.arrive(arrival)
        if isinstance(signal, StopSignal) and arrival.heard is not None:
            self.ended_producers = (*self.ended_producers, (signal.producer, signal.how))
            self.reporter.signal_arrived(self.name, "{} of {}".format(*arrival.heard), signal)
        for counted in arrival.counted:
            self._router.send_signal(counted)

    # ── any thread ──

    def cancel(self) -> None:
        """End the task behind the packet in work, wherever it waits. Returns at once."""
        self.parker.cancel()
        self.ctx.stopping.set()
        if self._inbox is not None:
            self._inbox.hand.cancel()

    def end_input(self, how: Ending) -> None:
        """Ask a source or an input to end. Returns at once; what is queued is still worked."""
        self._feed.end(how)
        self.parker.request_yield()

    def stop_sending(self) -> None:
        """Nobody needs what it makes any more: end the packet in work when it sends, drop what comes. Returns at once.

        It ends when its producers have, as it would otherwise; `finish` is called, and ends when it sends.
        """
        self._receive = _discard
        self.parker.dismiss()  # before the lanes are shut: a writer that finds one full looks there for the reason
        self._router.shut()

    @property
    def inbox(self) -> Inbox:
        """Its input queue. Raises `TaskEnded` if it is a source and has none."""
        if self._inbox is None:
            raise TaskEnded(f"{self.name!r} is a source and has no queue; inject into one of its consumers")
        return self._inbox

    @property
    def control(self) -> TaskControl:
        """The hand's grip on it."""
        if self._control is None:
            self._control = TaskControl(self)
        return self._control

    def front(self) -> Packet | None:
        """Its own thread: the packet that it would take next."""
        return self._feed.front()

    def packet(self, lane: Lane, item: Any, place: Place) -> Packet:
        """What `item` of a lane of its queue is."""
        return self.format(lane).packet(item, self.name, lane, place)

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
        return queued + self._router.refused + self.broken_off

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


def _discard(values: Iterator[Any], emit: Emit, attention: Attention) -> None:
    """Take packets, and make nothing of them."""
    for _ in values:
        if attention.yield_requested:
            return


class _Nobody:
    """Whom a task tells that was released: one that was abandoned may come to its end long after."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _tell_nobody


def _tell_nobody(*_: object) -> None:
    pass
