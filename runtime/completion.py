"""The end of a run, as it is waited for: it comes, or it cannot come, since something is paused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runtime.errors import JobPaused
from runtime.factory import Backend, Handle, ServiceHandle, TaskHandle
from runtime.scheduling.waiting import Until, Waiting


class Completion:
    """What those wait for who wait for the end of a run: of these tasks and services, which may still be made."""

    def __init__(
        self, backend: Backend, tasks: Mapping[str, TaskHandle], services: Mapping[str, ServiceHandle]
    ) -> None:
        self._backend, self._tasks, self._services = backend, tasks, services
        self._come: list[bool] = []
        self._is_something_paused = False  # some gate is closed by hand: the job may stand still because of it
        self._is_held_by_person = False  # who closed gates last did so in a view, and can open them there
        self.waiters = 0  # how many wait for it
        self._news: Callable[[], None] = _nothing

    def tell(self, news: Callable[[], None]) -> None:
        """Let `news` be told of what those who wait cannot see by watching tasks."""
        self._news = news

    def hold(self, by_person: bool) -> None:
        """Gates are about to be closed by hand: in a view, by a person who can open them there, or by code."""
        self._is_held_by_person = by_person

    def wait(self, deadline: float) -> Waiting[bool]:
        """Wait for it. False: it has not come yet. Raises `JobPaused` if it cannot, and nobody holds it in a view."""
        self.waiters += 1
        try:
            while not self._come:
                if self._is_something_paused:
                    # While something is paused, watch what everybody does: it may be all that keeps the job from its
                    # end.
                    in_time = yield Until(self._is_come_or_stuck, deadline)
                    if held := self._held_by_pause():
                        names = f"{', '.join(map(repr, held))} {'is' if len(held) == 1 else 'are'}"
                        raise JobPaused(f"the job stands still, since {names} paused; resume() or step(), then wait")
                else:
                    in_time = yield Until(
                        lambda: bool(self._come) or self._is_something_paused, deadline, watched=False
                    )
                if not in_time:
                    break
        finally:
            self.waiters -= 1
        return bool(self._come)

    @property
    def has_come(self) -> bool:
        """Whether it is there."""
        return bool(self._come)

    def come(self) -> None:
        """It is there. Any thread."""
        self._come.append(True)
        self._news()

    def look_at_gates(self) -> None:
        """Gates were closed or opened by hand."""
        self._is_something_paused = any(worker.is_paused for worker in self._backend.workers(self._handles()))

    def _handles(self) -> list[Handle]:
        return [*self._tasks.values(), *self._services.values()]

    def _is_come_or_stuck(self) -> bool:
        return self.has_come or not self._is_something_paused or bool(self._held_by_pause())

    def _held_by_pause(self) -> list[str]:
        """Who has something to do and is paused, if that is why nothing moves."""
        handles = self._handles()
        held: list[str] = []
        if self.has_come or self._is_held_by_person:
            return held

        def look() -> bool:
            workers = self._backend.workers(handles)
            held[:] = [handle.name for handle, worker in zip(handles, workers, strict=True) if worker.is_held]
            return bool(held)

        return held if self._backend.holds(look) and self._backend.is_still(handles) else []


def _nothing() -> None:
    """Nobody waits."""
