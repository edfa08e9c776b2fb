"""What a task remembers, in one place: looked at, changed, copied, restored."""

from runtime.state.store import Copied, Memory, Store

__all__ = ["Copied", "Memory", "Store"]
