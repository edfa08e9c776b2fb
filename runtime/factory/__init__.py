"""Making what runs: backends, operators, tasks, services."""

from runtime.factory.backend import (
    Backend,
    Handle,
    ServiceHandle,
    TaskHandle,
    create_backend,
    register_backend,
    require_platform,
)
from runtime.factory.service_task_factory import ServiceTaskFactory, service_queues
from runtime.factory.task_factory import TaskFactory, lanes_of

__all__ = [
    "Backend",
    "Handle",
    "ServiceHandle",
    "ServiceTaskFactory",
    "TaskFactory",
    "TaskHandle",
    "create_backend",
    "lanes_of",
    "register_backend",
    "require_platform",
    "service_queues",
]
