"""What views weigh in a notebook that was run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.jupyter.notebooks import nbformat
from tests.jupyter.test_fallbacks import CELL, executed

MOST_KB: Final = 300


def test_an_executed_notebook_with_four_views_is_small(tmp_path: Path) -> None:
    """With the state of its widgets, as JupyterLab and nbconvert save it."""
    cells = [CELL.replace('"words"', f'"words {number}"') for number in range(4)]
    notebook: Any = executed(cells, tmp_path, with_state=True)
    models = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    assert sum(model["model_name"] == "AnyModel" for model in models) == 4
    size_kb = len(nbformat.writes(notebook).encode()) / 1_000
    print(f"\nexecuted notebook with four views: {size_kb:.0f} kB")  # noqa: T201  a figure
    assert size_kb <= MOST_KB
