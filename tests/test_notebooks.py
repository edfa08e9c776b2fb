"""The notebooks as they are saved; that each output comes out again is nbval's part, which runs them."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import nbconvert as _nbconvert
import pytest

nbconvert: Any = _nbconvert  # it has no types

NOTEBOOKS: Final = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
each_notebook: Final = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)

VIEW: Final = "application/vnd.jupyter.widget-view+json"


@cache
def saved(notebook: Path) -> Any:
    return json.loads(notebook.read_text("utf-8"))


def code_cells(notebook: Path) -> list[Any]:
    return [cell for cell in saved(notebook)["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: Path) -> list[Any]:
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def is_picture(shown: Any) -> bool:
    """Whether this output's data are a session's picture."""
    return "image/png" in shown and 'class="sage-nb-still"' in "".join(shown.get("text/html", ()))


def source(cell: Any) -> str:
    return "".join(cell["source"])


@each_notebook
def test_a_notebook_is_saved_as_run_from_top_to_bottom(notebook: Path) -> None:
    """Without saved outputs, nbval has nothing to compare and would pass."""
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(isinstance(line, ast.Import | ast.ImportFrom) for line in ast.parse(source(cells[0])).body)
    assert any(is_picture(output.get("data", {})) for output in outputs(notebook))
    assert saved(notebook)["metadata"]["kernelspec"]["name"] == "python3"


@each_notebook
def test_a_notebook_knows_no_machine(notebook: Path) -> None:
    """No path, no time, no address, no warning, no state of widgets: it is the same wherever it was saved."""
    assert set(saved(notebook)["metadata"]) == {"kernelspec", "language_info"}
    assert all(not cell["metadata"].get("execution") for cell in code_cells(notebook))
    assert all(output.get("name") != "stderr" for output in outputs(notebook))
    told = "\n".join(
        "".join(output.get("text", ())) + "".join(output.get("data", {}).get("text/plain", ()))
        for output in outputs(notebook)
    )
    assert not re.search(r"0x[0-9a-f]{6,}|/home/|/tmp/|/root/|/Users/|\.venv", told)


@each_notebook
def test_prose_comes_before_code(notebook: Path) -> None:
    kinds = [cell["cell_type"] for cell in saved(notebook)["cells"]]
    assert kinds[0] == "markdown"
    assert "code code code" not in " ".join(kinds)


@each_notebook
def test_a_notebook_ends_with_two_exercises_and_their_answers(notebook: Path) -> None:
    *_, exercises, heading, first, second = saved(notebook)["cells"]
    assert re.findall(r"^(\d)\. \*\*", source(exercises), re.M) == ["1", "2"]
    assert "## Exercises" in source(exercises)
    assert "collapsed" in source(heading)
    for answer in (first, second):
        assert answer["metadata"]["jupyter"] == {"outputs_hidden": True, "source_hidden": True}
        assert "hide-cell" in answer["metadata"]["tags"], "for the endpoint"
        assert answer["outputs"], "it was run, and says something"


ASKS: Final = re.compile(r"\bpredict\b|\?\s*\Z", re.I)


def asks(cell: Any) -> bool:
    """Whether it asks the reader what the next cell will print. The title only says what is to come."""
    return cell["cell_type"] == "markdown" and not source(cell).startswith("# ") and bool(ASKS.search(source(cell)))


@each_notebook
def test_the_saved_output_is_out_of_sight_where_a_question_stands_before_it(notebook: Path) -> None:
    """JupyterLab and Notebook open such an output when its cell is run."""
    *told, _, _, _, _ = saved(notebook)["cells"]
    for place, cell in enumerate(told):
        if asks(cell):
            for answer in takewhile(lambda cell: cell["cell_type"] == "code", told[place + 1 :]):
                if answer["outputs"] and not any(VIEW in output.get("data", ()) for output in answer["outputs"]):
                    assert answer["metadata"].get("jupyter") == {"outputs_hidden": True}, source(cell)
                    assert answer["metadata"].get("tags") == ["hide-output"], "for the endpoint"


@each_notebook
def test_of_a_folded_output_the_first_line_tells_nothing(notebook: Path) -> None:
    """JupyterLab and Notebook show it in the place of the output."""
    for cell in code_cells(notebook):
        if cell["metadata"].get("jupyter", {}).get("outputs_hidden"):
            first = "".join(cell["outputs"][0].get("text", ()))
            assert first.partition("\n")[0].endswith(":"), source(cell)


@each_notebook
def test_a_session_is_shown_alive_and_as_a_picture(notebook: Path) -> None:
    for cell in code_cells(notebook):
        shown = [output["data"] for output in cell["outputs"] if "data" in output]
        if any(map(is_picture, shown)):
            live, still = shown[-2:]
            assert VIEW in live, source(cell)
            assert is_picture(still), source(cell)
            assert live["text/plain"] == still["text/plain"], source(cell)


@each_notebook
def test_an_offline_export_shows_the_graphs(notebook: Path) -> None:
    page, _ = nbconvert.HTMLExporter(template_name="lab").from_filename(str(notebook))
    pictures = sum(is_picture(output.get("data", {})) for output in outputs(notebook))
    picture = r'<div class="sage-nb-still"[^>]*>.*?<img alt="[^"]+" [^>]*src="data:image/svg\+xml;base64,'
    assert len(re.findall(picture, page)) == pictures
