"""Notebooks in a browser, in JupyterLite: each cell gives what is saved of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.site.conftest import PATIENCE_MS, ROOT, Site

pytestmark = pytest.mark.timeout(900)
expect.set_options(timeout=PATIENCE_MS)

SAYS_NOT: Final = "where Python is in a browser, it cannot be run"
NEEDS: Final = "needs-"
NOTEBOOKS: Final = sorted((ROOT / "notebooks").glob("*.ipynb"))

WIDGET: Final = "application/vnd.jupyter.widget-view+json"
IDLE: Final = "jupyterapp?.shell?.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
RUN_ALL: Final = "async () => { await jupyterapp.commands.execute('notebook:run-all-cells'); }"
CELLS: Final = "() => JSON.stringify(jupyterapp.shell.currentWidget.content.model.toJSON().cells)"
CODE: Final = "window.jupyterapp !== undefined && jupyterapp.shell.currentWidget?.content?.widgets?.length > 0"


def cells_of(path: Path) -> list[Any]:
    return list(json.loads(path.read_text("utf-8"))["cells"])


def source(cell: Any) -> str:
    return "".join(cell["source"])


def told(cell: Any) -> list[tuple[str, str]]:
    """What a cell gives, in words; pictures and ids of widgets are left out."""
    found: list[tuple[str, str]] = []
    for output in cell["outputs"]:
        kind = output["output_type"]
        if kind == "stream":
            found.append((output["name"], "".join(output["text"])))
        elif kind == "error":
            found.append(("error", f"{output['ename']}: {output['evalue']}"))
        elif output["data"]:  # the kernel there shows nothing, once more, of what has shown itself
            kind = "view" if WIDGET in output["data"] else "shown"
            found.append((kind, "".join(output["data"].get("text/plain", ""))))
    merged: list[tuple[str, str]] = []
    for kind, text in found:
        if merged and merged[-1][0] == kind == "stdout":
            merged[-1] = (kind, merged[-1][1] + text)
        else:
            merged.append((kind, text))
    return [(kind, re.sub(r"\s+", " ", text).strip()) for kind, text in merged]


def runs(path: Path) -> bool:
    """Whether it can be run in a browser: if not, its first lines say so."""
    return SAYS_NOT not in source(cells_of(path)[0])


def open_notebook(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.address}lite/notebooks/index.html?path={name}")
    page.wait_for_function(CODE)
    page.wait_for_function(IDLE)


def test_those_that_cannot_run_say_so_in_their_first_lines() -> None:
    assert [path.name[:2] for path in NOTEBOOKS if not runs(path)] == ["05", "08"]


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if runs(path)], ids=lambda path: path.stem)
def test_every_cell_of_a_notebook_gives_in_a_browser_what_is_saved_of_it(page: Page, site: Site, path: Path) -> None:
    open_notebook(page, site, path.name)
    page.evaluate(RUN_ALL)
    now = {cell["id"]: cell for cell in json.loads(page.evaluate(CELLS))}
    for cell in cells_of(path):
        if cell["cell_type"] == "code" and not any(tag.startswith(NEEDS) for tag in cell["metadata"].get("tags", ())):
            assert told(now[cell["id"]]) == told(cell), source(cell)
