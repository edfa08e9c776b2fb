"""Run the tests under each Python that is supported and found here: `make test-pythons`.

A Python is looked for on PATH, as `python3.12`, and among those of pyenv. Each gets an environment of its own,
`.venv-3.12`, made as `.venv` is. One that is not found is named; that is no failure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

SUPPORTED: Final = ("3.11", "3.12", "3.13", "3.14")
PARTS: Final = {
    "threads": ("--numprocesses", "3"),
    "pages": ("--numprocesses", "2"),
    "alone": (),
}
# A build without the GIL is another Python.
ASKED: Final = """
import sys
assert getattr(sys, "_is_gil_enabled", lambda: True)()
print("%d.%d.%d" % sys.version_info[:3])
"""


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


def failure_of(venv: str, python: Path, parts: list[str]) -> str:
    """Run the tests in this environment, and say what failed: nothing, if all is well."""
    if not _runs("make", f"{venv}/.ready", f"VENV={venv}", f"PYTHON={python}"):
        return "its environment could not be made"
    pytest = (f"{venv}/bin/python", "-m", "pytest")
    failed = [part for part in parts if not _runs(*pytest, "--part", part, *PARTS[part])]
    return f"failed: {', '.join(failed)}" if failed else ""


def _runs(*command: str) -> bool:
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    """Run, and say at the end how it went with each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--part", action="append", choices=[*PARTS], help="only this part of the tests; can be repeated"
    )
    parser.add_argument("versions", nargs="*", default=SUPPORTED, metavar="3.x", help=f"default: {' '.join(SUPPORTED)}")
    given = parser.parse_args()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    report: dict[str, str] = {}
    good = True
    for version in given.versions:
        python = find(version, os.environ.get("PATH", ""), pyenv)
        if python is None:
            report[version] = f"not found, neither as python{version} on PATH nor in {pyenv}/versions"
            continue
        print(f"── Python {version}: {python}", flush=True)
        failure = failure_of(f".venv-{version}", python, given.part or [*PARTS])
        report[version] = failure or f"passed ({python})"
        good = good and not failure
    for version, what in report.items():
        print(f"Python {version}: {what}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
