"""How a picture looks, whoever paints it: its colours on a light panel, its measures, where things lie on the panel."""

from __future__ import annotations

from typing import Final

from sage_nb.layout import Point
from sage_nb.picture import Picture

INK: Final = "#1f2328"
FAINT: Final = "#59636e"
BORDER: Final = "#8c959f"
PANEL: Final = "#f6f8fa"
PANEL_BORDER: Final = "#d1d9e0"
BOX: Final = "#ffffff"
FONTS: Final = ("DejaVu Sans", "Verdana", "Helvetica", "Arial")

MARGIN_PX: Final = 20.0
_HEAD_PX: Final = 52.0
ARROW_PX: Final = 8.0
STACK_PX: Final = 4.0  # by how much the box behind shows where there are parallel instances
NAME_AT_PX: Final = 12.5  # the first baseline in a box, below the top of its text


def size_px(picture: Picture) -> tuple[float, float]:
    """How wide and high `picture` is on a screen, with its margins and its headline."""
    return picture.width + 2 * MARGIN_PX, picture.height + _HEAD_PX + MARGIN_PX


def on_panel(point: Point) -> Point:
    """Where a point of the layout lies on the picture's panel."""
    return point[0] + MARGIN_PX, point[1] + _HEAD_PX
