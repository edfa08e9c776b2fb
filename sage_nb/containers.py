"""Containers of ipywidgets in which parts stand: they leave the stills of their parts.

A container knows nothing of us, and would leave nothing. IPython asks whoever has something to say of how a type is
displayed; we say something of boxes, once there is a part, and of others than those with a part in it, nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets

from sage_nb.comms import kernel_shell
from sage_nb.outputs import Lasting, show


def follow_displays() -> None:
    """From now on, boxes that are displayed leave the stills of the parts in them. Without a kernel, nothing.

    Where somebody else has said how boxes are displayed, that holds.
    """
    shell = kernel_shell()
    if shell is None:
        return
    formatter = shell.display_formatter.ipython_display_formatter
    if ipywidgets.Box not in formatter.type_printers:
        formatter.for_type(ipywidgets.Box, _display)


def _display(box: Any) -> None:
    """Show a box: by its own way, if it has one; raises `NotImplementedError` if no part of ours is in it."""
    own = getattr(type(box), "_ipython_display_", None)
    if own is not None:
        own(box)
        return
    parts = list(_parts_of(box))
    if not parts:
        raise NotImplementedError  # IPython goes on as if nobody had said anything
    show(box, repr(box), parts)


def _parts_of(widget: Any) -> Iterator[Lasting]:
    """The parts in a box, and in the boxes in it, in the order in which they stand there."""
    for child in getattr(widget, "children", ()):
        if isinstance(child, Lasting):
            yield child
        else:
            yield from _parts_of(child)
