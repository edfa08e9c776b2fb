"""tools/test_more.py finds the interpreters that are there, and no other, and knows the lowest versions."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

TOOL: Final = Path(__file__).parent.parent / "tools" / "test_more.py"


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


def test_the_lowest_versions_are_those_that_the_project_allows() -> None:
    lowest = runpy.run_path(str(TOOL))["lowest_versions"]
    project = {
        "dependencies": ["a-package>=1.2.3"],
        "optional-dependencies": {"ray": ["ray>=2.48.0"], "redis": ["redis>=8"], "odd": ["other>=1,<2"]},
    }
    assert lowest(project, ["ray", "redis"]) == ["a-package==1.2.3", "ray==2.48.0", "redis==8"]
    with pytest.raises(ValueError, match="other>=1,<2"):
        lowest(project, ["odd"])


def test_what_is_asked_for_and_is_not_there_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert runpy.run_path(str(TOOL))["main"](["3.9"]) == 1
    runs = "long, long-groups, waiting, 3.11, 3.12, 3.13, 3.14, minimum, places, site, browser"
    assert capsys.readouterr().out == f"no run is called 3.9; there are {runs}\n"


def test_a_machine_with_no_other_python_says_so_and_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    tool = runpy.run_path(str(TOOL))
    tool["main"].__globals__["MORE"] = [run for run in tool["MORE"] if run.python]
    assert tool["main"]([]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5
    assert "Python {}.{}: is the one that `make test` uses".format(*sys.version_info) in said
    assert said[-1] == "No other Python from 3.11 to 3.14 is here, so the tests ran under this one alone."
