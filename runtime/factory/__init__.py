"""Making what runs: backends, operators, tasks."""

from runtime.factory.backend import Backend, TaskHandle, create_backend, register_backend, require_platform
from runtime.factory.operator_factory import create_operator, register_operator
from runtime.factory.task_factory import TaskFactory, lanes_of

__all__ = [
    "Backend",
    "TaskFactory",
    "TaskHandle",
    "create_backend",
    "create_operator",
    "lanes_of",
    "register_backend",
    "register_operator",
    "require_platform",
]
