"""BatchSending: what calls for batches have made gets to where it belongs, each result as that of its packet.

A batch of which all has succeeded is sent as one. Of one that was taken apart each part is sent, skipped or held by
itself; what comes after one that is held waits for its turn, as every ordered call does.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.batches.calls import BatchCall
from runtime.communication.packet import Bearer
from runtime.errors import Cancelled, Unneeded
from runtime.task.awaiting.call import Call
from runtime.task.awaiting.sending import Sending


class BatchSending(Sending):
    """The outgoing side of calls for one packet or several."""

    def _send(self, call: Call, part: int | None = None) -> int:
        if not isinstance(call, BatchCall):
            return super()._send(call, part)
        router, gate = self._router, self._task.gate
        if router.tracer is not None:
            router.tracer.draw_all(call.gathered.items)
        if call.record is not None:
            gate.take_over(call.record, call.turn)
            call.record.watch(router.plan)
        try:
            if call.error is not None:
                self._judge(call, call.error)
            elif call.parts:
                self._send_parts(call)
            else:
                self._send_made(call)
        except Unneeded:  # the rest of them, nobody needs
            pass
        if router.tracer is not None:
            router.tracer.leave()
        if call.record is not None:
            router.plan.watch(None)
            gate.show()
        return 0

    def _send_made(self, call: BatchCall) -> None:
        router, gathered = self._router, call.gathered
        send = router.send if call.record is None else router.plan.send_one
        if call.made is None:  # it was given up: nobody needs it
            self._leave(gathered.items)
            return
        try:
            if call.puts is not None:
                router.plan.send(call.puts)
            for sent in call.results if call.puts is None else ():
                send(sent)
            gathered.send(call.made, send)
        except Unneeded:
            self._leave(gathered.items[gathered.drawn() :])
            raise
        except BaseException as error:
            self._task.counts.break_off(gathered.unsent() if gathered.drawn() else call.size)
            if not isinstance(error, Cancelled):  # a key function, which is to blame for the packet of the result
                router.blame(gathered.in_work())
            raise

    def _send_parts(self, call: BatchCall) -> None:
        """Send each part, or skip it, up to the first that is to be held: this one, and the rest, are put back."""
        router = self._router
        self._calls.free_key(call)
        for number, part in enumerate(call.parts):
            if part.error is not None and self._verdict(part, part.error) == "hold":
                self._put_back(call, call.parts[number:])
                return
            if router.tracer is not None:
                router.tracer.draw(part.item)
            part.be_seen(call.record, None)
            try:
                if part.error is not None:
                    self._judge(part, part.error)
                elif part.puts is not None:  # else it was given up
                    router.plan.send(part.puts)
            except Unneeded:
                self._leave([each.item for each in call.parts[number + 1 :]])
                raise
            except BaseException:
                self._task.counts.break_off(call.size - number - 1)
                raise

    def _put_back(self, call: BatchCall, parts: Sequence[Call]) -> None:
        """The first of these is to be held; who steps hears of that."""
        self._calls.put_first(parts)
        if call.record is not None:
            self._router.plan.watch(None)
            parts[0].be_seen(*self._task.gate.hand_over())
            call.be_seen(None, None)

    def _hold_others(self) -> None:
        for call in self._calls.all():
            if isinstance(call, BatchCall) and call.is_over and self._is_to_be_held(call):
                self._calls.free_key(call)
                self._calls.take_apart(call, call.parts)
                first = next(part for part in call.parts if part.error is not None)
                first.be_seen(call.record, call.turn)
        super()._hold_others()

    def _is_to_be_held(self, call: BatchCall) -> bool:
        failed = [part for part in call.parts if part.error is not None]
        return any(part.error is not None and self._verdict(part, part.error) == "hold" for part in failed)

    def _leave(self, items: Sequence[object]) -> None:
        """These have been worked, and nothing is made of them."""
        if isinstance(self._router.tracer, Bearer):
            self._router.tracer.left(items)
