"""Run the tests where `make test` does not: `make test-more`. What there is to run stands in one table, `MORE`.

Under each other Python that is supported and found here; with exactly the lowest versions that pyproject.toml allows
(`minimum`); and in applications that `.venv` does not have (`places`). Each has an environment of its own, such as
`.venv-3.12`, made as `.venv` is; the second time that takes a moment only. And, in the environment of `make test`, all
rounds, seeds and examples of what is random (`long`), what else only a long run has, on Ray and in Notebook 7
(`long-groups`), the promises with functions that wait in place of plain ones (`waiting`), the pages of the manual
that run Python in a browser (`site`), and the promises in Python in WebAssembly, as it is there (`browser`), by
`python -m tests.in_node`.

A Python is looked for on PATH, as `python3.12`, and among those of pyenv. One that is not found is named; that is no
failure. Words say what of the table to run, options of pytest what of the tests:
`make test-more ARGS='3.12 3.13 -- --part pages --numprocesses 2'`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
# A build without the GIL is another Python.
ASKED: Final = """
import sys
assert getattr(sys, "_is_gil_enabled", lambda: True)()
print("%d.%d.%d" % sys.version_info[:3])
"""


@dataclass(frozen=True)
class Run:
    """One run of tests: its name, what is asked of pytest, and what is special about the environment.

    `python` is a version, without one it is that of `.venv`. `extras` are installed, without any those of `.venv`;
    with `lowest` they are in their lowest versions, as is what is always needed, and so is what `lowest` itself says,
    since pip would not find it out. With none of these, the environment of `make test` is used.
    `module` is run in place of pytest, in this one too.
    """

    name: str
    tests: tuple[str, ...]
    python: str = ""
    extras: tuple[str, ...] = ()
    lowest: tuple[str, ...] = ()
    module: str = ""

    @property
    def venv(self) -> str:
        """Where its environment is."""
        return f".venv-{self.name}"


ON_THREADS: Final = ("--part", "threads", "--numprocesses", "3")
OF_PROJECT: Final = ("lab", "metrics", "ray", "redis")
"""The extras that bring what users need; `test` brings tools beside them, in the releases that we use."""

OF_THEIR_TIME: Final = ("numpy==1.26.4", "pyparsing==3.0.9")
"""What matplotlib 3.6 was made for, and does not say that it needs."""

WITH_OTHERS: Final = (
    *("tests/view", "tests/remote", "tests/test_sage_nb.py", "tests/test_progress.py", "tests/test_redis_queue.py"),
    *("tests/test_by_value.py", "tests/promises/test_15_looking.py", "tests/page/test_loader.py"),
    "tests/jupyter/test_stories.py::test_a_run_drains_and_stops_before_your_eyes[lab]",  # JupyterLab 3.6
    "tests/jupyter/test_nbclassic.py",  # beside Notebook 6.5
    *("-W", "ignore::ResourceWarning"),  # Ray 2.48 leaves files of its own open
    *("-W", "ignore:Deprecated in traitlets:DeprecationWarning"),  # ipywidgets 7
)
MORE: Final = (
    Run("long", ("--long", *ON_THREADS)),
    Run("long-groups", ("--long", "-m", "long", "--part", "groups", "--numprocesses", "2")),
    Run("waiting", ("tests/promises", "-p", "tests.waiting.forced", *ON_THREADS)),
    Run("3.11", ON_THREADS, python="3.11"),
    Run("3.12", ON_THREADS, python="3.12"),
    Run("3.13", ON_THREADS, python="3.13"),
    Run("3.14", ON_THREADS, python="3.14"),
    Run("minimum", WITH_OTHERS, extras=(*OF_PROJECT, "test"), lowest=OF_THEIR_TIME),
    Run("places", ("tests/places",), extras=("places", "test")),
    Run("site", ("tests/site",)),
    Run("browser", ("tests/in_node", "tests/promises"), module="tests.in_node"),
)


def version_of(python: Path) -> tuple[int, ...] | None:
    """What this interpreter is; None if it is none, as a shim of pyenv may be."""
    try:
        ran = subprocess.run([python, "-c", ASKED], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return tuple(map(int, ran.stdout.split("."))) if ran.returncode == 0 else None


def find(version: str, path: str, pyenv: Path) -> Path | None:
    """The Python of this version on `path`, else the newest of it that pyenv has."""
    wanted = tuple(map(int, version.split(".")))
    on_path = shutil.which(f"python{version}", path=path)
    groups = [[Path(on_path)] if on_path else [], list(pyenv.glob(f"versions/{version}.*/bin/python"))]
    for group in groups:
        found = [(said, python) for python in group if (said := version_of(python)) and said[:2] == wanted]
        if found:
            return max(found)[1]
    return None


def lowest_versions(project: Mapping[str, Any], extras: Iterable[str]) -> list[str]:
    """What `[project]` of pyproject.toml always needs, and what for these extras, each in its lowest version."""
    needed = [*project["dependencies"]]
    for extra in extras:
        needed += project["optional-dependencies"][extra]
    bounds = [re.fullmatch(r"([\w-]+)>=([\w.]+)", each) for each in needed]
    if None in bounds:
        raise ValueError(f"not all of {needed} have one lower bound, as name>=1.2")
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound]


def make_environment(run: Run, python: Path) -> bool:
    """Make what the tests of this run need. False: it could not be made."""
    if not (run.python or run.extras):
        return True
    venv = ROOT / run.venv
    mark, ready, pins = venv / ".pinned", venv / ".ready", "\n".join(pins_of(run))
    if not mark.exists() or mark.read_text("utf-8") != pins:
        ready.unlink(missing_ok=True)  # made for others, or by none
    extras = (f"EXTRAS={','.join(run.extras)}",) if run.extras else ()
    with NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as constraints:
        constraints.write(pins)
        constraints.flush()
        pinned = {"PIP_CONSTRAINT": constraints.name} if pins else {}
        if not _runs("make", f"{run.venv}/.ready", f"VENV={run.venv}", f"PYTHON={python}", *extras, **pinned):
            return False
    mark.write_text(pins, "utf-8")
    return True


def pins_of(run: Run) -> list[str]:
    """Which versions of what pip is to install for this run, and no other."""
    if not run.lowest:
        return []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [*lowest_versions(project, OF_PROJECT), *run.lowest]


def outcome_of(run: Run, options: list[str], pyenv: Path) -> tuple[bool, str]:
    """Run it: whether all is well, and what to say of it."""
    python: Path | None = Path(sys.executable)
    if run.python:
        if run.python == "{}.{}".format(*sys.version_info):
            return True, "is the one that `make test` uses"
        python = find(run.python, os.environ.get("PATH", ""), pyenv)
        if python is None:
            return True, f"is not here, neither as python{run.python} on PATH nor in {pyenv}/versions"
    print(f"── {run.name}: {python}", flush=True)
    began_s = monotonic()
    if run.module:
        passed = _runs(sys.executable, "-m", run.module, *(options or run.tests))
        return passed, f"{'passed' if passed else 'failed'} ({monotonic() - began_s:.0f} s)"
    if not make_environment(run, python or Path()):
        return False, "failed: its environment could not be made"
    made_s = monotonic()
    program = f"{run.venv}/bin/python" if run.python or run.extras else sys.executable
    passed = _runs(program, "-m", "pytest", *(options or run.tests))
    times = f"environment {made_s - began_s:.0f} s, tests {monotonic() - made_s:.0f} s"
    return passed, f"{'passed' if passed else 'failed'} ({times})"


def _runs(*command: str, **environment: str) -> bool:
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode == 0


def main(words: list[str]) -> int:
    """Run what is asked for, all without words, and say at the end how it went; 1 if something failed."""
    split = words.index("--") if "--" in words else len(words)
    wanted, options = words[:split], words[split + 1 :]
    if unknown := set(wanted) - {run.name for run in MORE}:
        print(f"no run is called {', '.join(sorted(unknown))}; there are {', '.join(run.name for run in MORE)}")
        return 1
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    report = {run: outcome_of(run, options, pyenv) for run in MORE if not wanted or run.name in wanted}
    for run, (_, said) in report.items():
        print(f"{'Python ' if run.python else ''}{run.name}: {said}")
    if not wanted and not any("passed" in said or "failed" in said for run, (_, said) in report.items() if run.python):
        versions = [run.python for run in MORE if run.python]
        print(f"No other Python from {versions[0]} to {versions[-1]} is here, so the tests ran under this one alone.")
    return 0 if all(well for well, _ in report.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
