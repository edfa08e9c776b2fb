"""The two ways to ask for a picture: on axes, and as SVG. Brings in matplotlib only when one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime import ExecutionGraph, Session
from sage_nb.picture import picture_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(what: Session | ExecutionGraph, ax: Axes | None = None) -> Axes:
    """Draw the graph of a session, or a graph, and return the axes; without `ax`, on a new figure that fits.

    Shows operators with kind and parallelism, edges with their strategy, and, once a run has ended, how it ended and
    what was counted. On given axes the text is scaled to their size at this moment. Raises `TypeError`.
    """
    from sage_nb.painter import paint  # noqa: PLC0415  it imports matplotlib

    return paint(picture_of(what), ax)


def to_svg(what: Session | ExecutionGraph) -> str:
    """The same picture as SVG: the same graph and facts give the same text, byte for byte, in every process.

    Text is text, names are escaped, and nothing is loaded from elsewhere. Raises `TypeError`.
    """
    from sage_nb.painter import svg_of  # noqa: PLC0415  it imports matplotlib

    return svg_of(picture_of(what))
