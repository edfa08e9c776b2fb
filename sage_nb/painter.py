"""Painting a picture with matplotlib, on a figure of its own or on anybody's axes, and as SVG. Never pyplot.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; each comes with a glyph and a word. The picture
brings its own light panel, so it reads the same on a dark page.
"""

from __future__ import annotations

import io
import warnings
from itertools import pairwise
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.style import context
from PIL import Image

from sage_nb.layout import Box, Point, swing
from sage_nb.picture import DETAIL_PX, LINE_PX, NAME_PX, Operator, Picture, PictureEdge, text_width
from sage_nb.picture_calls import PictureCall
from sage_nb.picture_style import (
    ARROW_PX,
    BORDER,
    BOX,
    FAINT,
    FONTS,
    INK,
    MARGIN_PX,
    NAME_AT_PX,
    PANEL,
    PANEL_BORDER,
    STACK_PX,
    on_panel,
    size_px,
)

_PX_PER_INCH: Final = 96.0  # a browser's
_POINTS_PER_INCH: Final = 72.0
_PNG_COLOURS: Final = 32
_PRINT_DPI: Final = 2 * _PX_PER_INCH

# The text of an SVG stays text, to be read aloud, searched and copied; its font is the reader's. Everything else that a
# matplotlibrc or a style could change is matplotlib's default.
_SETTINGS: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sage_nb",
    "font.family": ["sans-serif"],
    "font.sans-serif": list(FONTS),
}


def paint(picture: Picture, ax: Axes | None = None) -> Axes:
    """Paint `picture` on `ax`, its text scaled to their size at this moment; without, on a new figure that fits."""
    return _Painter(picture, ax).paint()


def svg_of(picture: Picture) -> str:
    """`picture` as SVG, without an XML declaration, so that it can stand in a page."""
    drawing = io.StringIO()
    metadata = {"Title": picture.title, "Date": None, "Creator": None, "Format": None, "Type": None}
    with context(["default", _SETTINGS]), warnings.catch_warnings():
        # Whether matplotlib's own font has a glyph does not matter: the reader's font is used.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        _figure_of(paint(picture)).savefig(drawing, format="svg", metadata=metadata)
    svg = drawing.getvalue()
    return svg[svg.index("<svg") :]


def png_of(picture: Picture) -> bytes:
    """`picture` as PNG, for print: twice a screen's pixels, in few colours, so that it takes little of a notebook."""
    drawing, packed = io.BytesIO(), io.BytesIO()
    with context(["default", _SETTINGS]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        _figure_of(paint(picture)).savefig(drawing, format="png", dpi=_PRINT_DPI)
    with Image.open(drawing) as drawn:
        on_paper = Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn.convert("RGBA")).convert("RGB")
    on_paper.quantize(_PNG_COLOURS).save(packed, format="png", optimize=True, dpi=(_PRINT_DPI, _PRINT_DPI))
    return packed.getvalue()


def _figure_of(ax: Axes) -> Figure:
    """The whole figure, in every matplotlib: that of a part of one is the whole, and that of the whole is itself."""
    return ax.figure.figure


class _Painter:
    """One picture on one pair of axes, whose data coordinates are px with y growing downwards."""

    def __init__(self, picture: Picture, ax: Axes | None) -> None:
        self.picture = picture
        self.width, self.height = size_px(picture)
        self.ax = self._own_axes() if ax is None else ax
        self.ax.set(xlim=(0, self.width), ylim=(self.height, 0), aspect="equal")
        self.ax.set_axis_off()
        place = self.ax.get_window_extent()
        scale = min(place.width / self.width, place.height / self.height)
        self.points_per_px = scale * _POINTS_PER_INCH / _figure_of(self.ax).dpi

    def _own_axes(self) -> Axes:
        figure = Figure(figsize=(self.width / _PX_PER_INCH, self.height / _PX_PER_INCH), dpi=_PX_PER_INCH)
        figure.patch.set_visible(False)
        return figure.add_axes((0, 0, 1, 1))

    def paint(self) -> Axes:
        """Panel, headline, edges, then operators and labels on top."""
        picture = self.picture
        panel = Box(self.width / 2, self.height / 2, self.width - 1, self.height - 1)
        self._rectangle(panel, 8, face=PANEL, edge=PANEL_BORDER, line_px=1, zorder=0)
        self._text((MARGIN_PX, 22), picture.name, NAME_PX, weight="bold", ha="left", zorder=0.5)
        self._text((MARGIN_PX, 39), picture.subtitle, DETAIL_PX, colour=FAINT, ha="left", zorder=0.5)
        for call in picture.calls:
            self._call(call)
        for edge in picture.edges:
            self._edge(edge)
        for operator in picture.operators:
            self._operator(operator)
        return self.ax

    def _operator(self, operator: Operator) -> None:
        box = _moved(operator.box)
        status = operator.status
        edge, line_px, style = BORDER, 1.2, "-"
        if status is not None:
            edge, line_px, style = status.colour, 3 if status.broken else 2, "--" if status.broken else "-"
        radius = min(box.height / 2, 20.0) if operator.is_round else 5.0
        if operator.parallelism > 1:
            behind = Box(box.x + STACK_PX, box.y - STACK_PX, box.width, box.height)
            self._rectangle(behind, radius, face=BOX, edge=edge, line_px=line_px, zorder=2, style=style)
        self._rectangle(box, radius, face=BOX, edge=edge, line_px=line_px, zorder=3, style=style)
        baseline = box.y - LINE_PX * len(operator.lines) / 2 + NAME_AT_PX
        self._text((box.x, baseline), operator.name, NAME_PX, weight="bold")
        for number, line in enumerate(operator.lines[1:], 1):
            colour = FAINT if number == 1 else INK
            self._text((box.x, baseline + number * LINE_PX), line, DETAIL_PX, colour=colour)

    def _edge(self, edge: PictureEdge) -> None:
        points = [on_panel(point) for point in edge.points]
        tip = points[-1]
        points[-1] = (tip[0] - ARROW_PX, tip[1])
        vertices, codes = [points[0]], [Path.MOVETO]
        for number, (start, end) in enumerate(pairwise(points)):
            if number % 2:  # past a column
                vertices.append(end)
                codes.append(Path.LINETO)
            else:
                vertices += [*swing(start, end), end]
                codes += [Path.CURVE4] * 3
        line = PathPatch(
            Path(vertices, codes),
            facecolor="none",
            edgecolor=FAINT,
            linewidth=self._points(1.3),
            zorder=1,
            clip_on=False,
        )
        half = ARROW_PX / 2
        corners = [tip, (tip[0] - ARROW_PX, tip[1] - half), (tip[0] - ARROW_PX, tip[1] + half)]
        head = Polygon(corners, facecolor=FAINT, edgecolor="none", zorder=1, clip_on=False)
        for patch in (line, head):
            self.ax.add_patch(patch)
        x, y = on_panel(edge.label_at)
        # A hole in the line, for the label.
        self._rectangle(Box(x, y, edge.label_width + 4, 14), 3, face=PANEL, edge="none", line_px=0, zorder=1.5)
        self._text((x, y + 4), edge.label, DETAIL_PX, colour=FAINT, zorder=1.6)

    def _call(self, call: PictureCall) -> None:
        vertices = [*map(on_panel, call.curve), on_panel(call.tip)]
        line = PathPatch(
            Path(vertices, [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO]),
            facecolor="none",
            edgecolor=FAINT,
            linewidth=self._points(1.1),
            linestyle=(0, (1.5 / 1.1, 3.5 / 1.1)),  # in widths of the line
            capstyle="round",
            zorder=0.8,
            clip_on=False,
        )
        head = Polygon([on_panel(point) for point in call.head], facecolor=FAINT, edgecolor="none", zorder=0.8)
        head.set_clip_on(False)
        for patch in (line, head):
            self.ax.add_patch(patch)
        if call.label:
            x, y = on_panel(call.label_at)
            wide = text_width(call.label, DETAIL_PX) + 4
            self._rectangle(Box(x, y, wide, 14), 3, face=PANEL, edge="none", line_px=0, zorder=5)
            self._text((x, y + 4), call.label, DETAIL_PX, colour=FAINT, zorder=6)

    def _rectangle(
        self, box: Box, radius: float, *, face: str, edge: str, line_px: float, zorder: float, style: str = "-"
    ) -> None:
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        patch = FancyBboxPatch(
            corner,
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={radius}",
            facecolor=face,
            edgecolor=edge,
            linewidth=self._points(line_px),
            linestyle=style,
            zorder=zorder,
            clip_on=False,
        )
        self.ax.add_patch(patch)

    def _text(
        self,
        at: Point,
        text: str,
        size_px: float,
        *,
        colour: str = INK,
        weight: str = "normal",
        ha: str = "center",
        zorder: float = 4,
    ) -> None:
        # On the baseline, so that the place does not depend on a font's measures. `parse_math`: "$" is a dollar.
        self.ax.text(
            *at,
            text,
            fontsize=self._points(size_px),
            color=colour,
            fontweight=weight,
            horizontalalignment=ha,
            verticalalignment="baseline",
            parse_math=False,
            zorder=zorder,
        )

    def _points(self, px: float) -> float:
        return px * self.points_per_px


def _moved(box: Box) -> Box:
    x, y = on_panel((box.x, box.y))
    return Box(x, y, box.width, box.height)
