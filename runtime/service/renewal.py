"""Renewal: another object takes the place of a service's own, between two requests. Knows no user code.

From its beginning to its end the service is one that is not set up: calls are accepted and wait, and their time stands
still. So each request is executed by the old object or by the new one. What is in work comes to its end by the old one
first. Then one of the service's threads makes, sets up, exchanges and closes (`BaseServiceTask.renew`).
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from runtime.errors import Cancelled, CommandRefused, TaskEnded
from runtime.scheduling.command import Answer
from runtime.scheduling.parker import BETWEEN
from runtime.scheduling.waiting import Until, Waiting

if TYPE_CHECKING:
    from runtime.service.base_service_task import BaseServiceTask

IN_WORK_S: Final = 5.0
"""How long requests in work, and a set-up that is under way, are waited for."""


class Renewal:
    """One renewal of one service's object. One thread carries it out; the ledger's lock guards what it changes."""

    def __init__(self, service: BaseServiceTask) -> None:
        self._service, self._queue, self._lock = service, service.queue, service.queue.ledger.lock
        self._answer = Answer()
        self._is_over = False

    def renew(self, make: Callable[[], Any]) -> Waiting[str]:
        """Let what `make` makes answer from now on: what the close of the old object has raised, as a text.

        Raises `CommandRefused` if a request in work does not come to its end, `TaskEnded`, and what making and setting
        up raise: then the old object answers on.
        """
        deadline = monotonic() + IN_WORK_S
        yield Until(lambda: self._queue.is_set_up or self._has_ended(), deadline)
        self._suspend()
        yield Until(lambda: not self._queue.running or self._stands_still() or self._has_ended(), deadline)
        with self._lock:
            if self._queue.running and not self._has_ended():
                self._queue.begin()
                raise self._refusal("still at work on a request, which waits for something or takes long")
            self._service.gate.send_on(lambda: self._on_its_thread(make))
            self._queue.call_all()
        self._queue.ledger.nudge()
        yield Until(lambda: self._is_over or self._has_ended())
        if not self._is_over:
            raise self._ended()
        text: str = self._answer.result()
        return text

    def _suspend(self) -> None:
        with self._lock:
            if self._queue.signal is not None or self._queue.refusing or self._has_ended():
                raise self._ended()
            if not self._queue.is_set_up:
                raise self._refusal("still being set up")
            self._queue.suspend()

    def _on_its_thread(self, make: Callable[[], Any]) -> None:
        try:
            self._answer.close(self._service.renew(make), None)
            self._is_over = True
        except Cancelled:  # its end is what is waited for
            pass
        except BaseException as error:  # noqa: BLE001  the border to user code; it is raised where it was asked for
            self._answer.close(None, error)
            self._is_over = True
        with self._lock:
            self._queue.begin()
        self._service.parkers[0].tell()

    def _has_ended(self) -> bool:
        return self._service.ending is not None

    def _stands_still(self) -> bool:
        """Whether no request in work will go on by itself."""
        return all(parker.doing in BETWEEN or parker.stands_still() for parker in self._service.parkers)

    def _refusal(self, what: str) -> CommandRefused:
        name = self._service.name
        return CommandRefused(f"{name!r} is {what}, and its object is replaced between two requests; replace it later")

    def _ended(self) -> TaskEnded:
        return TaskEnded(f"{self._service.name!r} has ended, or is ending; nothing of it can be changed any more")
