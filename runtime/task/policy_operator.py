"""PolicyOperator: what stands between the kernel and an operator whose policy is another than `fail`.

To the kernel it is an operator. It works one packet after the other, holds back what the packet makes until all of it
is there and has a place to go, and only then sends: all or nothing. What user code raises is judged here. Where a
packet makes one result at most and nothing can fail after that, the operator's own loop runs, and the guard only mends
what it breaks off at. Operators whose policy is `fail` have no guard, so it costs them nothing.

Policies are for packets: what `open`, `finish` and `close` raise fails the job under every policy, and so does what is
no `Exception`, and `MemoryError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from runtime.communication.element import Given
from runtime.communication.router import Router
from runtime.communication.send_plan import Puts
from runtime.errors import NO_PACKET, Cancelled, ResultsTooLarge, Unneeded, error_text
from runtime.graph.policy import policy_of
from runtime.history.dead_letters import DeadLetter
from runtime.operators import IDLE, Operator
from runtime.operators.function import Context
from runtime.operators.operator import Attention, Emit, Part
from runtime.scheduling.stopwatch import RATED_REPEAT
from runtime.task.feed import Feed, LaneFeed, SourceFeed
from runtime.task.held_results import HeldResults

if TYPE_CHECKING:
    from runtime.communication.signals import Signal
    from runtime.scheduling.wake_source import WakeSource
    from runtime.task.base_task import BaseTask

_NOTHING: Final = object()  # what is drawn where there is nothing


class PolicyOperator(Operator):
    """Works packets of an operator by its policy. Neither state nor side effects of a failed attempt are taken back."""

    _feed: Feed

    def __init__(self, operator: Operator, task: BaseTask, router: Router) -> None:
        super().__init__()
        self.inner = operator
        self._given = Given(task.ctx.wiring.format, operator, task.ctx, None)
        self._task, self._router, self._plan = task, router, router.plan
        self._policy = policy_of(task.ctx.wiring.node.on_error)
        self._held = HeldResults(task.ctx.name, task.parker, task.ctx.wiring.node.max_results_bytes)
        made = router.tracer.made if router.tracer is not None and task.ctx.wiring.format.traced else None
        self.hold_back: Emit = self._held.adding(made)
        # Whether a result may leave as soon as it is made, because nothing can fail after it.
        self._sends_directly = not operator.has_context and all(output.key is None for output, _, _ in router.ways)
        self._sends_directly = self._sends_directly and self._plan.check is None

    def hear_context(self) -> None:
        """What it works with may send by itself from now on, before it raises. Between two packets."""
        self._sends_directly = False

    def open(self, ctx: Context) -> None:
        """Open the operator. What that raises fails the job: nobody could work packets with it."""
        self.outside_of_packets(partial(self.inner.open, ctx))

    def parts_of_finish(self) -> Iterable[Part]:
        """Send what the operator has left, each part all or nothing; nothing is left for the kernel to send."""
        for part in self.inner.parts_of_finish():  # what makes the parts is no user code
            send = partial(part.send, self.hold_back)
            if part.value is NO_PACKET:
                self.outside_of_packets(send)
            else:
                self._carry_out(send, part.value)
        return ()

    def signalled(self, signal: Signal, number: int | None) -> Iterable[Any] | None:
        """Send what the operator makes of a signal, all or nothing."""
        return self._send_between(self.inner.signalled(signal, number))

    def woken(self, source: WakeSource) -> Iterable[Any] | None:
        """Send what the operator makes of what has come, all or nothing."""
        return self._send_between(self.inner.woken(source))

    def _send_between(self, results: Iterable[Any] | None) -> tuple[()]:
        if results is not None:
            if self._router.tracer is not None:
                self._router.tracer.draw(None)
            self.outside_of_packets(lambda: [self.hold_back(result) for result in results])
        return ()

    def loop_paused(self) -> None:
        """Let the operator hear it."""
        self.inner.loop_paused()

    def release(self) -> None:
        """Let the operator let go, and forget what an attempt has made."""
        super().release()
        self.inner.release()
        self._held.clear()

    def close(self) -> None:
        """Close the operator. What that raises fails the job."""
        self.outside_of_packets(self.inner.close)

    def outside_of_packets(self, make: Callable[[], object]) -> None:
        """Send all that `make` makes, or nothing. Raises what it raises: policies are for packets."""
        try:
            make()
            puts = self._plan.puts(self._held.all(), self._held.made_of)
        finally:
            self._held.clear()
        self._plan.send(puts)

    def _carry_out(self, make: Callable[[], object], value: Any, *, repeats: bool = False, attempt: int = 0) -> None:
        """Send all that `make` makes, or nothing. Raises what user code raised, if the policy is to fail; Cancelled."""
        try:
            puts = self._puts(make, value, repeats, attempt)
        finally:
            self._held.clear()
        self._plan.send(puts)

    def _puts(self, make: Callable[[], object], value: Any, repeats: bool, attempt: int) -> Puts:
        """Where what `make` makes has to go, or what the policy sends in its place; nothing, if that was skipped.

        If all is made and it is a key function that fails, only that is repeated: what the operator remembers has
        moved on with the packet, which it must not see twice.
        """
        is_made = False
        while True:
            try:
                if not is_made:
                    make()
                    is_made = True
                return self._plan.puts(self._held.all(), self._held.made_of)
            except BaseException as error:  # the border to user code
                if not self._is_for_policy(error, value):
                    raise
                # One whose results were too many would make as many again.
                is_last = not repeats or isinstance(error, ResultsTooLarge)
                wait_s = None if is_last else self._repeat_after_s(attempt, error)
                if wait_s is None:
                    if (
                        puts := self._given_up(error, value, is_made if self._may_come_again(repeats) else None)
                    ) is None:
                        raise
                    return puts
            if not is_made:
                self._held.clear()
            self._wait_for_repeat(wait_s, value)
            attempt += 1

    def _repeat_after_s(self, attempt: int, error: Exception) -> float | None:
        return self._policy.repeat_after_s(attempt, error, self._task.parker.chance)

    def _given_up(self, error: Exception, value: Any, is_made: bool | None = None) -> Puts | None:
        """What is sent of a packet that is not tried again. None: nothing, its error is to be raised.

        `is_made`: it could be tried again later, with what it has made, or from the beginning.
        """
        verdict = self._policy.given_up(error)
        if verdict == "fail" or (verdict == "hold" and is_made is None):
            return None
        task = self._task
        self._router.blame(NO_PACKET)
        if verdict == "hold":
            self._hold(error, is_made=bool(is_made))
            return ()
        is_skipped = verdict == "skip"
        task.counts.fail(self._packets_in(value) if is_skipped else 0)
        if task.gate.record is not None:
            task.gate.record.fail(error)
        if not is_skipped:
            return self._plan.puts(verdict)
        if self._router.tracer is not None:
            self._router.tracer.blame(error)
        task.reporter.skipped(self._letter(error, value))
        return ()

    def _may_come_again(self, repeats: bool) -> bool:
        """Whether what is worked could be tried again later; `repeats`: it can be at once."""
        return repeats

    def _hold(self, error: Exception, *, is_made: bool) -> None:
        """Let the packet in work stay where it is, and let the task stand still."""
        raise AssertionError("only what `may_hold` says so, and has a guard for it")

    def _is_for_policy(self, error: BaseException, value: Any) -> TypeGuard[Exception]:
        """Whether policies are for it, and it is not the end that cancel asked for, which drops the packet in work."""
        if isinstance(error, Exception) and not isinstance(error, MemoryError):
            return True
        if isinstance(error, Cancelled) and self._task.parker.cancelled:
            self._task.counts.break_off(self._packets_in(value))
        return False

    def _wait_for_repeat(self, wait_s: float | None, value: Any, ends: Callable[[], bool] | None = None) -> None:
        """Back off, with the packet in hand, so that nothing overtakes it. Raises Cancelled, Unneeded.

        None: there is no back-off, as it is no repeat that the policy wants; its rate is waited for all the same.
        """
        self._router.blame(NO_PACKET)
        parker = self._task.parker
        try:
            if wait_s is not None:
                parker.sleep(wait_s, ends)
            while (held_s := self._feed.begin_again_s()) > 0:
                parker.sleep(held_s, ends, RATED_REPEAT)
        except Cancelled:
            self._task.counts.break_off(self._packets_in(value))
            raise
        if parker.unneeded:
            raise Unneeded
        if wait_s is not None:
            self._task.counts.retry()

    def _packets_in(self, value: Any) -> int:
        """How many packets are worked when the function has this."""
        return int(value is not NO_PACKET)

    def _parts(self, value: Any) -> tuple[Any, Any, int]:
        """The payload, the key and the input of a packet, as the function was given it."""
        return self._given.parts(value)

    def _letter(self, error: BaseException, value: Any) -> DeadLetter:
        ctx = self._task.ctx
        named = self._router.tracer.made.blamed() if self._router.tracer is not None else None
        if value is NO_PACKET:
            return DeadLetter(ctx.name, value, error)
        packet, key, number = self._parts(value)
        return DeadLetter(ctx.name, packet, error, key, keyed=ctx.wiring.format.keyed, input=number, _of=named)


class LaneGuard(PolicyOperator):
    """Works packets from lanes, one by one, or, if their results may leave at once, as fast as without a guard."""

    _feed: LaneFeed

    def __init__(self, operator: Operator, feed: LaneFeed, task: BaseTask, router: Router) -> None:
        super().__init__(operator, task, router)
        self._feed = feed
        self._sends_directly = self._sends_directly and operator.emits_last

    @property
    def skips_in_loop(self) -> bool:
        """Whether a loop that is made for a chain may work its packets: each makes one result at most, which leaves."""
        return self._sends_directly and self._task.ctx.wiring.node.on_error == "skip"

    def skip(self, error: BaseException, payload: Any, key: Any) -> bool:
        """In such a loop: a packet has raised. False: that is not for policies."""
        if not self._is_for_policy(error, NO_PACKET):
            return False
        with_key = self.inner.wants_keys and self._task.ctx.wiring.format.keyed
        self._given_up(error, (key, payload) if with_key else payload)
        return True

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Work packet by packet; results go where the plan says, or at once by `emit`."""
        if self._sends_directly:
            self._receive_directly(values, emit, attention)
            return
        work, hold_back = self.inner.receive_packet, self.hold_back
        value: Any = None
        try:
            for value in values:
                self._carry_out(partial(work, value, hold_back), value, repeats=True)
                if attention.yield_requested:
                    return
        finally:
            value = None  # the tracebacks of what was skipped hold this frame, and would hold the last packet

    def _receive_directly(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """The fast path: the operator's own loop, which has sent nothing of the packet that it raises for."""
        while True:
            try:
                self.inner.receive_packets(values, emit, attention)
                return
            except BaseException as error:  # the border to user code
                if not self._is_for_policy(error, NO_PACKET):  # the lane has counted what it did not accept
                    raise
                value, wait_s = self._value_in_work(), self._repeat_after_s(0, error)
                puts = self._given_up(error, value) if wait_s is None else ()
                if puts is None:
                    raise
            if wait_s is None:
                self._plan.send(puts)
            else:
                self._wait_for_repeat(wait_s, value)
                work_again = partial(self.inner.receive_packet, value, self.hold_back)
                self._carry_out(work_again, value, repeats=True, attempt=1)
            if attention.yield_requested:
                return

    def _value_in_work(self) -> Any:
        return self._feed.in_work()


class SourceGuard(PolicyOperator):
    """Draws the items of a source, and sends each, by its policy.

    After an error of the iterator itself it is asked for its next item. A generator has none: its own error finishes
    it. An iterator that says that it has ended right after an error is taken to have been finished by that error.
    """

    _feed: SourceFeed

    def __init__(self, source: Operator, feed: SourceFeed, task: BaseTask, router: Router) -> None:
        super().__init__(source, task, router)
        self._feed = feed

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Draw and send one item for each of `values`."""
        feed, directly = self._feed, self._sends_directly
        for _ in values:
            if feed.is_spent:
                return
            item = self._draw()
            if item is _NOTHING:  # but it may have sent something by itself
                self._carry_out(_nothing_more, NO_PACKET)
            elif directly:
                emit(item)
            else:
                self.hold_back(item)
                feed.hold(item)
                self._carry_out(_nothing_more, item, repeats=True)
                feed.hold(NO_PACKET)
            if attention.yield_requested:
                return

    def _draw(self) -> Any:
        """The next item, or `_NOTHING`: there is none yet, an error was skipped, it is spent, or the source is to end.

        Raises what the iterator raised, if the policy is to fail; Cancelled.
        """
        feed = self._feed
        failure: Exception | None = None
        attempt = 0
        try:
            while True:
                try:
                    item = feed.draw()
                except StopIteration:
                    break
                except BaseException as error:
                    self._held.clear()
                    if not self._is_for_policy(error, NO_PACKET):
                        raise
                    failure = error
                else:
                    if failure is not None:
                        self._warn_of_gap(failure)
                    return _NOTHING if item is IDLE else item
                wait_s = None if feed.ends_by_error() else self._repeat_after_s(attempt, failure)
                if wait_s is None:
                    break
                self._wait_for_repeat(wait_s, NO_PACKET, lambda: feed.wants_out)
                attempt += 1
                if feed.wants_out:
                    return _NOTHING
            if failure is not None:
                if (puts := self._given_up(failure, NO_PACKET)) is None:
                    raise failure
                self._plan.send(puts)
            return _NOTHING
        finally:
            del failure  # its traceback holds this frame

    def _warn_of_gap(self, failure: BaseException) -> None:
        """A repeat has brought an item: the next attempt at the one that failed, or the one after it."""
        task = self._task
        task.reporter.warned(
            task.ctx.name, f"{error_text(failure)}; asked again, it went on: if it had moved on, an item is missing"
        )


def _nothing_more() -> None:
    """All results are there already."""
