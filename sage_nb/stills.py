"""The still picture as outputs of a cell: what a notebook keeps, for where no view is alive.

As HTML for pages, which shows the picture as SVG in a form that survives where scripts and bare SVG are stripped; where
there is matplotlib, as PNG for LaTeX and PDF. A bare SVG is left out: nbconvert would ask for Inkscape to make a PDF of
it, though a PNG is there.

Each still brings the two rules by which a page shows it or its view, never both, in a trusted notebook. A view that is
alive and its still carry the same marker. The place of a view that is gone carries none: applications put a line of
text there, and tell of it only that it is a widget's. So of all such places the one that comes last before a still is
its own; what was printed in between, or before, or after, is left alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from sage_nb.drawing import png_of, svg_of
from sage_nb.picture import Picture
from sage_nb.picture_style import size_px

# An output, and in it a widget's place: in JupyterLab and Notebook 7; classic Notebook and nbclassic; VS Code; Colab,
# where nothing is known of places. JupyterLab names the kind of every output but of those, which are panels.
_OUTPUT: Final = ":is(.jp-OutputArea-child, .output_area, .output_container, .display_data, .execute_result)"
_PLACE: Final = ":is(.jp-OutputArea-output.lm-Panel, .jupyter-widgets-view, .cell-output-ipywidget-background)"
_STILL: Final = ".sage-nb-still"
_FAR: Final = 3  # outputs from a view to its still: prints of one kind are one output, so there are hardly more between

_LEAST: Final = 0.75  # of its size: a long pipeline scrolls rather than becoming unreadable


@dataclass(frozen=True, slots=True)
class Still:
    """What is left of one part: HTML; of a picture also a PNG, if there is one, in base 64.

    `run`: the run whose end it tells of.
    """

    html: str = ""
    png: str = ""
    run: int = 0


def still_of(picture: Picture) -> Still:
    """The picture."""
    encoded = base64.b64encode(svg_of(picture).encode()).decode("ascii")
    least = round(_LEAST * size_px(picture)[0])
    image = (
        f'<img alt="{escape(picture.alt)}" style="max-width: 100%; min-width: {least}px" '
        f'src="data:image/svg+xml;base64,{encoded}">'
    )
    return Still(image, base64.b64encode(png_of(picture)).decode("ascii"))


def bundle_of(stills: Sequence[Still], marker: str = "") -> dict[str, Any]:
    """One output of these, each below the other: HTML, and the first PNG. `marker` is that of the view they are of."""
    bodies = list(dict.fromkeys(each.html for each in stills))
    body = bodies[0] if len(bodies) == 1 else "".join(f'<div style="overflow-x: auto">{each}</div>' for each in bodies)
    mark = f' data-of="{marker}"' if marker else ""
    html = f'<div class="sage-nb-still"{mark} style="overflow-x: auto">{_style(marker)}{body}</div>'
    pictures = [each.png for each in stills if each.png]
    return {"image/png": pictures[0], "text/html": html} if pictures else {"text/html": html}


def marker_of(widget: Any) -> str:
    """What a widget and its still have in common, the same in every run."""
    return hashlib.sha256(repr(widget).encode(errors="backslashreplace")).hexdigest()[:8]


def class_of(marker: str) -> str:
    """The class of a widget with this marker."""
    return f"sage-nb-of-{marker}"


def _style(marker: str) -> str:
    gone = f"{_OUTPUT}:has({_PLACE}):not(:has({_PLACE} *))"  # nothing but text is in it
    hidden = [gone + _next_is_a_still(far) for far in range(1, _FAR + 1)]
    if marker:
        alive = f"{_OUTPUT}:has(.{class_of(marker)} :is(.sage-nb-view, .sage-nb-line))"
        hidden.append(f'{alive} ~ {_OUTPUT}:has({_STILL}[data-of="{marker}"])')
    return f"<style>{', '.join(hidden)} {{display: none}}</style>"


def _next_is_a_still(far: int) -> str:
    """Of what follows, the still that is `far` outputs away comes first: no place of another widget is before it."""
    nearer = ", ".join("+ * " * each + _PLACE for each in range(1, far))
    return f":has({'+ * ' * far}{_STILL})" + (f":not(:has({nearer}))" if nearer else "")
