"""A chart as a notebook keeps it: by matplotlib, and where that is missing as SVG of our own, with the same lines."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from sage_nb.picture_style import FAINT, FONTS, INK, PANEL_BORDER
from sage_nb.stills import Still
from sage_nb.value_columns import ChartLines, Kind, Series

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#59636e", "#000000")
"""Okabe and Ito's."""

_DASHES: Final = ("none", "6 3", "2 2", "8 3 2 3")  # so that no line is told by its colour alone

_WIDTH, _HEIGHT = 640.0, 280.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 110.0, 34.0, 40.0
_TICKS: Final = 4


def still_of_chart(title: str, kind: Kind, found: ChartLines) -> Still:
    """The chart as an image with a description; also as PNG, where there is matplotlib."""
    try:
        svg, png = _by_matplotlib(title, kind, found)
    except ImportError:
        svg, png = svg_of(title, kind, found), b""
    encoded = base64.b64encode(svg.encode()).decode("ascii")
    html = f'<img alt="{escape(said(title, found))}" style="max-width: 100%" src="data:image/svg+xml;base64,{encoded}">'
    return Still(html, base64.b64encode(png).decode("ascii"))


def said(title: str, found: ChartLines) -> str:
    """The chart in words."""
    lines = [f"{each.name or found.y}: {len(each.y):,} values, the last one {each.y[-1]:g}" for each in found.series]
    return ". ".join([f"{title}, {found.y} over {found.x}", *(lines or ["no values"])])


def svg_of(title: str, kind: Kind, found: ChartLines) -> str:
    """As SVG by nothing but the standard library."""
    parts = "\n".join(_parts(title, kind, found))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{_WIDTH:g}" height="{_HEIGHT:g}" '
        f'viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}">\n<title>{escape(title)}</title>\n'
        f'<desc>{escape(said(title, found))}</desc>\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f"{parts}\n</svg>\n"
    )


def _parts(title: str, kind: Kind, found: ChartLines) -> Iterator[str]:
    yield _text(_LEFT, 20, title, INK, bold=True)
    ups = [up for each in found.series for up in (each.y if kind == "lines" else each.y[-1:])]
    if not ups:
        yield _text(_LEFT, 60, "no values", FAINT)
        return
    low, high = _span([*ups, *([0.0] if kind == "bars" else [])])
    height = _HEIGHT - _TOP - _BOTTOM

    def y(up: float) -> float:
        return _TOP + height * (1 - (up - low) / (high - low))

    for tick in range(_TICKS + 1):
        up = low + (high - low) * tick / _TICKS
        yield f'<path d="M{_LEFT:g} {y(up):.1f}H{_WIDTH - _RIGHT:g}" stroke="{PANEL_BORDER}"/>'
        yield _text(_LEFT - 6, y(up) + 4, f"{up:.4g}", FAINT, anchor="end")
    axes = f"{found.y} over {found.x}" if kind == "lines" else f"the last {found.y} of each"
    yield _text(_LEFT, _HEIGHT - 8, axes, FAINT)
    yield from _lines(found.series, y) if kind == "lines" else _bars(found.series, y)


def _lines(series: list[Series], y: Any) -> Iterator[str]:
    left, right = _span([along for each in series for along in each.x])
    width = _WIDTH - _LEFT - _RIGHT
    for place, (each, colour) in enumerate(zip(series, COLOURS, strict=False)):
        points = [(_LEFT + width * (a - left) / (right - left), y(up)) for a, up in zip(each.x, each.y, strict=True)]
        way = " ".join(f"{a:.1f},{up:.1f}" for a, up in points)
        style = f'fill="none" stroke="{colour}" stroke-width="1.6" stroke-dasharray="{_DASHES[place % 4]}"'
        yield f'<polyline points="{way}" {style}/>'
        yield f'<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="2.5" fill="{colour}"/>'
        if each.name:
            x, top = _WIDTH - _RIGHT + 8, _TOP + 18 * place
            yield f'<path d="M{x:g} {top - 2:g}h22" {style}/>'
            yield _text(x + 28, top + 2, each.name[:12], INK)


def _bars(series: list[Series], y: Any) -> Iterator[str]:
    room = (_WIDTH - _LEFT - _RIGHT) / len(series)
    for place, each in enumerate(series):
        x, top, base = _LEFT + room * place, y(max(each.y[-1], 0.0)), y(min(each.y[-1], 0.0))
        size = f'width="{room * 0.7:.1f}" height="{base - top:.1f}"'
        yield f'<rect x="{x + room * 0.15:.1f}" y="{top:.1f}" {size} fill="{COLOURS[0]}"/>'
        yield _text(x + room / 2, top - 4, f"{each.y[-1]:.4g}", INK, anchor="middle")
        yield _text(x + room / 2, _HEIGHT - _BOTTOM + 14, each.name[:14], INK, anchor="middle")


def _span(numbers: list[float]) -> tuple[float, float]:
    """From the least to the largest, and never so small that nothing could be told apart."""
    low, high = min(numbers), max(numbers)
    least = max(abs(low), abs(high), 1.0) * 1e-12
    return (low, high) if high - low > least else (low - max(0.5, least), low + max(0.5, least))


def _text(x: float, y: float, text: str, colour: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    fonts = ", ".join((*FONTS, "sans-serif"))
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-family="{fonts}" '
        f'font-size="11"{weight}>{escape(text)}</text>'
    )


def _by_matplotlib(title: str, kind: Kind, found: ChartLines) -> tuple[str, bytes]:
    """As SVG and PNG. Raises `ImportError`."""
    from matplotlib.figure import Figure  # noqa: PLC0415  it takes longer than a view
    from matplotlib.style import context  # noqa: PLC0415

    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "sage_nb", "text.parse_math": False}
    with context(["default", settings]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(_WIDTH / 96, _HEIGHT / 96), dpi=96, layout="constrained")
        axes = figure.add_subplot()
        for each, colour, style in zip(found.series, COLOURS, ("-", "--", ":", "-.") * 2, strict=False):
            if kind == "lines":
                axes.plot(each.x, each.y, color=colour, linestyle=style, label=each.name, linewidth=1.4)
            else:
                axes.bar([each.name], each.y[-1:], color=COLOURS[0])
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_ylabel(found.y)
        axes.set_xlabel(found.x if kind == "lines" else "")
        if kind == "lines" and any(each.name for each in found.series):
            axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        svg, png = io.StringIO(), io.BytesIO()
        metadata = {"Title": title, "Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(svg, format="svg", metadata=metadata)
        figure.savefig(png, format="png", dpi=144)
    text = svg.getvalue()
    return text[text.index("<svg") :], png.getvalue()
