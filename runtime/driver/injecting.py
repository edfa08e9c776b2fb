"""Puts packets into queues of any process by hand: into places of the hand's own, or on credit of a writer.

A queue's hand sees no lane of a writer elsewhere, so it is the driver who asks writers for a place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from runtime.communication.note import Note, in_one_step
from runtime.driver.actor_wrapper import TaskWrapper
from runtime.driver.driver_task import DriverTask
from runtime.driver.job import Job
from runtime.errors import QueueFull, TaskEnded
from runtime.factory.backend import Handle, TaskHandle
from runtime.remote.arrivals import OWN_PLACE
from runtime.remote.codec import Pickled, require_sendable
from runtime.scheduling.waiting import Until, Waiting


def sendable(job: Job, handles: Sequence[Handle], value: Any, *, stays: bool) -> Any:
    """The value pickled, if it travels to these; for tasks of the driver itself. Raises `NotSendable`.

    One that will travel on from a task of the driver (unless it `stays`) is tried out.
    """
    if not all(isinstance(handle, DriverTask) for handle in handles):
        return Pickled(value, job.endpoint.codec)
    for handle in () if stays else handles:
        _try_out(job, handle, value)
    return value


def offer(job: Job, task: DriverTask, item: Any, note: Note | None = None) -> bool:
    """Put an item into the queue of a task of the driver, if there is room. Any thread. Raises `NotSendable`."""
    _try_out(job, task, item)
    return task.inbox.hand.offer(item, note)


def inject(
    job: Job, handles: Sequence[TaskHandle], item: Any, deadline: float, noted: Callable[[], Note]
) -> Waiting[None]:
    """Put an item, as `sendable` has made it, into all these queues, or into none. Raises `QueueFull`, `TaskEnded`.

    A place is found in each of them first. Only if one of several tasks ends right after that, the others have it.
    What `noted` makes is put down when all have it.
    """
    refusals: list[QueueFull] = []
    accepted: list[bool] = []

    def is_accepted() -> bool:
        try:
            if not accepted:
                numbers = _inject(job, handles, item)
                accepted.append(True)
                note = noted()
                note.numbers.extend(numbers)
                in_one_step(note.acts)
        except QueueFull as refusal:
            refusals[:] = [refusal]
        return bool(accepted)

    if not is_accepted() and (deadline <= monotonic() or not (yield Until(is_accepted, deadline))):
        raise refusals[0]


def _inject(job: Job, handles: Sequence[TaskHandle], item: Any) -> list[int]:
    """Returns its arrival number in each of the queues."""
    found: list[tuple[TaskHandle, int]] = []
    numbers = []
    try:
        for handle in handles:
            found.append((handle, _reserve(job, handle, item)))
        while found:
            handle, place = found[0]
            numbers.append(_ask(handle, "put_into", place, item))
            del found[0]
    except (QueueFull, TaskEnded):
        for handle, place in found:
            _release(job, handle, place)
        raise
    return numbers


def _reserve(job: Job, handle: TaskHandle, item: Any) -> int:
    """A place for `item` in a task's queue: `OWN_PLACE` of the hand, or the lane whose writer gives credit."""
    try:
        _ask(handle, "reserve", item)
    except QueueFull:
        lender = job.borrow_credit(handle.name)
        if lender is None:
            raise
        return lender
    return OWN_PLACE


def _release(job: Job, handle: TaskHandle, place: int) -> None:
    if place == OWN_PLACE:
        _ask(handle, "release")
    else:
        job.return_credit(handle.name, place)


def _try_out(job: Job, task: Handle, item: Any) -> None:
    """Raise `NotSendable` if what is put into the queue of a task of the driver has to travel from it, and cannot."""
    if isinstance(task, DriverTask) and task.lanes_out:
        element = item[1] if task.ctx.wiring.format.asked else item  # its question stays
        require_sendable(element, job.endpoint.codec)


def _ask(handle: TaskHandle, what: str, *arguments: Any) -> Any:
    """Ask the queue of a task, wherever that is. Raises `TaskEnded`, `QueueFull`."""
    if isinstance(handle, TaskWrapper):
        return handle.ask("hand", what, *arguments)
    assert isinstance(handle, DriverTask), "a task of a remote job"
    handle.inbox  # noqa: B018  raises for a source, which has none
    queue = handle.queue
    assert queue is not None, "a source"
    return getattr(queue.hand, what)(*arguments)
