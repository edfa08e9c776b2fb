"""Install Node and Pyodide, and run the tests of tests/in_node, and the promises, inside: `python -m tests.in_node`.

Both come from npm, in the versions that tools/browser pins for the documentation, too; the wheels from PyPI. All are
pinned with their digests, and put into build/in_node. Once they are
there, nothing is fetched any more. What is given is given to pytest in there: `python -m tests.in_node -k collector`.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
TREE: Final = HERE.parent.parent
INSTALLED: Final = TREE / "build" / "in_node"
LIMIT_S: Final = 1_800  # all of them, on a slow machine; no clock in there can end a test that keeps the only thread
PACKAGES: Final = tuple(TREE / "tools" / "browser" / name for name in ("package.json", "package-lock.json"))
PINS: Final = (*PACKAGES, HERE / "requirements.txt")


def is_installed(into: Path = INSTALLED) -> bool:
    """Whether all that is pinned is there."""
    return all((into / pin.name).exists() and (into / pin.name).read_bytes() == pin.read_bytes() for pin in PINS)


def install(into: Path = INSTALLED) -> None:
    """Install what is pinned, unless it is there."""
    if is_installed(into):
        return
    print(f"[{into}] Installing Node and Pyodide", flush=True)
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for pin in PACKAGES:
        shutil.copy(pin, into)
    quiet = ("--no-audit", "--no-fund", "--silent")
    subprocess.run(["npm", "ci", *quiet, "--prefix", str(into)], check=True)
    wheels = ("--no-deps", "--only-binary=:all:", "--require-hashes", "--no-compile", "--quiet")
    pure = ("--platform=any", "--python-version=3.14", f"--target={into / 'wheels'}", "--disable-pip-version-check")
    pins = ("-r", str(PINS[-1]))
    subprocess.run([sys.executable, "-m", "pip", "install", *wheels, *pure, *pins], check=True)
    shutil.copy(PINS[-1], into)


def node(installed: Path = INSTALLED) -> Path:
    """The Node that was installed; where there is none for this system, that of PATH, which is to be 24 or newer."""
    machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x64"
    own = installed / "node_modules" / f"node-linux-{machine}" / "bin" / "node"
    return own if platform.system() == "Linux" else Path("node")


def command(module: str, *given: str, tree: Path = TREE, installed: Path = INSTALLED) -> list[str]:
    """What runs a module of `tree` inside, by its `main(given)`, whose result is the exit status."""
    return [str(node(installed)), str(HERE / "run.mjs"), str(tree), str(installed), module, *given]


if __name__ == "__main__":
    install()
    try:
        ran = subprocess.run(command("tests.in_node.pytest_inside", *sys.argv[1:]), check=False, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        sys.exit(f"not over in {LIMIT_S} s: the last test that is named above hangs")
    sys.exit(ran.returncode)
