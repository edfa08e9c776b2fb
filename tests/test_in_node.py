"""The layer of a browser's tab, in Python in WebAssembly: its own tests, run in Node where that has been installed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.in_node.__main__ import INSTALLED, TREE, command, is_installed

WHERE = Path(os.environ.get("SAGE_NB_NODE", INSTALLED))
LIMIT_S = 600  # of all of them, on a slow machine


@pytest.mark.timeout(LIMIT_S + 60)
@pytest.mark.skipif(not is_installed(WHERE), reason="Node and Pyodide are not here: python -m tests.in_node, once")
def test_the_layer_keeps_what_its_docstrings_say_in_webassembly() -> None:
    inside = command("tests.in_node.pytest_inside", "-x", "tests/in_node", tree=TREE, installed=WHERE)
    done = subprocess.run(inside, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
