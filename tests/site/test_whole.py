"""The site is whole: what its pages load is there, as it is pinned."""

from __future__ import annotations

import hashlib
import json
import runpy
import shutil
from pathlib import Path

from tests.site.conftest import TOOL


def faults(site: Path) -> list[str]:
    return list(runpy.run_path(str(TOOL))["faults"](site))


def test_every_wheel_that_a_page_loads_is_there_with_its_digest(built: Path, tmp_path: Path) -> None:
    assert faults(built) == []
    site = tmp_path / "site"
    shutil.copytree(built, site)
    core = site / "lite" / "static" / "pyodide"
    (ours,) = core.glob("sage_nb-*.whl")
    ours.write_bytes(b"another")
    assert faults(site) == [f"{ours.name}: not the file that the lock means"]
    ours.unlink()
    (site / "try" / "sage_nb.whl").unlink()
    assert faults(site) == ["try/sage_nb.whl: missing", f"{ours.name}: missing"]


def test_both_pages_have_the_wheel_of_this_tree(built: Path) -> None:
    (ours,) = (built / "lite" / "static" / "pyodide").glob("sage_nb-*.whl")
    assert (
        hashlib.sha256(ours.read_bytes()).digest()
        == hashlib.sha256((built / "try" / "sage_nb.whl").read_bytes()).digest()
    )


def test_what_needs_what_no_browser_has_is_text_that_says_so(built: Path) -> None:
    for path in sorted((built / "lite" / "files").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            needs = any(tag.startswith("needs-") for tag in cell["metadata"].get("tags", ()))
            assert needs == ("which no browser has, so it is shown and not run" in "".join(cell["source"]))
            assert not needs or cell["cell_type"] == "markdown"
