"""Making what runs: backends, operators, tasks, services."""

from runtime.factory.backend import (
    Backend,
    Handle,
    ServiceHandle,
    TaskHandle,
    create_backend,
    is_of_processes,
    register_backend,
    require_platform,
    seed_refused,
)
from runtime.factory.service_task_factory import create_service_task, service_queues
from runtime.factory.task_factory import TaskFactory, lanes_of

__all__ = [
    "Backend",
    "Handle",
    "ServiceHandle",
    "TaskFactory",
    "TaskHandle",
    "create_backend",
    "create_service_task",
    "is_of_processes",
    "lanes_of",
    "register_backend",
    "require_platform",
    "seed_refused",
    "service_queues",
]
