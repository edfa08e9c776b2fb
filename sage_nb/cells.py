"""Which cell of the notebook was run last, and whether one is running. Knows IPython, if there is a kernel of it."""

from __future__ import annotations

from typing import Any

from runtime.python.interactive import wait_by
from sage_nb.comms import kernel_shell
from sage_nb.waits import CellWaiter


class _Cells:
    """What is known of the cells since somebody wants to know: since the first view."""

    def __init__(self) -> None:
        self.followed = self.running = False
        self.last: Any = {}  # the message that has run it

    def follow(self, shell: Any) -> None:
        """Begin to follow them; one may be running already."""
        self.followed = True
        parent = _parent_of(shell)
        if parent is not None and parent.get("header", parent).get("msg_type") == "execute_request":
            self.running, self.last = True, parent
        shell.events.register("pre_run_cell", self.begins)
        shell.events.register("post_run_cell", self.ends)
        if parent is not None:
            waiter = CellWaiter(shell.kernel)
            shell.events.register("post_execute", waiter.let_go)
            wait_by(waiter)

    def begins(self, _: object) -> None:
        """IPython is about to run a cell."""
        self.running = True
        shell = kernel_shell()
        self.last = _parent_of(shell) if shell is not None else {}

    def ends(self, _: object) -> None:
        """IPython has run it."""
        self.running = False


def _parent_of(shell: Any) -> Any:
    """The message that it answers, {} if it answers none; None in a tab of a browser, whose kernel is another one.

    There every stack that waits lets messages in, and prints go to the cell that was run last by themselves.
    """
    ask = getattr(shell, "get_parent", None)
    return None if ask is None else ask() or {}


_cells = _Cells()


def follow_cells() -> None:
    """Know from now on which cell was run last. Without a kernel, nothing."""
    shell = kernel_shell()
    if shell is not None and not _cells.followed:
        _cells.follow(shell)


def is_a_cell_running() -> bool:
    """Whether the kernel is busy with a cell, as far as that is known."""
    return _cells.running


def print_into_last_cell() -> None:
    """Let prints without a context appear in the cell that was run last, until the next message.

    ipykernel shows them where the last message came from, and a message of a page has no place for them.
    """
    shell = kernel_shell()
    if shell is not None and _cells.last:
        shell.set_parent(_cells.last)
