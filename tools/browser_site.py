"""browser_site.py SITE: put Python into a built site, for its pages that run programs in the reader's browser.

Sphinx has put down the files of the small page (`docs/extra/try`). Beside them come Pyodide, and the wheel of this very
tree; and in SITE/lite comes JupyterLite with all notebooks. Nothing of it asks another host: SITE works from any static
server. What is fetched is pinned with its digests in `tools/browser`, and kept in `build`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PINS: Final = ROOT / "tools" / "browser"
FETCHED: Final = ROOT / "build" / "browser"
EXTENSIONS: Final = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
KERNEL: Final = "@jupyterlite/pyodide-kernel-extension"
WIDGETS: Final = ("@jupyter-widgets/jupyterlab-manager", "anywidget")
APPS: Final = ("lab", "notebooks", "tree")
NEEDS: Final = "needs-"
"""How a tag of a cell begins that says what it needs and no browser has: `needs-processes`."""
CORE: Final = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")


def pyodide() -> Path:
    """The folder of the npm package `pyodide`, as it is pinned; fetched by npm where it is not here yet."""
    folder = FETCHED / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    pins, fetched = PINS / "package-lock.json", folder / "package-lock.json"
    if not (fetched.exists() and fetched.read_bytes() == pins.read_bytes() and (folder / "done").exists()):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINS / name, folder / name)
        _run("npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", cwd=folder)
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


def wheels() -> list[Path]:
    """The wheels of `wheels.txt`, fetched by pip where they are not here yet."""
    folder, pins = FETCHED / "wheels", PINS / "wheels.txt"
    done = folder / "done"
    if not (done.exists() and done.read_bytes() == pins.read_bytes()):
        shutil.rmtree(folder, ignore_errors=True)
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps")
        for_any = (
            "--only-binary=:all:",
            "--python-version=3.14",
            "--platform=any",
            "--implementation=py",
            "--abi=none",
        )
        _run(*pip, *for_any, "--require-hashes", "--requirement", str(pins), "--dest", str(folder), cwd=ROOT)
        shutil.copy(pins, done)
    return sorted(folder.glob("*.whl"))


def kernel_wheels() -> list[Path]:
    """Those that JupyterLite's kernel brings: itself, and what stands there for what needs processes or a server."""
    brought = json.loads((EXTENSIONS / KERNEL / "static" / "pypi" / "all.json").read_text("utf-8"))
    newest = [max(each["releases"].values(), key=lambda files: files[0]["upload_time"])[0] for each in brought.values()]
    return [EXTENSIONS / KERNEL / "static" / "pypi" / each["filename"] for each in newest]


def lock_of(given: list[Path]) -> str:
    """A lock file for Pyodide that knows these wheels and nothing else, each with the digest of the file that is here.

    Each may be imported once all are there, so none says what it needs: the page loads all of them at its start.
    """
    lock = json.loads((pyodide() / "pyodide-lock.json").read_text("utf-8"))
    lock["packages"] = {}
    for path in given:
        name, version, *_ = path.name.split("-")
        name = name.lower().replace("_", "-")
        lock["packages"][name] = {
            "name": name,
            "version": version,
            "file_name": path.name,
            "install_dir": "site",
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "package_type": "package",
            "imports": [],
            "depends": [],
            "unvendored_tests": False,
        }
    return json.dumps(lock)


def notebook_of(path: Path) -> str:
    """A notebook as it is opened in the page: for the kernel there, and with what cannot run there as text."""
    notebook = json.loads(path.read_text("utf-8"))
    notebook["metadata"]["kernelspec"] = {"display_name": "Python (Pyodide)", "language": "python", "name": "python"}
    cells = []
    for saved in notebook["cells"]:
        cell, tags = saved, saved["metadata"].get("tags", [])
        if needs := [tag.removeprefix(NEEDS).replace("-", " ") for tag in tags if tag.startswith(NEEDS)]:
            said = f"*This needs {needs[0]}, which no browser has, so it is shown and not run:*"
            text = f"{said}\n\n```python\n{''.join(cell['source'])}\n```"
            cell = {"cell_type": "markdown", "id": cell["id"], "metadata": {"tags": tags}, "source": text}
        cells.append(cell)
    notebook["cells"] = cells
    return json.dumps(notebook, ensure_ascii=False, indent=1)


def make_lite(site: Path, ours: Path) -> None:
    """The notebooks in JupyterLite, with all that they import."""
    folder = FETCHED / "lite"
    shutil.rmtree(folder, ignore_errors=True)  # after a second build in one folder its site asks other hosts
    shutil.rmtree(site / "lite", ignore_errors=True)
    core, contents = folder / "static" / "pyodide", folder / "contents"
    core.mkdir(parents=True)
    shutil.copytree(ROOT / "notebooks", contents, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    for path in contents.glob("*.ipynb"):
        path.write_text(notebook_of(path), "utf-8")
    given = [*wheels(), *kernel_wheels(), ours]
    for path in [*(pyodide() / name for name in CORE), *given]:
        shutil.copy(path, core)
    lock = lock_of(given)
    (core / "pyodide-lock.json").write_text(lock, "utf-8")
    settings = {"loadPyodideOptions": {"packages": list(json.loads(lock)["packages"])}, "disablePyPIFallback": True}
    config = {
        "litePluginSettings": {f"{KERNEL}:kernel": settings},
        "appName": "sage-nb",
        "enableMemoryStorage": True,
        "exposeAppInBrowser": True,
    }
    (folder / "jupyter-lite.json").write_text(
        json.dumps({"jupyter-lite-schema-version": 0, "jupyter-config-data": config}), "utf-8"
    )
    build = {
        "LiteBuildConfig": {
            "apps": list(APPS),
            "contents": [str(contents)],
            "ignore_sys_prefix": True,
            "federated_extensions": [str(EXTENSIONS / name) for name in (KERNEL, *WIDGETS)],
            "no_sourcemaps": True,
            "no_unused_shared_packages": True,
            "output_dir": str(site / "lite"),
        }
    }
    (folder / "jupyter_lite_config.json").write_text(json.dumps(build), "utf-8")
    _run(sys.executable, "-m", "jupyterlite_core", "build", cwd=folder)


def faults(site: Path) -> Iterator[str]:
    """What the pages load and is not there, or is another file than the lock says."""
    if not (site / "try" / "sage_nb.whl").exists():
        yield "try/sage_nb.whl: missing"
    core = site / "lite" / "static" / "pyodide"
    lock = json.loads((core / "pyodide-lock.json").read_text("utf-8"))
    for each in lock["packages"].values():
        path = core / each["file_name"]
        if not path.exists():
            yield f"{path.name}: missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != each["sha256"]:
            yield f"{path.name}: not the file that the lock means"


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
    make_lite(site, ours)
    if found := list(faults(site)):
        sys.exit("\n".join(found))
    for name in ("try", "lite"):
        print(f"{site / name}: {size_mb(site / name):.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
