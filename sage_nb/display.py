"""What a session shows of itself; `runtime` finds this module as its `Face`, by the group `runtime.display`.

In a kernel a session is shown as two outputs: the live view, and after it the still picture. While the view is alive
the picture is hidden. Where there is no view (a notebook that was opened again without its kernel, one that is not
trusted, an export) the picture is what remains, and in a trusted notebook it hides the place that the view had, where
Jupyter would show an error about a missing model.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

from runtime import Session
from sage_nb.drawing import to_svg
from sage_nb.outputs import live_of, show
from sage_nb.picture import picture_of
from sage_nb.stills import bundle_of, marker_of, still_of

if TYPE_CHECKING:
    from sage_nb.view import View


def mimebundle(session: Session) -> dict[str, Any]:
    """All that a session can be shown as: its live view where there is a kernel, its picture as HTML and PNG."""
    if not _in_kernel():
        return bundle_of([still_of(picture_of(session))])
    view = dashboard(session)
    return {**live_of(view)[0], **bundle_of([view.still()], marker_of(view))}


def display(session: Session) -> bool:
    """Show the live view and the still picture in this cell's output. False: there is no kernel."""
    if not _in_kernel():
        return False
    view = dashboard(session)
    show(view, session.one_line(), [view])
    return True


def dashboard(session: Session, view: Literal["graph", "table"] = "graph") -> View:
    """The session as a live view, by its widget."""
    from sage_nb.view_hub import DASHBOARD, hub_of  # noqa: PLC0415  it imports the widgets

    return hub_of(session).view(DASHBOARD, view)


def svg(session: Session) -> str:
    """The picture as SVG."""
    return to_svg(session)


def _in_kernel() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
