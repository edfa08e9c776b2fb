"""AwaitingOperator: what stands between the kernel and an operator whose function waits.

To the kernel it is an operator. It begins a call for each packet that it is given; what calls have made is sent by
`Sending`, and what they run in is the loop of the `LoopHost`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from contextvars import copy_context
from time import monotonic
from typing import TYPE_CHECKING, Any

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

    def __init__(self, operator: Awaited, feed: CallFeed, task: BaseTask, router: Router) -> None:
        super().__init__()
        self.inner, self._feed, self._task = operator, feed, task
        node = task.ctx.wiring.node
        policy = None if node.on_error == "fail" else policy_of(node.on_error)
        self._tries = None if policy is None else Repeats(task, feed, router, policy)
        self._host = LoopHost(task.parker)
        self._host.serve(feed.calls.how_many_under_way)
        self._work: Work = not_open  # carries out one call
        self._has_told = False  # of something outside that a call waits for
        task.gate.finish_first(feed.finish_calls)
        feed.send_by(Sending(task, router, feed.calls, policy), self._host)

    # ── its life ──

    def open(self, ctx: Context) -> None:
        """Let the function prepare, and wait until it has."""
        loop = self._host.open(self)
        node = self._task.ctx.wiring.node
        bound = Bound(node.name, node.max_results_bytes)
        self._work = work_of(self.inner, self._feed.calls, loop, self._tries, bound)
        function = self.inner.function
        if isinstance(function, Function):
            self._await(function._opened_in(CallContext(self._task.ctx, loop)))

    def tell_of_outside(self) -> None:
        """Under a seed: a call waits for something outside of the session."""
        if not self._has_told:
            self._has_told = True
            self._task.parker.tell_of_outside()
            self._task.ctx.warn(
                "a call waits for something outside of the session; virtual time stands still meanwhile, and this run "
                "will not repeat from its seed"
            )

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
            function = self.inner.function
            close: Any = function.close if isinstance(function, Function) else bool
            if (task := self._host.begin(close())) is not None:
                with suppress(Cancelled):  # what has begun comes to its end whatever is wanted
                    self._feed.wait_for_calls(task.done)
                self._host.loop.run_until(task.done)
                task.result()
        finally:
            self._host.close()

    def release(self) -> None:
        """Let go of the user's function."""
        super().release()
        self.inner.release()

    # ── calls ──

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Begin a call for each packet, as long as nobody wants attention."""
        loop, feed = self._host.loop, self._feed
        began_s = monotonic()
        loop.enter()
        try:
            while feed.may_go_on():
                for item in values:
                    self._begin(item, loop)
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
        feed, gate = self._feed, self._task.gate
        call = Call(item, *feed.parts(item))
        if gate.record is not None:
            call.be_seen(*gate.hand_over())
            self._task.look_away()
        feed.calls.begin(call)
        task = loop.start(self._work(call), copy_context())
        if not call.is_over:
            call.is_run_by(task)
