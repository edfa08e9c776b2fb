"""What an error says to type installs the project from its folder: it is on no index."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# What misses something, and the extra that brings it; the project itself is ''.
MISSING: Final = {
    "": "runtime.Session().to_svg('it.svg')",
    "ray": "session = runtime.Session(platform='remote'); session.source([1]).collect(); session.start()",
    "metrics": "runtime.prometheus(runtime.Session('it'))",
}


def refused(program: str, folder: Path) -> str:
    """What is said where nothing is installed but the standard library, and `runtime` is in this folder."""
    text = f"import sys; sys.path.insert(0, {str(folder)!r}); import runtime\n{program}"
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", text], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    return ran.stderr.splitlines()[-1]


@pytest.mark.parametrize("extra", MISSING)
def test_the_command_of_a_refusal_names_this_python_this_folder_and_an_extra_that_there_is(extra: str) -> None:
    said = refused(MISSING[extra], ROOT)
    python, *arguments, place = shlex.split(said.rpartition(": ")[2])
    assert (python, arguments) == (sys.executable, ["-m", "pip", "install", "--editable"])
    assert place == f"{ROOT}[{extra}]" if extra else place == str(ROOT)
    assert not extra or extra in PROJECT["optional-dependencies"]


def test_installed_from_elsewhere_it_names_the_folder_without_its_path(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "runtime", tmp_path / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    said = refused(MISSING["ray"], tmp_path)
    assert said.endswith("-m pip install '.[ray]', in the folder of sage-nb")
