"""What user code is told about where it runs."""

from runtime.context.runtime_context import (
    BaseRuntimeContext,
    Reporter,
    ServiceContext,
    ServiceWiring,
    TaskContext,
    TaskWiring,
)

__all__ = ["BaseRuntimeContext", "Reporter", "ServiceContext", "ServiceWiring", "TaskContext", "TaskWiring"]
