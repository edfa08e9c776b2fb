"""Painting a picture as SVG with nothing but the standard library: what is shown where matplotlib is not installed.

The same boxes, lines and words in the same places as by matplotlib (`painter.py`). It follows its reader's light or
dark, where that is known; its light colours stand on the elements themselves, for where styles are taken out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import pairwise
from typing import Final

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

# What of each class is different in the dark. The colours of endings are bright enough on both.
_DARK: Final = {
    "panel": "fill: #151b23; stroke: #3d444d",
    "gap": "fill: #151b23",
    "box": "fill: #0d1117",
    "new": "stroke: #7d8590",
    "line": "stroke: #9198a1",
    "faint": "fill: #9198a1",
    "ink": "fill: #f0f6fc",
}
_CLASS: Final = "sage-nb-picture"  # so that no rule is for anything else in the page that the picture stands in


def svg_of(picture: Picture) -> str:
    """`picture` as SVG, without an XML declaration, so that it can stand in a page. The same text for the same picture.

    It is an image with a title and, for those who cannot see it, all of it in words.
    """
    width, height = size_px(picture)
    parts = "\n".join(_parts(picture, width, height))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{_CLASS}" role="img" width="{_px(width)}" '
        f'height="{_px(height)}" viewBox="0 0 {_px(width)} {_px(height)}">\n'
        f"<title>{escape(picture.title)}</title>\n<desc>{escape(picture.alt)}</desc>\n<style>{_style()}</style>\n"
        f"{parts}\n</svg>\n"
    )


def _parts(picture: Picture, width: float, height: float) -> Iterator[str]:
    """Panel, headline, edges, then their labels and the operators on top."""
    panel = Box(width / 2, height / 2, width - 1, height - 1)
    yield _rectangle(panel, 8, f'class="panel" fill="{PANEL}" stroke="{PANEL_BORDER}"')
    yield _text((MARGIN_PX, 22), picture.name, NAME_PX, bold=True, anchor="start")
    yield _text((MARGIN_PX, 39), picture.subtitle, DETAIL_PX, faint=True, anchor="start")
    for call in picture.calls:
        yield from _call(call)
    for edge in picture.edges:
        yield from _edge(edge)
    for edge in picture.edges:
        yield from _label(edge)
    for operator in picture.operators:
        yield from _operator(operator)
    for call in picture.calls:
        yield from _number_of(call)


def _operator(operator: Operator) -> Iterator[str]:
    (x, y), box, status = on_panel((operator.box.x, operator.box.y)), operator.box, operator.status
    radius = min(box.height / 2, 20.0) if operator.is_round else 5.0
    style = f'class="box new" fill="{BOX}" stroke="{BORDER}" stroke-width="1.2"'
    if status is not None:
        dashes = ' stroke-dasharray="11 5"' if status.broken else ""
        style = f'class="box" fill="{BOX}" stroke="{status.colour}" stroke-width="{3 if status.broken else 2}"{dashes}'
    if operator.parallelism > 1:
        yield _rectangle(Box(x + STACK_PX, y - STACK_PX, box.width, box.height), radius, style)
    yield _rectangle(Box(x, y, box.width, box.height), radius, style)
    baseline = y - LINE_PX * len(operator.lines) / 2 + NAME_AT_PX
    yield _text((x, baseline), operator.name, NAME_PX, bold=True)
    for number, line in enumerate(operator.lines[1:], 1):
        yield _text((x, baseline + number * LINE_PX), line, DETAIL_PX, faint=number == 1)


def _edge(edge: PictureEdge) -> Iterator[str]:
    points = [on_panel(point) for point in edge.points]
    x, y = points[-1]
    points[-1] = (x - ARROW_PX, y)
    way = f"M{_at([points[0]])}"
    for number, (start, end) in enumerate(pairwise(points)):
        way += f" L{_at([end])}" if number % 2 else f" C{_at([*swing(start, end), end])}"  # past a column, else to it
    half = ARROW_PX / 2
    head = f"M{_at([(x, y)])} L{_at([(x - ARROW_PX, y - half), (x - ARROW_PX, y + half)])} Z"
    yield f'<path class="line" d="{way}" fill="none" stroke="{FAINT}" stroke-width="1.3"/>'
    yield f'<path class="faint" d="{head}" fill="{FAINT}"/>'


def _call(call: PictureCall) -> Iterator[str]:
    curve, tip = [on_panel(point) for point in call.curve], on_panel(call.tip)
    way = f"M{_at(curve[:1])} C{_at(curve[1:])} L{_at([tip])}"
    head = f"M{_at(on_panel(point) for point in call.head)} Z"
    dots = ' stroke-dasharray="1.5 3.5" stroke-linecap="round"'
    yield f'<path class="line" d="{way}" fill="none" stroke="{FAINT}" stroke-width="1.1"{dots}/>'
    yield f'<path class="faint" d="{head}" fill="{FAINT}"/>'


def _number_of(call: PictureCall) -> Iterator[str]:
    """How many calls, in a hole in the line."""
    if call.label:
        x, y = on_panel(call.label_at)
        wide = text_width(call.label, DETAIL_PX) + 4
        yield _rectangle(Box(x, y, wide, 14), 3, f'class="gap" fill="{PANEL}"')
        yield _text((x, y + 4), call.label, DETAIL_PX, faint=True)


def _label(edge: PictureEdge) -> Iterator[str]:
    x, y = on_panel(edge.label_at)
    yield _rectangle(Box(x, y, edge.label_width + 4, 14), 3, f'class="gap" fill="{PANEL}"')  # a hole in the line
    yield _text((x, y + 4), edge.label, DETAIL_PX, faint=True)


def _rectangle(box: Box, radius: float, style: str) -> str:
    x, y = box.x - box.width / 2, box.y - box.height / 2
    return (
        f'<rect x="{_px(x)}" y="{_px(y)}" width="{_px(box.width)}" height="{_px(box.height)}" '
        f'rx="{_px(radius)}" {style}/>'
    )


def _text(
    at: Point, text: str, font_px: float, *, bold: bool = False, faint: bool = False, anchor: str = "middle"
) -> str:
    kind, colour = ("faint", FAINT) if faint else ("ink", INK)
    weight = ' font-weight="bold"' if bold else ""
    fonts = ", ".join((*FONTS, "sans-serif"))
    return (
        f'<text x="{_px(at[0])}" y="{_px(at[1])}" class="{kind}" fill="{colour}" text-anchor="{anchor}" '
        f'font-family="{fonts}" font-size="{_px(font_px)}"{weight}>{escape(text)}</text>'
    )


def _style() -> str:
    rules = " ".join(f".{_CLASS} .{name} {{{rule}}}" for name, rule in _DARK.items())
    return f"@media (prefers-color-scheme: dark) {{{rules}}}"


def _at(points: Iterable[Point]) -> str:
    return " ".join(f"{_px(x)},{_px(y)}" for x, y in points)


def _px(number: float) -> str:
    """To a tenth of a pixel."""
    return f"{round(number, 1):g}"
