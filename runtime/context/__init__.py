"""What user code is told about where it runs."""

from runtime.context.runtime_context import (
    BaseRuntimeContext,
    Reporter,
    ServiceContext,
    TaskContext,
    TaskWiring,
)

__all__ = ["BaseRuntimeContext", "Reporter", "ServiceContext", "TaskContext", "TaskWiring"]
