"""The site is whole: what its page loads is there, as it is pinned, and is of this tree."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.site.conftest import ROOT


def test_the_page_has_python_and_the_wheel_of_this_tree(built: Path) -> None:
    assert (built / "try" / "pyodide" / "pyodide.asm.wasm").stat().st_size > 1_000_000
    with zipfile.ZipFile(built / "try" / "sage_nb.whl") as wheel:
        for name in ("runtime/browser/stacks.py", "sage_nb/tab.py", "sage_nb/page/view.js"):
            assert wheel.read(name) == (ROOT / name).read_bytes()
