"""A container of ipywidgets with parts in it leaves their stills, and is itself again without one; in a real kernel."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from tests.jupyter.kernel import Kernel

PARTS: Final = """
import ipywidgets as w, runtime, sage_nb
session = runtime.Session("boxed")
result = session.source(["to be"]).flat_map(str.split, name="split").collect(name="result")
_ = session.run()
graph, depths, form = sage_nb.graph(session), sage_nb.queue_depths(session), sage_nb.injector(session)
"""
BOXES: Final = [
    "w.HBox([graph, depths, form])",
    "w.VBox([w.HBox([graph, depths]), w.Label('and'), form])",
    "w.GridBox([graph, depths, form])",
    "w.Tab([graph, depths, form])",
    "w.Accordion([graph, depths, form])",
    "w.AppLayout(header=graph, center=depths, footer=form)",
    "w.TwoByTwoLayout(top_left=graph, top_right=depths, bottom_left=form)",
]


def outputs(kernel: Kernel, cell: str) -> list[dict[str, Any]]:
    """What a cell has put out, in order."""
    kinds = ("display_data", "execute_result", "update_display_data")
    of_cell = [each for each in kernel.published if each["parent_header"].get("msg_id") == cell]
    return [each["content"]["data"] for each in of_cell if each["msg_type"] in kinds]


def test_every_box_leaves_the_still_of_each_part_in_it_and_no_other_widget_does(notebook: Kernel) -> None:
    notebook.run(PARTS)
    for box in BOXES:
        for cell in (box, f"display({box})", f"handle = display({box}, display_id=True)"):
            live, still = outputs(notebook, notebook.run(cell))
            assert "application/vnd.jupyter.widget-view+json" in live, cell
            assert live["text/plain"] == still["text/plain"], cell
            assert "image/png" in still, cell
            for left in ("completed", "Queues of boxed", "Injector of boxed"):
                assert still["text/html"].count(left) == 1 or left == "completed", (cell, left)
                assert left in still["text/html"], (cell, left)
    for other in ("w.HBox([w.Label('nobody')])", "w.IntSlider()"):
        [only] = outputs(notebook, notebook.run(other))
        assert "application/vnd.jupyter.widget-view+json" in only


def test_who_has_a_say_in_how_boxes_are_shown_keeps_it(notebook: Kernel) -> None:
    own = """
import ipywidgets as w
class Own(w.HBox):
    def _ipython_display_(self):
        print("by itself")
get_ipython().display_formatter.ipython_display_formatter.for_type(w.VBox, lambda box: print("by somebody"))
"""
    notebook.run(f"{own}{PARTS}")
    for box, said in (("Own([graph])", "by itself"), ("w.VBox([graph])", "by somebody")):
        cell = notebook.run(box)
        notebook.sees(cell, said)
        assert outputs(notebook, cell) == []


@pytest.mark.parametrize("box", BOXES[:2])
def test_the_still_of_a_box_is_the_same_in_every_run(notebook: Kernel, box: str) -> None:
    found = []
    for _ in range(2):
        notebook.run(PARTS)
        [_, still] = outputs(notebook, notebook.run(box))
        notebook.run("session.close()")
        found.append(re.sub(r"\s+", " ", still["text/html"]))
    assert found[0] == found[1]
