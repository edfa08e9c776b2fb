"""Sending: what calls have made gets to where it belongs, each in its turn; and what becomes of one that has failed.

It sends between two packets, outside of the loop in which calls run: so it may wait for room as every task does, and
calls go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runtime.communication.send_plan import Puts
from runtime.errors import NO_PACKET, Cancelled, ResultsTooLarge, Unneeded, failure_text
from runtime.graph.policy import Policy, Verdict
from runtime.history.dead_letters import DeadLetter
from runtime.operators.awaited import Awaited
from runtime.scheduling.parker import always
from runtime.task.awaiting.call import Call, Failure
from runtime.task.awaiting.calls import Calls

if TYPE_CHECKING:
    from runtime.communication.router import Router
    from runtime.task.awaiting.feed import CallFeed
    from runtime.task.base_task import BaseTask


class Sending:
    """The outgoing side of a task's calls, under its policy (None: fail). By the task's thread."""

    def __init__(self, task: BaseTask, operator: Awaited, router: Router, calls: Calls, policy: Policy | None) -> None:
        self._task, self._router, self._calls, self._policy = task, router, calls, policy
        self._operator = operator

    def send_due(self) -> None:
        """Send what the calls have made whose turn it is; of one that goes on, what there is now, and no more.

        Raises what one has failed with; Cancelled.
        """
        calls, parker = self._calls, self._task.parker
        while (call := calls.due()) is not None:
            if call.error is not None and self._verdict(call, call.error) == "hold":
                self._hold(call)
                continue
            if not call.is_over:  # nobody else is kept waiting by one that always has something
                calls.sent_part(call, self._send(call, len(call.results)))
                break
            calls.take(call)
            self._send(call)
            if parker.takes_turns:  # one for each result
                parker.park(always, "running")
        if calls.held:
            self._hold_others()
        calls.count()

    def stand(self) -> None:
        """Stand at the closed gate. Raises Cancelled."""
        self._task.gate.stand(self._task.parker)

    def has_turn(self) -> bool:
        """Whether a turn is given that nobody has taken. Any thread."""
        return self._task.gate.turn is not None

    def _send(self, call: Call, part: int | None = None) -> int:
        """Send what a call has come to, or the first results, so many, of one that goes on. Returns that number."""
        router, gate = self._router, self._task.gate
        if router.tracer is not None:
            router.tracer.draw(call.item)
        if call.record is not None:
            gate.take_over(call.record, call.turn)
            call.record.watch(router.plan)
        try:
            if call.streams:
                self._send_stream(call, part)
            elif call.puts is not None:
                router.plan.send(call.puts)
            elif call.error is None:
                send = router.send if call.record is None else router.plan.send_one
                for result in call.results:
                    send(result)
            if call.error is not None and part is None:
                try:
                    self._judge(call, call.error)
                finally:
                    call.forget_error()
        except Unneeded:  # the rest of them, nobody needs
            pass
        except BaseException as error:
            if not isinstance(error, Cancelled):  # a key function, which is to blame for the packet of the result
                router.blame(call.payload)
            raise
        if router.tracer is not None:
            if part is not None:  # the packet is in work again with its next result
                router.tracer.stay()
            router.tracer.leave()
        if call.record is not None:
            router.plan.watch(None)
            if part is None:
                gate.show()
            else:
                call.be_seen(*gate.hand_over())
        return part or 0

    def _send_stream(self, call: Call, part: int | None) -> None:
        """Send results of a call that streams, which may make more meanwhile."""
        send = self._router.send if call.record is None else self._router.plan.send_one
        parker = self._task.parker
        for result in call.results[:part]:
            send(result)
            if parker.takes_turns:  # one for each
                parker.park(always, "running")

    def _judge(self, call: Call, error: BaseException) -> None:
        """Do what the policy says of a call that has failed. Raises its error."""
        task, router, verdict = self._task, self._router, self._verdict(call, error)
        self._calls.free_key(call)
        if call.record is not None:
            call.record.fail(error)
        if verdict == "fail":
            router.blame(call.payload)
            try:
                raise error
            finally:
                del error  # its traceback has this frame, which so would keep itself
        router.blame(NO_PACKET)
        task.counts.fail(verdict == "skip")
        if verdict == "skip":
            keyed = task.ctx.wiring.format.keyed
            if router.tracer is not None:
                router.tracer.blame(error)
            named = None if router.tracer is None else router.tracer.made.blamed()
            letter = DeadLetter(task.ctx.name, call.payload, error, call.key if keyed else None, keyed=keyed, _of=named)
            task.reporter.skipped(letter)
        elif verdict != "hold":
            router.plan.send(router.plan.puts(verdict))

    def _verdict(self, call: Call, error: BaseException) -> Verdict:
        """What becomes of a call that has failed; the policy is asked once."""
        if call.verdict is None:
            verdict: Verdict = "fail"
            if self._policy is not None and isinstance(error, Exception) and not isinstance(error, MemoryError):
                verdict = self._policy.given_up(error)
            call.judge(verdict)
            return verdict
        return call.verdict

    def _hold_others(self) -> None:
        """Whoever mends one sees all: no other waits for its turn to be held."""
        for call in self._calls.failed():
            if call.error is not None and self._verdict(call, call.error) == "hold":
                self._hold(call)

    def _hold(self, call: Call) -> None:
        """Let a call that has failed stay open, and let the task stand still."""
        task, error = self._task, call.error
        assert self._calls.may_hold, "only what `may_hold` says so"
        assert isinstance(error, Exception), "policies are for these"
        self._router.blame(NO_PACKET)
        self._calls.hold(call, Failure(call.item, error, self._operator.version))
        task.gate.close()
        task.reporter.held(task.name, failure_text(call.payload, error))
        if call.record is not None:
            call.record.hold(error)
            task.gate.take_over(call.record, call.turn)
            call.be_seen(None, None)
            task.gate.show()


class Repeats:
    """When a call is tried again, and where its results go, which are sent all or none."""

    def __init__(self, task: BaseTask, feed: CallFeed, router: Router, policy: Policy) -> None:
        self._task, self._feed, self._router, self.policy = task, feed, router, policy

    def puts(self, results: Sequence[object]) -> Puts:
        """Where results go. Raises what a key function raises."""
        return self._router.plan.puts(results)

    async def wait_for_repeat(self, error: Exception, attempt: int) -> bool:
        """Wait until it is to be tried again, which holds up no other call. False: it is not."""
        from runtime.task.awaiting.loop import pause  # noqa: PLC0415  there is a loop by now

        if isinstance(error, ResultsTooLarge):
            return False
        wait_s = self.policy.repeat_after_s(attempt, error, self._task.parker.chance)
        if wait_s is None:
            return False
        self._router.blame(NO_PACKET)
        await pause(wait_s)
        while (wait_s := self._feed.begin_again_s()) > 0:
            await pause(wait_s)
        self._task.counts.retry()
        return True
