"""save_notebooks.py [NOTEBOOK ...]: run notebooks from top to bottom and save what came out, with no trace of where.

For when an output is to change: nbval then compares with the new ones. Look at the difference before it is committed.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import nbclient as _nbclient
import nbformat as _nbformat

nbclient: Any = _nbclient  # neither has types
nbformat: Any = _nbformat

VIEW = "application/vnd.jupyter.widget-view+json"
NO_MODEL = "0" * 32  # a widget is gone with its kernel, whatever it was called
FOLDER = Path(__file__).parent.parent / "notebooks"


def save(path: Path) -> None:
    """Run one notebook and write it. Raises what its cells raise; then nothing is written."""
    notebook = nbformat.read(path, as_version=4)
    settings = {"kernel_name": "python3", "store_widget_state": False, "record_timing": False}
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(FOLDER)}}, **settings).execute()
    # What the kernel says of itself has its version in it.
    notebook.metadata["language_info"].pop("version", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = list(_joined(cell.outputs))
    nbformat.write(notebook, path)


def _joined(outputs: list[Any]) -> Iterator[Any]:
    """The outputs without what differs from run to run: in how many pieces a text came, how a widget was called."""
    for _, group in groupby(outputs, key=lambda output: output.get("name", id(output))):
        first, *others = group
        for other in others:
            first["text"] += other["text"]
        if VIEW in first.get("data", ()):
            first["data"][VIEW]["model_id"] = NO_MODEL
        yield first


def main() -> None:
    """Those that are named, or all."""
    for path in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        print(path.name)
        save(path)


if __name__ == "__main__":
    main()
