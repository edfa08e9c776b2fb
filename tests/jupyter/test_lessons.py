"""A notebook that asks something keeps its saved answer out of sight, until its reader has run the cell."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.jupyter.notebooks import Applications, nbformat
from tests.jupyter.server import Server
from tests.test_notebooks import NOTEBOOKS, asks, saved


def test_the_answer_to_a_question_is_seen_when_its_cell_is_run(
    applications: Applications, application: str, jupyter: Server
) -> None:
    cells = saved(NOTEBOOKS[-1])["cells"]
    question = next(place for place, cell in enumerate(cells) if asks(cell))
    answer = nbformat.v4.new_code_cell(
        "print('So much:')\nprint('forty' + '-two')",
        outputs=[nbformat.v4.new_output("stream", text="So much:\nforty-two\n")],
        metadata=cells[question + 1]["metadata"],
    )
    name = applications.write([""])
    notebook = nbformat.read(jupyter.folder / name, as_version=4)
    notebook.cells = [nbformat.v4.new_markdown_cell("How much is it?"), answer]
    nbformat.write(notebook, jupyter.folder / name)
    opened = applications.open_loaded(application, name)
    told = opened.page.get_by_text("forty-two")
    expect(opened.page.get_by_role("paragraph").filter(has_text="How much is it?")).to_be_visible()
    expect(told).to_be_hidden()
    opened.run(1)
    expect(told).to_be_visible()
