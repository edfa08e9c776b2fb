"""The picture of a graph: what it says, that it is always the same, that no name can break it, and where things lie."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import runtime
import sage_nb
from runtime.testing import Moment
from sage_nb.layout import Box, Layout, Point, arrange, swing
from sage_nb.picture import MAX_NAME, edges_by_key, layers_of, picture_of, printable

HOSTILE = (
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "]]>&lt;&amp;<!-- -->",
    r"$\frac{1}{0}$",
    r"$\nosuchcommand{$",
    "a\x00b\x1b[31mc",
    "two\nlines\ttab",
    "left\u202eright",
    "\ud800 alone",
    "\uffff",
    "温度データ 🌡",
    "{0} %s \\",
    "W" * 1_000,
)


def flow(session: runtime.Session) -> None:
    """Two sources and an input, every strategy, parallelism from 1 to 3."""
    numbers = session.source(range(10), name="numbers").map(abs, name="absolute", parallelism=2)
    others = session.source(range(5), name="others").broadcast().map(abs, name="everywhere", parallelism=3)
    by_hand = session.input("by hand")
    counts = (
        numbers.union(others, by_hand).key_by(lambda n: n % 3).reduce(max, emit="end", name="largest", parallelism=2)
    )
    counts.collect(name="result")


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def tags(svg: str) -> set[str]:
    return {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}


def run_python(code: str, **environment: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


class Images(HTMLParser):
    """Collects every tag of a piece of HTML, with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_notebook_package_offers_the_very_same_session() -> None:
    assert sage_nb.Session is runtime.Session


def test_importing_sage_nb_imports_no_drawing_library_nor_does_a_live_view_and_drawing_never_pyplot() -> None:
    """Both libraries take longer to import than a view to be there."""
    code = """
import sys, runtime, sage_nb
print({"matplotlib", "networkx", "ipywidgets", "anywidget", "tqdm"} & set(sys.modules))
session = sage_nb.Session()
session.source([1]).collect()
session.dashboard()
print({"matplotlib", "networkx"} & set(sys.modules))
sage_nb.to_svg(session), sage_nb.draw(session), session._repr_mimebundle_()
print("matplotlib.pyplot" in sys.modules)
"""
    assert run_python(code).split("\n")[:3] == ["set()", "set()", "False"]


# ── what the picture says ──


def test_the_picture_names_operators_kinds_parallelism_and_strategies(session: runtime.Session) -> None:
    flow(session)
    said = texts(sage_nb.to_svg(session))
    for name in ("numbers", "absolute", "others", "everywhere", "by hand", "largest", "result"):
        assert said.count(name) == 1
    assert [said.count(detail) for detail in ("source", "map × 2", "map × 3", "input", "reduce × 2", "collect")] == [
        2, 1, 1, 1, 1, 1,
    ]  # fmt: skip
    assert [said.count(strategy) for strategy in ("round robin", "broadcast", "hash")] == [2, 1, 3]
    assert said[:2] == ["test", "7 operators, 11 tasks"]


def test_a_graph_alone_is_drawn_like_its_session_before_a_run(session: runtime.Session) -> None:
    flow(session)
    assert sage_nb.to_svg(session.graph) == sage_nb.to_svg(session)


def test_a_running_session_shows_its_graph_and_an_ended_one_its_final_facts(session: runtime.Session) -> None:
    flow(session)
    before = sage_nb.to_svg(session)
    session.start()
    session.settle(60)
    assert sage_nb.to_svg(session) == before

    session.send("by hand", 7)
    session.end("by hand")
    session.wait(60)
    said = texts(sage_nb.to_svg(session))
    assert said[:2] == ["test", "✓ completed · 16 in · 3 out"]
    ends = [text.removeprefix("✓ completed · ") for text in said if text.startswith("✓ completed · ")][1:]
    # In boxes: numbers, absolute, others, everywhere, by hand; they may overtake each other; then what they lead to.
    assert ends == ["1st–6th", "2nd–8th", "1st–5th", "2nd–8th", "1st–8th", "9th–10th", "11th"]
    assert [said.count(counts) for counts in ("10 out", "5 out", "10 in · 10 out", "15 in · 15 out")] == [
        1,
        1,
        1,
        1,
    ]
    assert [said.count(counts) for counts in ("1 in · 1 out", "26 in · 3 out", "3 in")] == [1, 1, 1]
    assert not [text for text in said if re.search(r"\d ?(ms|s|/s)\b|0x", text)]


def test_two_runs_with_the_same_counts_give_the_same_picture(session: runtime.Session) -> None:
    flow(session)
    pictures = set()
    for _ in range(3):
        session.start()
        session.end("by hand")
        session.wait(60)
        pictures.add(sage_nb.to_svg(session))
    assert len(pictures) == 1


def test_a_failure_is_told_by_glyph_word_and_a_broken_line(session: runtime.Session) -> None:
    numbers = session.source([1, 0], name="numbers").map(lambda n: 1 / n, name="invert")
    numbers.collect(name="result")
    with pytest.raises(runtime.TaskFailed):
        session.run(10)
    svg = sage_nb.to_svg(session)
    assert "✕ failed" in texts(svg)
    assert re.search(r"stroke: #d55e00[^\"]*stroke-dasharray", svg) or re.search(r"stroke-dasharray[^\"]*#d55e00", svg)


def test_a_session_cancelled_before_it_ran_is_drawn_without_counts(session: runtime.Session) -> None:
    flow(session)
    session.cancel()
    said = texts(sage_nb.to_svg(session))
    assert said[1] == "⊘ cancelled · 0 in · 0 out"
    assert "numbers" in said


def test_an_empty_and_an_unfinished_graph_are_drawn(session: runtime.Session) -> None:
    assert texts(sage_nb.to_svg(session)) == ["test", "0 operators, 0 tasks"]
    session.source([1], name="lonely")
    assert "lonely" in texts(sage_nb.to_svg(session))


def test_edges_between_the_same_two_operators_are_told_apart(session: runtime.Session) -> None:
    numbers = session.source([1], name="numbers")
    numbers.union(numbers.broadcast()).sink(abs, name="twice")
    edges = picture_of(session).edges
    assert [edge.label for edge in edges] == ["round robin", "broadcast"]
    assert edges[0].points[0] != edges[1].points[0]
    assert edges[0].label_at != edges[1].label_at


def test_only_a_session_or_a_graph_can_be_drawn() -> None:
    with pytest.raises(TypeError, match="not list"):
        sage_nb.to_svg([])  # type: ignore[arg-type]


# ── always the same ──


def test_two_processes_give_the_same_bytes_whatever_their_settings(tmp_path: Path) -> None:
    code = """
import sys, sage_nb
from tests.test_sage_nb import flow
session = sage_nb.Session("same")
flow(session)
sys.stdout.reconfigure(encoding="utf-8", newline="")
sys.stdout.write(sage_nb.to_svg(session))
session.start(); session.end("by hand"); session.wait(60)
sys.stdout.write(sage_nb.to_svg(session) + session._repr_mimebundle_()["text/html"])
"""
    settings = ("font.size: 30", "font.family: serif", "svg.fonttype: path", "svg.hashsalt: other")
    more = ("savefig.bbox: tight", "lines.linewidth: 9", "figure.dpi: 40", "savefig.dpi: 300", "text.usetex: True")
    (tmp_path / "matplotlibrc").write_text("\n".join(settings + more))
    one = run_python(code, PYTHONHASHSEED="1")
    other = run_python(code, PYTHONHASHSEED="2", MATPLOTLIBRC=str(tmp_path), SOURCE_DATE_EPOCH="1", TZ="Asia/Tokyo")
    assert one == other
    assert "matplotlib" not in one.lower()


def test_drawing_leaves_the_users_settings_of_matplotlib_alone(session: runtime.Session) -> None:
    flow(session)
    with mpl.rc_context({"font.size": 23.0, "svg.fonttype": "path"}):
        settings = dict(mpl.rcParams)
        sage_nb.to_svg(session)
        sage_nb.draw(session)
        assert dict(mpl.rcParams) == settings


# ── names stay text ──


@pytest.mark.parametrize("name", [name for name in HOSTILE if not name.isprintable()], ids=ascii)
def test_a_name_that_cannot_be_printed_is_refused(make_session: Callable[[str], runtime.Session], name: str) -> None:
    with pytest.raises(runtime.GraphInvalid, match="printable"):
        make_session(name)
    with pytest.raises(runtime.GraphInvalid, match="printable"):
        make_session("plain").source([1], name=name)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.isprintable()], ids=ascii)
def test_a_hostile_name_stays_text(make_session: Callable[[str], runtime.Session], name: str) -> None:
    session = make_session(name)
    session.source([1], name=name).collect(name="result")
    bundle = session._repr_mimebundle_()
    svg = sage_nb.to_svg(session)
    assert tags(svg) <= {"svg", "title", "metadata", "RDF", "Work", "defs", "style", "g", "path", "text"}
    shown = texts(svg)
    assert printable(name) in shown
    assert printable(name, 2 * MAX_NAME) in shown, "the session's name has more room"
    assert {"source", "round robin", "result"} <= set(shown)
    assert all(len(text) <= 2 * MAX_NAME + 1 and text.isprintable() for text in shown)
    div, style, (tag, attributes) = Images(bundle["text/html"]).found
    assert (div, style) == (("div", {"class": "sage-nb-still", "style": "overflow-x: auto"}), ("style", {}))
    assert tag == "img"
    assert set(attributes) == {"alt", "src", "style"}


def test_a_name_of_ordinary_length_is_shown_whole_and_a_long_one_cut(session: runtime.Session) -> None:
    session.source([1], name="n" * MAX_NAME).map(abs, name="m" * (MAX_NAME + 1)).collect()
    said = texts(sage_nb.to_svg(session))
    assert "n" * MAX_NAME in said
    assert "m" * MAX_NAME + "…" in said


# ── in a notebook, in a terminal ──


def test_a_session_brings_text_a_png_and_an_image_of_its_svg(session: runtime.Session) -> None:
    flow(session)
    bundle = session._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png", "text/html"}
    assert [tag for tag, _ in Images(bundle["text/html"]).found] == ["div", "style", "img"]
    [*_, (_, attributes)] = Images(bundle["text/html"]).found
    source = attributes["src"] or ""
    kind, _, encoded = source.partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(encoded).decode() == sage_nb.to_svg(session)
    with Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))) as png:
        size = re.search(r'width="([\d.]+)pt"', sage_nb.to_svg(session))
        assert size is not None
        assert png.width == pytest.approx(float(size[1]) * 96 / 72 * 2, abs=2)
        assert png.convert("RGB").getcolors() is not None, "few colours, so that it is small"
    assert len(bundle["image/png"]) < 40_000
    assert "numbers (source), to absolute by round robin." in (attributes["alt"] or "")


def test_the_text_of_a_session_is_one_line_and_in_a_notebook_always_the_same(session: runtime.Session) -> None:
    flow(session)
    session.service("clock", object)
    assert repr(session) == "Session('test', new: 7 operators, 11 tasks)"
    lines = [session._repr_mimebundle_()["text/plain"]]
    session.start()
    lines.append(session._repr_mimebundle_()["text/plain"])
    session.stop()
    session.wait()
    lines.append(session._repr_mimebundle_()["text/plain"])
    assert lines == ["Session('test': 7 operators, 11 tasks, 1 service)"] * 3


def test_a_source_with_two_consumers_counts_what_it_made_once(session: runtime.Session) -> None:
    numbers = session.source([1, 2, 3], name="numbers")
    numbers.map(abs, name="one").collect()
    numbers.map(abs, name="two").collect()
    session.run(10)
    said = texts(sage_nb.to_svg(session))
    assert said[said.index("numbers") + 3] == "3 out"


def test_an_end_that_nobody_has_waited_for_is_not_in_the_picture(session: runtime.Session) -> None:
    """Else a notebook's output would depend on how fast the run was."""
    session.source([1, 2]).collect()
    before = sage_nb.to_svg(session)
    session.start()
    ended = Moment("the end")
    session._runs.started().dispatcher.completion.on_end(ended.set)
    ended.wait()
    assert sage_nb.to_svg(session) == before
    session.wait()
    assert "✓ completed" in sage_nb.to_svg(session)


def test_the_text_of_a_form_is_one_line_and_names_its_session(session: runtime.Session) -> None:
    """What ipywidgets would say changes with its releases, and strict nbval compares it."""
    flow(session)
    session.service("clock", object)
    forms = [sage_nb.injector(session), sage_nb.stepper(session), sage_nb.service_form(session, "clock")]
    assert list(map(repr, forms)) == ["Injector('test')", "Stepper('test')", "ServiceForm('test', 'clock')"]
    bundles = [form._repr_mimebundle_() for form in forms if hasattr(form, "_repr_mimebundle_")]  # not in ipywidgets 7
    assert all(bundle["text/plain"] == repr(form) for bundle, form in zip(bundles, forms, strict=False))


# ── on axes ──


def fontsize(ax: Axes, said: str) -> float:
    return next(float(text.get_fontsize()) for text in ax.texts if text.get_text() == said)


def test_draw_makes_a_figure_that_fits_or_paints_on_given_axes(session: runtime.Session) -> None:
    flow(session)
    own = sage_nb.draw(session)
    figure = Figure(figsize=(4, 3))
    ax = figure.add_subplot(1, 2, 2)
    assert sage_nb.draw(session, ax) is ax
    names = {text.get_text() for text in ax.texts}
    assert {"numbers", "largest", "hash"} <= names == {text.get_text() for text in own.texts}
    # Half a small figure: the text shrinks with the boxes.
    assert fontsize(ax, "numbers") < fontsize(own, "numbers") / 2
    figure.canvas.draw()


# ── where things lie ──


@st.composite
def graphs(draw: st.DrawFn) -> runtime.ExecutionGraph:
    """Up to 50 operators; each but the first few is fed by one to three earlier ones."""
    session = runtime.Session("drawn")
    streams = [session.source([1], name=f"source {n}") for n in range(draw(st.integers(1, 5)))]
    for number in range(draw(st.integers(0, 45))):
        feeds = draw(st.lists(st.integers(0, len(streams) - 1), min_size=1, max_size=3))
        first, *others = [streams[-1 - feed] for feed in feeds]
        streams.append(first.union(*others).map(abs, name=f"map {number}"))
    return session.graph


def layout_of(graph: runtime.ExecutionGraph) -> Layout:
    layers = layers_of(graph)
    return arrange(
        layers,
        widths=dict.fromkeys(layers, 90.0),
        heights=dict.fromkeys(layers, 48.0),
        label_widths=dict.fromkeys((key for key, _ in edges_by_key(graph)), 60.0),
    )


def inside(point: Point, box: Box) -> bool:
    return abs(point[0] - box.x) < box.width / 2 - 0.1 and abs(point[1] - box.y) < box.height / 2 - 0.1


@given(graphs())
def test_nothing_covers_or_runs_through_a_box_and_the_layout_is_always_the_same(graph: runtime.ExecutionGraph) -> None:
    layout = layout_of(graph)
    assert layout == layout_of(graph)
    boxes = list(layout.boxes.values())
    for a, b in combinations(boxes, 2):
        assert abs(a.x - b.x) >= (a.width + b.width) / 2 or abs(a.y - b.y) >= (a.height + b.height) / 2
    for points in layout.paths.values():
        assert all(a[0] <= b[0] for a, b in pairwise(points)), "edges go from left to right"
        for number, (start, end) in enumerate(pairwise(points)):
            between = [start, *swing(start, end), end] if number % 2 == 0 else [start, end]
            middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
            assert not any(inside(point, box) for point in [*between, middle] for box in boxes)
    for box in boxes:
        assert -0.1 < box.x - box.width / 2 < box.x + box.width / 2 < layout.width + 0.1
        assert -0.1 < box.y - box.height / 2 < box.y + box.height / 2 < layout.height + 0.1
    for label in layout.labels.values():
        wide = Box(label[0], label[1], 60.0, 10.0)
        assert not any(
            abs(wide.x - box.x) < (wide.width + box.width) / 2 - 0.1
            and abs(wide.y - box.y) < (wide.height + box.height) / 2
            for box in boxes
        )


def test_edges_cross_only_where_they_must() -> None:
    session = runtime.Session("crossed")
    tops = [session.source([1], name=f"source {n}") for n in range(4)]
    for n in (3, 1, 0, 2):  # written in another order than their sources
        tops[n].map(abs, name=f"map {n}").sink(abs, name=f"sink {n}")
    layout = layout_of(session.graph)
    for n in range(4):
        assert layout.boxes[f"source {n}"].y == layout.boxes[f"map {n}"].y == layout.boxes[f"sink {n}"].y
