"""Parts stand in any box of ipywidgets, beside each other, in light and dark, on wide pages and narrow ones."""

from __future__ import annotations

import io
import os
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.jupyter.notebooks import Applications, Notebook

SHOTS: Final = Path(os.environ["SAGE_NB_SHOTS"]) if "SAGE_NB_SHOTS" in os.environ else None
"""A folder for pictures of them all, for whoever wants to look."""

LEAST_PX: Final = 130  # of a part; below it is of no use

PARTS: Final = """
import ipywidgets as w
import runtime, sage_nb

class Shop:
    def process(self, sku: str, count: int = 1) -> str:
        return sku

def parts(name):
    session = runtime.Session(name)
    lines = session.source(["to be", "or not"], name="lines")
    words = lines.flat_map(str.split, name="split", parallelism=2)
    words.map(lambda word: 1 / (len(word) - 3), name="check", on_error="skip").collect(name="result")
    session.service("shop", Shop)
    session.start()
    session.settle(60)
    live = [sage_nb.graph, sage_nb.queue_depths, sage_nb.stop_progress, sage_nb.errors]
    forms = [sage_nb.injector(session), sage_nb.stepper(session), sage_nb.service_form(session, "shop")]
    return [part(session) for part in live], forms, session.dashboard()
"""
BOXES: Final = {
    "HBox": "w.HBox(live[:2])",
    "HBox of all": "w.HBox(live)",
    "HBox of forms": "w.HBox(forms)",
    "HBox of a form": "w.HBox([live[0], forms[2]])",
    "VBox": "w.VBox([*live[:2], w.HBox(forms)])",
    "GridBox": "w.GridBox(live, layout=w.Layout(grid_template_columns='1fr 1fr'))",
    "GridBox by itself": "w.GridBox([*live[:2], *forms], layout=w.Layout(grid_template_columns='auto auto'))",
    "AppLayout": "w.AppLayout(header=live[1], left_sidebar=live[2], center=live[0], right_sidebar=live[3])",
    "TwoByTwoLayout": "w.TwoByTwoLayout(top_left=live[0], top_right=live[1], bottom_left=live[2], bottom_right=board)",
    "Tab": "w.Tab([board, *live])",
    "Accordion": "w.Accordion([*live, board], selected_index=0)",
}  # fmt: skip

# Of each part that is shown: its box on the page, how much of its content is cut off at the side, and how far it, or
# anything that can be used in it, runs past the edge of the cell's output.
_PLACES: Final = """views => views.map((view) => {
  const {left, top, right, bottom, width, height} = view.getBoundingClientRect();
  const edge = view.closest('.jp-OutputArea-output').getBoundingClientRect().right;
  const fields = [...view.querySelectorAll(view.matches('.sage-nb-form') ? 'input, select, button' : ':scope > *')];
  const past = Math.max(right, ...fields.map((each) => each.getBoundingClientRect().right)) - edge;
  return {part: view.dataset.parts ?? 'form', left, top, right, bottom, width, height, past,
          cut: view.scrollWidth - view.clientWidth};
}).filter(({width, height}) => width + height > 0)"""


def apart(one: dict[str, Any], other: dict[str, Any]) -> bool:
    beside = one["right"] <= other["left"] + 1 or other["right"] <= one["left"] + 1
    return bool(beside or one["bottom"] <= other["top"] + 1 or other["bottom"] <= one["top"] + 1)


def brightness(view: Locator) -> tuple[float, int]:
    """How bright a part is on the whole, from 0 to 255, and how many colours are in it."""
    image = Image.open(io.BytesIO(view.screenshot())).convert("RGB")
    colours = image.getcolors(image.width * image.height)
    grey = image.convert("L").histogram()
    return sum(level * count for level, count in enumerate(grey)) / sum(grey), len(colours or ())


def opened(applications: Applications, theme: str, width: int) -> Notebook:
    cells = [f"{PARTS}live, forms, board = parts({name!r})\n{box}" for name, box in BOXES.items()]
    notebook = applications.open_loaded("lab", applications.write(["import runtime", *cells]))
    notebook.page.set_viewport_size({"width": width, "height": 1000})
    notebook.page.evaluate(
        f"async () => window.jupyterapp.commands.execute('apputils:change-theme', {{theme: '{theme}'}})"
    )
    notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    return notebook


# A theme changes colours only, a width places only: each theme is seen in every box, and each width.
@pytest.mark.parametrize(
    ("theme", "width"), [("JupyterLab Light", 1400), ("JupyterLab Dark", 1000), ("JupyterLab Light", 700)]
)
def test_every_part_is_there_in_every_box(applications: Applications, theme: str, width: int) -> None:
    notebook = opened(applications, theme, width)
    for number, name in enumerate(BOXES, 1):
        notebook.run(number)
        cell = notebook.page.locator(".jp-CodeCell").nth(number)
        shown = cell.locator(":is(.sage-nb-view, .sage-nb-form):visible")
        expect(shown.first).to_be_visible()
        notebook.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        places = cell.locator(".sage-nb-view, .sage-nb-form").evaluate_all(_PLACES)
        assert places, name
        assert [each for each in places if each["width"] < LEAST_PX or each["height"] < 24] == [], name
        assert [each for each in places if each["cut"] > 0] == [], name
        assert [each for each in places if each["past"] > 1] == [], name
        overlapping = [(one["part"], other["part"]) for one, other in combinations(places, 2) if not apart(one, other)]
        assert overlapping == [], name
        if SHOTS is not None:
            picture = cell.locator(".jp-Cell-outputWrapper").screenshot()
            (SHOTS / f"{name} {width} {theme}.png".replace(" ", "-")).write_bytes(picture)
        bright, colours = brightness(shown.first)
        assert (bright > 200) == (theme == "JupyterLab Light"), (name, bright)
        assert bright > 200 or bright < 80, (name, bright)
        assert colours > 12, name
        notebook.ask("[each.close() for each in list(__import__('gc').get_objects()) if type(each) is runtime.Session]")
