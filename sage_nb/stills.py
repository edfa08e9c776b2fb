"""The still picture as outputs of a cell: what a notebook keeps, for where no view is alive.

As HTML for pages, which shows the picture as SVG in a form that survives where scripts and bare SVG are stripped; as
PNG for LaTeX and PDF. A bare SVG is left out: nbconvert would ask for Inkscape to make a PDF of it, though a PNG is
there.
"""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sage_nb.picture import Picture

# In a trusted notebook, hide the place of a view that is not alive: Jupyter would show an error about its model.
_HIDE_THE_PLACE: Final = (
    "<style>:is(.jp-OutputArea-child, .output_area):has(+ :is(.jp-OutputArea-child, .output_area) .sage-nb-still)"
    ":not(:has(.sage-nb-view)) {display: none}</style>"
)
_LEAST: Final = 0.75  # of its size: a long pipeline scrolls rather than becoming unreadable


def still_of(picture: Picture) -> dict[str, Any]:
    """The picture as a mime bundle: HTML and PNG."""
    from sage_nb.painter import png_of, svg_of, width_px  # noqa: PLC0415  matplotlib takes longer than a view

    encoded = base64.b64encode(svg_of(picture).encode()).decode("ascii")
    least = round(_LEAST * width_px(picture))
    image = (
        f'<img alt="{escape(picture.alt)}" style="max-width: 100%; min-width: {least}px" '
        f'src="data:image/svg+xml;base64,{encoded}">'
    )
    return {
        "image/png": base64.b64encode(png_of(picture)).decode("ascii"),
        "text/html": f'<div class="sage-nb-still" style="overflow-x: auto">{_HIDE_THE_PLACE}{image}</div>',
    }
