"""What is painted follows when the notebook, or its reader's system, changes the colours, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.page import answers, plans
from tests.page.harness import Shown
from tests.page.test_values import as_chart, as_table, orders

Load = Callable[..., Shown]

INK = """() => {
  // The darkest and the brightest grey that is painted on the canvas, which is else transparent.
  const canvas = [...document.querySelectorAll('canvas')].find((each) => each.width > 0);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const grey = [];
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue, whole] = data.subarray(at, at + 4);
    if (whole === 255 && Math.max(red, green, blue) - Math.min(red, green, blue) < 12) grey.push(green);
  }
  return grey.length === 0 ? null : [Math.min(...grey), Math.max(...grey)];
}"""
DARK = """() => {
  for (const [name, value] of [['--jp-layout-color0', '#111'], ['--jp-content-font-color0', '#fff']])
    document.body.style.setProperty(name, value);
}"""
WHITE_INK = f"() => {{ const found = ({INK})(); return found !== null && found[0] > 40 && found[1] > 200; }}"


@pytest.fixture(params=["chart", "timeline"])
def painted(load: Load, request: pytest.FixtureRequest) -> Callable[..., Shown]:
    def painted(**how: Any) -> Shown:
        plan = plans.small()
        if request.param == "timeline":
            shown = load(plan, plans.ended(plan), parts=["timeline"], answers=answers.ALL, **how)
            shown.paint_timeline()
            return shown
        more = {"title": "price of shop", "shape": "lines", "values": as_chart(orders(9), y="cents", by="item")}
        return load(plan, parts=["values"], more=more, **how)

    return painted


def test_a_canvas_is_painted_anew_when_the_notebooks_theme_changes(painted: Callable[..., Shown]) -> None:
    shown = painted(theme="light")
    assert shown.page.evaluate(INK)[0] < 40
    shown.page.evaluate(DARK)
    shown.page.wait_for_function(WHITE_INK)


def test_a_canvas_is_painted_anew_when_the_systems_colours_change(painted: Callable[..., Shown]) -> None:
    shown = painted(system="light")
    assert shown.page.evaluate(INK)[0] < 80
    shown.page.emulate_media(color_scheme="dark")
    shown.page.wait_for_function(WHITE_INK)


def test_the_small_lines_of_a_table_are_painted_anew_too(load: Load) -> None:
    more = {"title": "price of shop", "shape": "table", "values": as_table(orders(9))}
    shown = load(plans.small(), parts=["values"], more=more, theme="light")
    shown.page.evaluate(
        "() => { window.times = 0; const was = HTMLCanvasElement.prototype.getContext;"
        " HTMLCanvasElement.prototype.getContext = function (...args) { times += 1; return was.apply(this, args); }; }"
    )
    shown.page.evaluate(DARK)
    shown.page.wait_for_function("times > 0")
