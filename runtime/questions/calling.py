"""QuestionQueue: a graph is asked by its own functions and services, as a service is called. Knows no thread.

A call that comes here begins at once: its packet is put into the input, or stands in line for it. It is ended by the
end of its question, on whichever thread that comes; its time is watched over as that of any call.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from runtime.communication.calls import DEFAULT_METHOD, Call, Ledger, Request, stopped
from runtime.communication.request_queue import RequestQueue
from runtime.errors import ServiceLoop, ServiceStopped, WrongArguments
from runtime.texts.preview import preview

if TYPE_CHECKING:
    from runtime.questions.asking import Asking
    from runtime.questions.question import Question


class QuestionQueue(RequestQueue):
    """The calls that ask at one input. The ledger's lock guards all but `_new`, which is added to and taken from."""

    def __init__(self, service: str, capacity: int, ledger: Ledger) -> None:
        super().__init__(service, capacity, ledger)
        self._asking: ref[Asking] | None = None  # which, in the end, holds this
        self._new: deque[Call] = deque()  # that have not been asked yet
        self._asked: dict[Call, Question] = {}
        self.begin()

    def answer_by(self, asking: Asking) -> None:
        """Before the start: questions are put by that."""
        self._asking = ref(asking)

    @property
    def busy(self) -> bool:
        """Never: who waits here is at work elsewhere."""
        return False

    # ── a call ──

    def prepare(self, call: Call) -> None:
        """Raise `WrongArguments` for what is no question."""
        request = call.request
        if request.method != DEFAULT_METHOD or len(request.args) != 1 or request.kwargs:
            raise WrongArguments(
                f"{request.service!r} is an input, which is asked with one value: call_service({request.service!r}, "
                f"value), not {preview(request.text)}"
            )

    def put(self, call: Call) -> None:
        """Accept a call. Raises `ServiceStopped`, and `ServiceLoop` if its packets would come to who waits for it."""
        if self.refusing or (asking := self._find()) is None:
            raise stopped(self)
        self._refuse_way(call.request, asking.way(self.service))
        self.counts["received"] += 1
        self.ledger.enter(call)
        if call.future is not None:
            call.future.begin()
        call.begin()
        self._new.append(call)
        self.publish()

    def ship(self) -> None:
        """Ask what was accepted."""
        while self._new:
            try:
                call = self._new.popleft()
            except IndexError:  # another caller has taken it
                return
            if (asking := self._find()) is not None:
                asking.put(call.request, partial(self._begin, call), partial(self._hear, call))

    def _begin(self, call: Call, question: Question) -> bool:
        """It is about to be asked. False: it has ended."""
        with self.ledger.lock:
            is_open = not call.is_done()
            if is_open:
                self._asked[call] = question
        return is_open

    def _hear(self, call: Call, question: Question) -> None:
        """Any thread: its question has come to an end, or its time goes on."""
        ledger = self.ledger
        if (lost_s := question.is_going_on()) is not None:
            with ledger.lock:
                ledger.give_time({call: lost_s})
            return
        value: Any = None
        error: BaseException | None = None
        try:
            value = question.result()
        except BaseException as raised:  # noqa: BLE001  it is raised where it was asked
            error = raised
        with ledger.lock:
            self._asked.pop(call, None)
            if call.is_done():
                return
            ledger.close(call, value, error)
            self.count("results" if error is None else "errors")
        call.tell()
        ledger.nudge()

    def withdraw(self, call: Call) -> None:
        """It is about to be ended: nobody waits for its question."""
        if (question := self._asked.pop(call, None)) is not None:
            question.give_up(ServiceStopped("nobody waits for it any more"))

    def _find(self) -> Asking | None:
        return None if self._asking is None else self._asking()

    # ── circles, gates ──

    def _refuse_way(self, request: Request, way: tuple[str, ...]) -> None:
        at = next((at for at, caller in enumerate(request.callers) if caller in way), None)
        if at is not None:
            circle = " → ".join((*request.callers[at:], self.service))
            raise ServiceLoop(
                f"{circle}: packets of input {self.service!r} come to {request.callers[at]!r}, which would wait for "
                "itself; ask from where they do not come"
            )

    def is_held(self, call: Call) -> bool:
        """Whether the time of `call` stands still."""
        return (question := self._asked.get(call)) is not None and question.stands_still

    def stands_still(self, call: Call) -> bool:
        """Whether time alone will not end it."""
        return self.is_held(call)
