"""What messages of widgets are to ipykernel: in whose name ours are sent, and on which thread those of pages are heard.

A front end may have a subshell of the kernel, another thread, for what its widgets say, so that a click is heard while
a cell runs; with the page, the subshell goes. From 7.4 on ipykernel sends what pages say to the subshell in whose name
the widget has spoken last, also when that has gone, or is busy. Ours are heard where the page says.
"""

from __future__ import annotations

import sys
import weakref
from contextvars import ContextVar
from typing import Any

_ours: weakref.WeakSet[Any] = weakref.WeakSet()


def is_ours(comm: Any) -> bool:
    """Whether it leads to a widget of ours, whose handlers do no more than put a command down."""
    return comm in _ours


def speak_for_nobody() -> None:
    """Let what this thread sends be nobody's answer: else it would be one to the message that came last, from anywhere.

    Without a kernel, and in one of before 7, nothing is different.
    """
    shell = kernel_shell()
    parent = getattr(shell.kernel, "_shell_parent", None) if shell is not None else None
    if isinstance(parent, ContextVar):
        parent.set({})


def hear_every_page(widget: Any) -> None:
    """Let every message to this widget be handled where its sender wants it to be, and while a cell waits."""
    comm = widget.comm
    _ours.add(comm)
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None


def kernel_shell() -> Any:
    """The shell of the kernel, or None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None
