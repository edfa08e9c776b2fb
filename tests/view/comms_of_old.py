"""A comm that needs no kernel, for ipywidgets 7, which opens those of ipykernel in place of those of `comm`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ipykernel.comm import Comm
from ipywidgets import Widget
from traitlets import Any as AnyTrait

_instances: Any = Widget.widgets


_NO_MANAGER = SimpleNamespace(register_comm=lambda _: None, unregister_comm=lambda _: None)


class BaseComm(Comm):
    """A comm of ipykernel with as much of a kernel as it asks for."""

    kernel: Any = AnyTrait(SimpleNamespace(comm_manager=_NO_MANAGER, shell=None))

    def _publish_msg(self, *args: Any, **named: Any) -> None:
        self.publish_msg(*args, **named)

    def publish_msg(self, *args: Any, **named: Any) -> None:
        """Send a message."""
        raise NotImplementedError
