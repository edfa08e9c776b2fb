"""tools/each_python.py finds the interpreters that are there, and no other."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

TOOL: Final = Path(__file__).parent.parent / "tools" / "each_python.py"


def put(path: Path, answer: str) -> Path:
    """An interpreter that says what it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def find(tmp_path: Path) -> Callable[[str], Path | None]:
    function = runpy.run_path(str(TOOL))["find"]
    return lambda version: function(version, str(tmp_path / "bin"), tmp_path / "pyenv")


def test_the_python_on_the_path_comes_first_and_then_the_newest_of_pyenv(
    tmp_path: Path, find: Callable[[str], Path | None]
) -> None:
    on_path = put(tmp_path / "bin" / "python3.12", "echo 3.12.4")
    put(tmp_path / "pyenv" / "versions" / "3.12.9" / "bin" / "python", "echo 3.12.9")
    put(tmp_path / "pyenv" / "versions" / "3.13.2" / "bin" / "python", "echo 3.13.2")
    newest = put(tmp_path / "pyenv" / "versions" / "3.13.11" / "bin" / "python", "echo 3.13.11")
    assert find("3.12") == on_path
    assert find("3.13") == newest
    assert find("3.14") is None
    assert find("3.1") is None, "3.12 is none of it"


@pytest.mark.parametrize("answer", ["exit 127", "echo 3.11.7", "exec no-such-program"])
def test_a_name_that_leads_to_no_such_python_is_passed_over(
    tmp_path: Path, find: Callable[[str], Path | None], answer: str
) -> None:
    """As a shim of pyenv, whose version nobody has chosen."""
    put(tmp_path / "bin" / "python3.12", answer)
    put(tmp_path / "pyenv" / "versions" / "3.12.0t" / "bin" / "python", "exit 1")
    assert find("3.12") is None
    real = put(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python", "echo 3.12.1")
    assert find("3.12") == real
