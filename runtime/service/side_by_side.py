"""SideBySide: answers several requests of a service at once, on its one thread. Knows its queue, gate and loop.

A request is open from the moment when it is taken until it has its ending. Its method goes on in the service's loop
while the thread waits, whatever for. Nothing of the kernel runs inside of the loop: a request is begun, and gets its
ending, between two waits. What is answered at once, by a plain method, or through interceptors, which are plain code
around the reply, is answered on the thread, and no request begins meanwhile; those that are open go on where it waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from runtime.communication.calls import Call
from runtime.scheduling.parker import Parker, Ready
from runtime.service.awaiting import OpenRequest, ServiceLoop, result_of

if TYPE_CHECKING:
    from runtime.service.base_service_task import BaseServiceTask


class SideBySide:
    """The open requests of one service, at most `most`. By the service's thread; any may look."""

    def __init__(self, service: BaseServiceTask, parker: Parker, most: int) -> None:
        self._service, self._parker, self._most = service, parker, most
        self._queue, self._gate = service.queue, service.gate
        self._open: dict[OpenRequest, None] = {}
        self._over: deque[OpenRequest] = deque()  # that are to get their endings
        self._has_told = False  # that interceptors let one after the other be answered
        self._gate.finish_first(self._finish)

    def run(self) -> None:
        """Answer until nothing follows. Raises Cancelled, when all that was open has come to its end."""
        queue, parker = self._queue, self._parker
        is_called = partial(queue.is_called, parker)
        parker.say("running")
        try:
            while True:
                self._end_those_over()
                if self._may_begin():
                    parker.enter(self._gate, 1)
                    if self._begin():
                        return
                elif self._open:
                    self._listen()
                    parker.park(self._is_news, "running")
                elif self._listen():
                    parker.park(is_called, "idle")
        finally:
            if self._open:
                self._loop.cancel([request.task for request in self._open if request.task is not None])
                self._end_those_over()

    @property
    def _loop(self) -> ServiceLoop:
        loop = self._service.loop
        assert loop is not None, "it awaits"
        return loop

    def _listen(self) -> bool:
        """Let the next request wake the thread. False: there is something to do."""
        with self._queue.ledger.lock:
            return not self._queue.is_called(self._parker) or self._queue.sleep(self._parker)

    def _may_begin(self) -> bool:
        """Whether a request may begin, or the end, or something else that is to be done at the gate. Any thread."""
        queue = self._queue
        if not queue.ready() or queue.gate.has_errand():
            return queue.gate.has_errand()
        return self.has_room() if queue.waiting else not self._open

    def _is_news(self) -> bool:
        return bool(self._over) or self._may_begin()

    def _finish(self, is_called: Ready, has_turn: Ready) -> bool:
        """At the closed gate: let what is open come to its end, unless the thread is called away. False: it was."""
        if not self._open:
            return False
        while self._open and not is_called():
            self._end_those_over()
            if self._open and not is_called():
                self._parker.park(lambda: bool(self._over) or is_called(), "running")
        return True

    # ── one request ──

    def _begin(self) -> bool:
        """Take a request, and begin it. True: nothing follows."""
        service, queue, parker, lock = self._service, self._queue, self._parker, self._queue.ledger.lock
        with lock:
            call = queue.take(parker)
        if call is None:
            if queue.signal is not None and queue.is_set_up and not self._open:
                return True
            self._pass(None)
        elif service.is_intercepted():
            self._tell_of_interceptors()
            self._pass(service.work(call, parker))
        else:
            came = service.heard(call.request, partial(service.invoke, call.request))
            if came[1] is None and isawaitable(came[0]):
                self._go_on(call, came[0])
            else:
                self._end(call, *came)
            del came
        del call  # the frames of its error's traceback lead back to this one
        return False

    def _go_on(self, call: Call, made: Awaitable[Any]) -> None:
        request = OpenRequest(call, self._service.name, self._parker.hand_over(), self._parker, self._loop)
        with self._queue.ledger.lock:
            call.begin(request)
        self._open[request] = None
        self._loop.begin(made, request, self._over.append)
        self._loop.look_in()

    def _end(self, call: Call, value: Any, error: BaseException | None) -> None:
        self._pass(self._service.end_call(call, value, error, is_stepped=self._parker.turn is not None))

    def _pass(self, record: Any) -> None:
        if self._parker.turn is not None:
            self._gate.passed(self._parker, record)

    def _end_those_over(self) -> None:
        while self._over:
            request = self._over.popleft()
            self._parker.take_over(request.turn)
            self._end(request.call, *self._service.heard(request.call.request, partial(result_of, request.came)))
            del self._open[request]  # last: until then it is at work
            del request

    def _tell_of_interceptors(self) -> None:
        if not self._has_told:
            self._has_told = True
            self._service.ctx.warn(
                "its requests are answered one after the other while there are interceptors, which are plain code "
                "around the reply"
            )

    # ── any thread ──

    def has_room(self) -> bool:
        """Whether one more may begin."""
        return len(self._open) < self._most

    def lets_go_on(self) -> bool:
        """Whether all that its thread does is to wait, while requests go on."""
        return bool(self._open) and self._parker.doing == "running" and self._parker.is_waiting()
