"""The two ways to ask for a picture: on axes, and as SVG. And who draws it: matplotlib, brought in only when a picture
is asked for; where it cannot be imported, a painter of our own, which knows no axes and makes no PNG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime import ExecutionGraph, Session
from sage_nb.picture import Picture, picture_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(what: Session | ExecutionGraph, ax: Axes | None = None) -> Axes:
    """Draw the graph of a session, or a graph, and return the axes; without `ax`, on a new figure that fits.

    Shows operators with kind and parallelism, edges with their strategy, and, once a run has ended, how it ended and
    what was counted. On given axes the text is scaled to their size at this moment. Raises `TypeError`, and
    `ImportError` without matplotlib.
    """
    picture = picture_of(what)
    try:
        from sage_nb.painter import paint  # noqa: PLC0415  it imports matplotlib
    except ImportError as error:
        hint = "pip install matplotlib; sage_nb.to_svg(…) gives the same picture without it"
        raise ImportError(f"sage_nb.draw(…) paints on axes of matplotlib: {hint}") from error
    return paint(picture, ax)


def to_svg(what: Session | ExecutionGraph) -> str:
    """The same picture as SVG: the same graph and facts give the same text, byte for byte, in every process.

    Text is text, names are escaped, and nothing is loaded from elsewhere. Without matplotlib it has the same words in
    the same places, and is another text. Raises `TypeError`.
    """
    return svg_of(picture_of(what))


def svg_of(picture: Picture) -> str:
    """`picture` as SVG, without an XML declaration, so that it can stand in a page."""
    try:
        from sage_nb.painter import svg_of as paint  # noqa: PLC0415  it imports matplotlib
    except ImportError:
        from sage_nb.svg_painter import svg_of as paint  # noqa: PLC0415  seldom needed
    return paint(picture)


def png_of(picture: Picture) -> bytes:
    """`picture` as PNG, for print; empty without matplotlib."""
    try:
        from sage_nb.painter import png_of as paint  # noqa: PLC0415  it imports matplotlib
    except ImportError:
        return b""
    return paint(picture)
