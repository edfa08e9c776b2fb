"""AwaitingOperator: what stands between the kernel and an operator whose function waits.

To the kernel it is an operator. It begins a call for each packet that it is given; what calls have made is sent by
`Sending`, and what they run in is the loop of the `LoopHost`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from runtime.errors import NO_PACKET, Cancelled
from runtime.graph.policy import policy_of
from runtime.operators import Function, Operator
from runtime.operators.awaited import Awaited
from runtime.operators.function import Context
from runtime.operators.operator import Attention, Emit, Part
from runtime.task.awaiting.call import Call
from runtime.task.awaiting.context import CallContext
from runtime.task.awaiting.host import LoopHost
from runtime.task.awaiting.sending import Repeats, Sending
from runtime.task.awaiting.working import Bound, Work, not_open, work_of
from runtime.texts.preview import preview

if TYPE_CHECKING:
    from runtime.communication.router import Router
    from runtime.task.awaiting.feed import CallFeed
    from runtime.task.awaiting.loop import TaskLoop
    from runtime.task.base_task import BaseTask


class AwaitingOperator(Operator):
    """Begins calls, and sends what they have made. By the task's thread; calls run on it, too, while it waits."""

    sent_by: ClassVar[type[Sending]] = Sending

    def __init__(self, operator: Awaited, feed: CallFeed, task: BaseTask, router: Router) -> None:
        super().__init__()
        self.inner, self._feed, self._task, self._router = operator, feed, task, router
        node = task.ctx.wiring.node
        policy = None if node.on_error == "fail" else policy_of(node.on_error)
        self._tries = None if policy is None else Repeats(task, feed, router, policy)
        self._host = LoopHost(task.parker)
        self._host.serve(feed.calls.how_many_go_on)
        self._work: Work = not_open  # carries out one call
        self._has_told = False  # of something outside that a call waits for
        task.gate.finish_first(feed.finish_calls)
        feed.send_by(self.sent_by(task, operator, router, feed.calls, policy), self._host)

    # ── its life ──

    def open(self, ctx: Context) -> None:
        """Let the function prepare, and wait until it has."""
        self._host.open(self)
        self._make_work()
        function = self.inner.function
        if isinstance(function, Function):
            self._await(function._opened_in(self.context_of(self._task.ctx)))

    def _make_work(self) -> None:
        node = self._task.ctx.wiring.node
        bound = Bound(node.name, node.max_results_bytes)
        loop, feed = self._host.loop, self._feed
        self._work = work_of(self.inner, feed.calls, loop, self._tries, bound, feed.stands)

    def context_of(self, ctx: Context) -> Context:
        """What the user's function sees as the context of its task."""
        return CallContext(self._task.ctx, self._host.loop)

    def tell_of_outside(self) -> None:
        """Under a seed: a call waits for something outside of the session."""
        if not self._has_told:
            self._has_told = True
            self._task.parker.tell_of_outside()
            self._task.ctx.warn(
                "a call waits for something outside of the session; virtual time stands still meanwhile, and this run "
                "will not repeat from its seed"
            )

    def tell_of_rest(self) -> None:
        """All calls may stand still now."""
        self._task.parker.tell()

    def tell_of_block(self, seconds: float, call: Call | None) -> None:
        """A call, or some of several, has kept the loop from going on."""
        which = "a call" if call is None else f"the call with packet {preview(call.payload)}"
        self._task.ctx.warn(
            f"{which} has held up all others for {seconds:.2g} s: what computes or waits without `await` keeps the "
            "thread; `await asyncio.to_thread(…)` gives it to another one"
        )

    def _await(self, made: Any) -> Any:
        """What a method returned, once that has come. Raises what it raises; Cancelled."""
        if (task := self._host.begin(made)) is None:
            return made
        self._feed.wait_for_calls(task.done)
        return task.result()

    def parts_of_finish(self) -> Iterable[Part]:
        """Send what the function has left: no call is open any more."""
        yield Part(NO_PACKET, NO_PACKET, self._send_finish)

    def finish(self) -> Iterable[Any]:
        """What is still to be sent when all inputs have ended well."""
        function = self.inner.function
        return self._await(function.finish()) or () if isinstance(function, Function) else ()

    def close(self) -> None:
        """Cancel what is under way and wait for its end; then let the function release what it has taken."""
        calls = self._feed.calls
        try:
            self._host.cancel([call.task for call in calls.all() if call.task is not None])
            self._task.counts.break_off(calls.clear())
            if isinstance(self.inner.function, Function):
                self.close_function(self.inner.function)
        finally:
            self._host.close()

    # ── another function ──

    @property
    def functions(self) -> tuple[Any, ...]:
        """What it calls."""
        return self.inner.functions

    def replace(self, functions: Sequence[Any], ctx: Context) -> None:
        """Call these from now on, which have been opened. No call is under way."""
        self.inner.exchange(functions)
        self.version = self.inner.version
        self._make_work()

    def come_to(self, made: Any, what: str) -> Any:
        """What a method of the user's has returned, once that has come. Raises Cancelled."""
        return self._await(made)

    def close_function(self, function: Any) -> None:
        """Let it release what it has taken. What has begun comes to its end whatever is wanted."""
        if (task := self._host.begin(function.close())) is not None:
            with suppress(Cancelled):
                self._feed.wait_for_calls(task.done)
            self._host.loop.run_until(task.done)
            task.result()

    def release(self) -> None:
        """Let go of the user's function."""
        super().release()
        self.inner.release()

    # ── calls ──

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Begin a call for each packet, as long as nobody wants attention."""
        loop, feed = self._host.loop, self._feed
        begin = self._start if feed.takes_again else self._begin
        began_s = monotonic()
        loop.enter()
        try:
            while feed.may_go_on():
                for item in values:
                    begin(item, loop)
                    if attention.yield_requested:
                        return
                    if feed.is_keyed:  # the next one's key may be under way
                        break
                else:
                    return
        finally:
            loop.leave()
            loop.begun_since(began_s)
            feed.calls.count()

    def _begin(self, item: Any, loop: TaskLoop) -> None:
        feed = self._feed
        call = feed.call_of(item)
        feed.calls.begin(call)
        self._start(call, loop)

    def _start(self, call: Call, loop: TaskLoop) -> None:
        gate = self._task.gate
        if gate.record is not None:
            call.be_seen(*gate.hand_over())
            self._task.look_away()
        task = loop.start(self._work(call), copy_context())
        if not call.is_over:
            call.is_run_by(task)
            if call.turn is not None:  # whoever steps may be told that it waits for an older one
                task.add_done_callback(self._tell)

    def _tell(self, _: object) -> None:
        self._task.parker.tell()
