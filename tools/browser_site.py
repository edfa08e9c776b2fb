"""browser_site.py SITE: put Python into a built site, for its pages that run programs in the reader's browser.

Sphinx has put down the files of the small page (`docs/extra/try`). Beside them come Pyodide, and the wheel of this very
tree. Nothing of it asks another host: SITE works from any static server. What is fetched is pinned with its digests in
`tools/browser`, and kept in `build`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PINS: Final = ROOT / "tools" / "browser"
FETCHED: Final = ROOT / "build" / "browser"
CORE: Final = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")


def pyodide() -> Path:
    """The folder of the npm package `pyodide`, as it is pinned; fetched by npm where it is not here yet."""
    folder = FETCHED / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    pins, fetched = PINS / "package-lock.json", folder / "package-lock.json"
    if not (fetched.exists() and fetched.read_bytes() == pins.read_bytes() and (folder / "done").exists()):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINS / name, folder / name)
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", cwd=folder)
        (folder / "done").touch()
    return folder / "node_modules" / "pyodide"


def wheel(folder: Path) -> Path:
    """The wheel of this tree, built into `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def make_try(site: Path, ours: Path) -> None:
    """The small page: Pyodide's core, and our wheel under a name that the page knows."""
    core = site / "try" / "pyodide"
    core.mkdir(parents=True, exist_ok=True)
    for name in CORE:
        shutil.copy(pyodide() / name, core / name)
    shutil.copy(ours, site / "try" / "sage_nb.whl")


def size_mb(folder: Path) -> float:
    """How much all files below it take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} has failed:\n{done.stdout}{done.stderr}")


def main(site: Path) -> None:
    """Put everything into `site`, and say how large it is."""
    ours = wheel(FETCHED / "wheel")
    make_try(site, ours)
    print(f"{site / 'try'}: {size_mb(site / 'try'):.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
