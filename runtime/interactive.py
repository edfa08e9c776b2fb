"""Who sits in front of this process: a person at a kernel or a terminal, or nobody. Knows nothing of the runtime."""

from __future__ import annotations

import sys


def in_kernel() -> bool:
    """Whether this is an interactive kernel, where a cell is run again and again."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def tell_who_waits(text: str) -> None:
    """Write a line to whoever waits: into the cell that runs, or to a terminal. Where nobody waits, nothing."""
    stream = sys.stdout if in_kernel() else sys.stderr  # a cell shows what comes by stderr as something wrong
    if stream is not None and (in_kernel() or stream.isatty()):
        stream.write(f"{text}\n")
        stream.flush()
