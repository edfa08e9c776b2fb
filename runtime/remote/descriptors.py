"""Descriptors of queues in other processes: by value, so they travel; each finds the queue where it is used."""

from __future__ import annotations

import os
from dataclasses import dataclass

from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane, LaneSpec
from runtime.communication.request_queue import RequestQueue
from runtime.errors import QueueUnreachable
from runtime.remote.endpoint import ENDPOINTS, Endpoint
from runtime.scheduling.parker import Waiter


def _endpoint(job: str, owner: str) -> Endpoint:
    """The one endpoint that this process has of a job."""
    for (of_job, _), endpoint in list(ENDPOINTS.items()):
        if of_job == job:
            return endpoint
    raise QueueUnreachable(f"process {os.getpid()} has no part in the job of {owner!r}, or it is over")


@dataclass(frozen=True, slots=True)
class RemoteQueueDescriptor:
    """The input queue of a task of `job`, wherever that runs."""

    task: str
    capacity: int
    lanes: tuple[LaneSpec, ...]
    job: str

    def get_queue(self) -> Inbox:
        """Reader: the queue itself. Raises `QueueUnreachable` where nothing of the job runs."""
        return _endpoint(self.job, self.task).lanes.inbox(self.task, self.capacity, self.lanes)

    def open_lane(self, number: int, writer: Waiter) -> Lane:
        """Writer: a lane here, whose packets get to lane `number` there. Raises `QueueUnreachable`."""
        endpoint = _endpoint(self.job, self.task)
        return endpoint.lanes.open_lane((self.task, number), self.lanes[number], self.capacity, len(self.lanes), writer)


@dataclass(frozen=True, slots=True)
class RemoteRequestQueueDescriptor:
    """The request queue of a service of `job`, wherever that runs; or what stands for one at an input."""

    service: str
    capacity: int
    job: str
    is_input: bool = False

    def get_queue(self) -> RequestQueue:
        """The queue itself, or what takes calls there. Raises `QueueUnreachable` where nothing of the job runs.

        Of an input, one that refuses all calls.
        """
        calls = _endpoint(self.job, self.service).calls
        return (calls.input if self.is_input else calls.queue)(self.service, self.capacity)
