"""Messages of widgets and ipykernel: which parent ours are sent with, and on which thread those of pages are handled.

A front end may ask the kernel for a subshell, another thread, for the messages of its widgets, so that a click is
handled while a cell runs; the subshell ends with the page. From 7.4 on ipykernel sends a message of a page to the
subshell that the widget answered last, even if that has ended or is busy. Ours are handled where the page asks.
"""

from __future__ import annotations

import sys
import weakref
from contextvars import ContextVar
from typing import Any

_ours: weakref.WeakSet[Any] = weakref.WeakSet()


def is_ours(comm: Any) -> bool:
    """Whether it belongs to a widget of ours, whose handlers only queue a command."""
    return comm in _ours


def send_without_parent() -> None:
    """Let messages of this thread have no parent: otherwise they would pass for answers to whatever came last.

    Does nothing without a kernel, and before ipykernel 7.
    """
    shell = kernel_shell()
    parent = getattr(shell.kernel, "_shell_parent", None) if shell is not None else None
    if isinstance(parent, ContextVar):
        parent.set({})


def receive_anywhere(widget: Any) -> None:
    """Let every message to this widget be handled on the thread that its page asks for, also while a cell waits."""
    comm = widget.comm
    _ours.add(comm)
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None


def kernel_shell() -> Any:
    """The shell of the kernel, or None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None
