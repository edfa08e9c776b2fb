"""tools/make_venv.sh in scratch folders, with nothing on PATH but what a test puts there: no network, no apt-get."""

from __future__ import annotations

import ensurepip
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).parent.parent / "tools" / "make_venv.sh"
TOOLS: Final = ("awk", "id", "ls", "mkdir", "mktemp", "rm", "sh", "touch")
BASE: Final = getattr(sys, "_base_executable", sys.executable)

# A project that needs nothing, but has what the script prepares behind the installation.
BACKEND: Final = """
import zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "scratch-1-py3-none-any.whl"
    facts = "scratch-1.dist-info"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr("matplotlib/__init__.py", "")
        wheel.writestr("matplotlib/font_manager.py", "")
        named = "Name: scratch\\nVersion: 1\\nProvides-Extra: lab\\n"
        wheel.writestr(f"{facts}/METADATA", f"Metadata-Version: 2.1\\n{named}")
        wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{facts}/RECORD", "")
    return name
"""
PROJECT: Final = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@dataclass
class Scratch:
    """A folder with the script, a project, and a PATH of its own."""

    root: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("tools", "bin", "wheels"):
            (self.root / folder).mkdir()
        shutil.copy(SCRIPT, self.root / "tools")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None, tool
            (self.root / "bin" / tool).symlink_to(found)
        (self.root / "backend.py").write_text(BACKEND)
        (self.root / "pyproject.toml").write_text(PROJECT)

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def program(self, name: str, text: str) -> None:
        """Put a program on the PATH."""
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def python(self, *, lacks: tuple[str, ...] = ()) -> None:
        """Put a python3 on the PATH, in which some modules are missing."""
        missing = " | ".join(f'"-m {module}"*' for module in lacks)
        refusal = f'case "$*" in {missing}) echo "No module" >&2; exit 1;; esac' if lacks else ""
        self.program("python3", f'{refusal}\nexec "{BASE}" "$@"')

    def pip(self) -> None:
        """Put a pip on the PATH, and the wheel of pip where that one looks."""
        self.program("pip3", f'exec "{sys.executable}" -m pip "$@"')
        of_the_system = sysconfig.get_config_var("WHEEL_PKG_DIR")  # Debian's and Fedora's place
        folders = [Path(ensurepip.__file__).parent / "_bundled", Path(of_the_system or os.devnull)]
        wheels = [wheel for folder in folders for wheel in folder.glob("pip-*.whl")]
        if not wheels:
            pytest.skip("this Python ships no wheel of pip")
        shutil.copy(wheels[0], self.root / "wheels")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        given = {
            "PATH": str(self.root / "bin"),
            "HOME": str(self.root),
            "TMPDIR": str(self.root),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.root / "wheels"),
        }
        command = ["/bin/sh", "tools/make_venv.sh", *(arguments or (".venv", "lab", ".venv/.ready"))]
        return subprocess.run(
            command, cwd=self.root, env=given | self.settings, capture_output=True, text=True, check=False, timeout=100
        )

    def files(self) -> dict[str, bytes | None]:
        """What is in .venv, and in its files."""
        return {
            str(path.relative_to(self.venv)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.venv.rglob("*"))
        }


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path)


def is_usable(venv: Path) -> bool:
    """Whether the project is in there, and pip."""
    command = [f"{venv}/bin/python", "-c", "import pip, matplotlib.font_manager"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("interpreter", ["new enough", "too old", "none"])
@pytest.mark.parametrize("found", [True, False], ids=["could make one", "could not"])
def test_what_somebody_else_has_made_is_left_as_it_was(scratch: Scratch, interpreter: str, found: bool) -> None:
    (scratch.venv / "bin").mkdir(parents=True)
    (scratch.venv / "pyvenv.cfg").write_text("home = /somewhere\n")
    (scratch.venv / "mine.txt").write_text("a day's work")
    python = scratch.venv / "bin" / "python"
    if interpreter == "new enough":
        python.symlink_to(BASE)
    elif interpreter == "too old":
        python.write_text("#!/bin/sh\nexit 1\n")
        python.chmod(0o755)
    if found:
        scratch.python()
    before = scratch.files()
    ran = scratch.run()
    assert ran.returncode == 1
    assert scratch.files() == before
    (line,) = ran.stderr.splitlines()
    assert line.startswith(".venv was not made by this project")
    assert "make VENV=.venv-sage-nb lab" in line
    assert ran.stdout == ""


def test_a_file_in_its_place_is_left_as_it_was(scratch: Scratch) -> None:
    scratch.python()
    scratch.venv.write_text("layout python\n")
    assert scratch.run().returncode == 1
    assert scratch.venv.read_text() == "layout python\n"


@pytest.mark.parametrize("lacks", [None, ("ensurepip", "pip")], ids=["no interpreter", "an interpreter that cannot"])
def test_its_own_is_not_removed_before_another_is_sure_to_be_made(
    scratch: Scratch, lacks: tuple[str, ...] | None
) -> None:
    """Its interpreter is gone, as after an upgrade of the system."""
    scratch.venv.mkdir()
    (scratch.venv / ".made").touch()
    (scratch.venv / "notes.txt").write_text("kept")
    if lacks is not None:
        scratch.python(lacks=lacks)
    before = scratch.files()
    ran = scratch.run()
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert scratch.files() == before


def test_one_that_was_begun_is_made_anew_and_each_step_is_said(scratch: Scratch) -> None:
    scratch.python()
    scratch.venv.mkdir()
    (scratch.venv / ".begun").touch()
    (scratch.venv / "bin").write_text("half a folder")
    ran = scratch.run()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert is_usable(scratch.venv)
    assert [(scratch.venv / mark).exists() for mark in (".made", ".ready", ".begun")] == [True, True, False]
    steps = ran.stdout.splitlines()
    assert all(step.startswith("[.venv] ") for step in steps)
    began = [step.removeprefix("[.venv] ").split()[0] for step in steps]
    assert began == ["Making", "Finding", "Installing", "Listing", "Ready"]
    (scratch.root / "bin" / "python3").unlink()
    assert scratch.run().returncode == 0, "a finished one needs no other interpreter"


def test_without_ensurepip_the_wheel_of_pip_installs_itself(scratch: Scratch) -> None:
    """As Debian's python3 is without python3-venv; an empty folder is taken as it is."""
    scratch.python(lacks=("ensurepip", "pip"))
    scratch.pip()
    scratch.venv.mkdir()
    ran = scratch.run()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert is_usable(scratch.venv)
    assert not list(scratch.root.glob("tmp.*"))


def test_where_nothing_can_make_one_a_line_says_what_to_do(scratch: Scratch) -> None:
    scratch.python(lacks=("ensurepip", "pip"))
    ran = scratch.run()
    (line,) = ran.stderr.splitlines()
    assert f"python{sys.version_info[0]}.{sys.version_info[1]}-venv" in line
    assert "without being root, uv" in line
    assert not scratch.venv.exists()


def test_what_pip_could_not_install_is_not_called_ready(scratch: Scratch) -> None:
    """A finished one, which borrows our own pip: to install one takes far longer than what is tried here."""
    subprocess.run([BASE, "-m", "venv", "--without-pip", str(scratch.venv)], check=True)
    (packages,) = scratch.venv.glob("lib/python*/site-packages")
    (packages / "pip.pth").write_text(sysconfig.get_path("purelib"))
    (scratch.venv / ".made").touch()
    (scratch.root / "pyproject.toml").write_text(PROJECT.replace("requires = []", 'requires = ["no-such-package"]'))
    ran = scratch.run()
    assert ran.returncode != 0
    assert "no-such-package" in ran.stderr
    assert not (scratch.venv / ".ready").exists()


@pytest.mark.parametrize("mark", [".made", ".begun", None])
def test_only_its_own_is_removed(scratch: Scratch, mark: str | None) -> None:
    scratch.venv.mkdir()
    (scratch.venv / (mark or "pyvenv.cfg")).touch()
    ran = scratch.run("--remove", ".venv")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert scratch.venv.exists() == (mark is None)
    assert scratch.run("--remove", ".venv-3.99").returncode == 0, "there is none"
