"""Containers of ipywidgets in which parts stand: they leave the stills of their parts.

A container of ipywidgets knows no stills, and would leave none. So we register with IPython how boxes are displayed,
once there is a part; boxes without a part of ours are displayed as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets

from sage_nb.comms import kernel_shell
from sage_nb.outputs import HasStill, show


def follow_displays() -> None:
    """From now on, boxes that are displayed leave the stills of the parts in them. Without a kernel, nothing.

    A way to display boxes that somebody else has registered is left as it is.
    """
    shell = kernel_shell()
    if shell is None:
        return
    formatter = shell.display_formatter.ipython_display_formatter
    if ipywidgets.Box not in formatter.type_printers:
        formatter.for_type(ipywidgets.Box, _display)


def _display(box: Any) -> None:
    """Show a box: by its own way, if it has one; raises `NotImplementedError` if no part of ours is in it."""
    parts = list(_parts_of(box))
    own = getattr(type(box), "_ipython_display_", None)
    every = getattr(ipywidgets.Widget, "_ipython_display_", None)  # ipywidgets 7: that of all widgets
    if own is not None and (own is not every or not parts):
        own(box)
        return
    if not parts:
        raise NotImplementedError  # IPython goes on as if nothing were registered
    show(box, repr(box), parts)


def _parts_of(widget: Any) -> Iterator[HasStill]:
    """The parts in a box, and in the boxes in it, in the order in which they stand there."""
    for child in getattr(widget, "children", ()):
        if isinstance(child, HasStill):
            yield child
        else:
            yield from _parts_of(child)
