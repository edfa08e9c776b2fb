"""The picture where matplotlib is missing: the same words in the same places, safe, for everybody's eyes and ears."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from inspect import getsource
from typing import Any, Final
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from playwright.sync_api import Browser

import runtime
from sage_nb import painter, svg_painter
from sage_nb.picture import MAX_NAME, picture_of, printable
from tests.test_sage_nb import HOSTILE, flow, graphs, tags, texts

SVG: Final = "{http://www.w3.org/2000/svg}"
LARGE: Final = {"PIL", "matplotlib", "networkx", "numpy", "pandas"}
PX_PER_POINT: Final = 96 / 72  # matplotlib's SVG is in points


def ended() -> runtime.Session:
    """A session that has run, with every strategy, a service, and tasks in parallel."""
    session = runtime.Session("ended")
    flow(session)
    session.service("clock", object)
    session.start()
    session.end("by hand")
    session.wait(60)
    return session


WITHOUT: Final = f"""
from __future__ import annotations

import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LARGE}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refused())
import runtime, sage_nb

{getsource(flow)}
{getsource(ended)}

session = ended()
bundle = session._repr_mimebundle_()
assert set(bundle) == {{"text/plain", "text/html"}}, set(bundle)
assert "data:image/svg+xml;base64," in bundle["text/html"]
view = session.dashboard()
assert view.still().html in bundle["text/html"] and not view.still().png
parts = [sage_nb.graph, sage_nb.queue_depths, sage_nb.stop_progress, sage_nb.errors]
assert all(part(session).still().html for part in parts)
try:
    sage_nb.draw(session)
except ImportError as error:
    print(error)
sys.stdout.reconfigure(encoding="utf-8", newline="")
sys.stdout.write(sage_nb.to_svg(session))
session.close()
assert not {LARGE} & set(sys.modules)
"""


def failed(name: str = "failed") -> runtime.Session:
    session = runtime.Session(name)
    session.source([1, 0], name="numbers").map(lambda n: 1 / n, name="invert").collect(name="result")
    with pytest.raises(runtime.TaskFailed):
        session.run(10)
    return session


def places_of_own(svg: str) -> list[tuple[str, float, float]]:
    found = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return sorted((each.text or "", float(each.attrib["x"]), float(each.attrib["y"])) for each in found)


def places_of_matplotlib(svg: str) -> list[tuple[str, float, float]]:
    found = []
    for each in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        x, y = each.get("x"), each.get("y")
        if x is None or y is None:
            at = re.search(r"translate\(([\d.-]+) ([\d.-]+)\)", each.attrib["transform"])
            assert at is not None
            x, y = at.groups()
        found.append((each.text or "", float(x) * PX_PER_POINT, float(y) * PX_PER_POINT))
    return sorted(found)


def assert_same(what: runtime.Session | runtime.ExecutionGraph) -> None:
    picture = picture_of(what)
    own, other = svg_painter.svg_of(picture), painter.svg_of(picture)
    assert sorted(texts(own)) == sorted(texts(other))
    pairs = zip(places_of_own(own), places_of_matplotlib(other), strict=True)
    for (word, x, y), (_, other_x, other_y) in pairs:
        assert (x, y) == pytest.approx((other_x, other_y), abs=0.2), word
    sizes = [float(ElementTree.fromstring(svg).attrib["width"].removesuffix("pt")) for svg in (own, other)]
    assert sizes[0] == pytest.approx(sizes[1] * PX_PER_POINT, abs=1)


@given(graphs())
@settings(max_examples=5)
def test_it_has_the_same_words_in_the_same_places_as_matplotlibs(graph: runtime.ExecutionGraph) -> None:
    assert_same(graph)


@pytest.mark.parametrize("make", [ended, failed])
def test_it_shows_how_a_run_has_ended_as_matplotlib_does(make: Callable[[], runtime.Session]) -> None:
    with make() as session:
        assert_same(session)


def test_without_matplotlib_and_networkx_all_is_shown_and_draw_says_what_it_needs() -> None:
    """And the picture is the same, byte for byte, as one made here."""
    run = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    hint, _, svg = run.stdout.partition("\n")
    assert hint == (
        "sage_nb.draw(…) paints on axes of matplotlib: pip install matplotlib; "
        "sage_nb.to_svg(…) gives the same picture without it"
    )
    with ended() as session:
        assert svg == svg_painter.svg_of(picture_of(session))


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.isprintable()], ids=ascii)
def test_a_hostile_name_stays_text(make_session: Callable[[str], runtime.Session], name: str) -> None:
    session = make_session(name)
    session.source([1], name=name).collect(name="result")
    svg = svg_painter.svg_of(picture_of(session))
    assert tags(svg) == {"svg", "title", "desc", "style", "rect", "path", "text"}
    assert {printable(name), printable(name, 2 * MAX_NAME)} <= set(texts(svg))
    assert not {each for element in ElementTree.fromstring(svg).iter() for each in element.attrib} & {"href", "onload"}


def test_an_error_is_told_by_glyph_word_and_a_broken_line() -> None:
    with failed() as session:
        svg = svg_painter.svg_of(picture_of(session))
    assert "✕ failed" in texts(svg)
    assert re.search(r'stroke="#D55E00" stroke-width="3" stroke-dasharray', svg)


CONTRASTS: Final = """() => {
  const numbers = (colour) => colour.match(/\\d+/g).slice(0, 3).map((each) => {
    const part = each / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const fill = (selector) => light(numbers(getComputedStyle(document.querySelector(selector)).fill));
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const grounds = [fill('.panel'), fill('.box'), fill('.gap')];
  return {
    dark: grounds.every((ground) => ground < 0.1),
    least: Math.min(...[fill('.ink'), fill('.faint')].flatMap((ink) => grounds.map((each) => contrast(ink, each)))),
  };
}"""


@pytest.mark.parametrize("system", ["light", "dark"])
def test_its_words_can_be_read_in_light_and_dark_and_heard(chromium: Browser, system: Any) -> None:
    with ended() as session:
        picture = picture_of(session)
        svg = svg_painter.svg_of(picture)
    page = chromium.new_page(color_scheme=system)
    try:
        page.set_content(f'<!doctype html><p class="ink">a page of its own</p>{svg}')
        page.get_by_role("img", name=picture.title).wait_for()
        found = page.evaluate(CONTRASTS.replace("'.ink'", "'text.ink'"))
        assert found["dark"] == (system == "dark")
        assert found["least"] >= 4.5, "WCAG AA"
        assert page.evaluate("getComputedStyle(document.querySelector('p')).fill") == "rgb(0, 0, 0)"
    finally:
        page.close()
