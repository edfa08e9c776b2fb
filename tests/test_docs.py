"""What is written is true: the site builds, its links lead somewhere, every name is there, programs run."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import runpy
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import runtime
import runtime.testing
import sage_nb
from runtime.testing import leak_guard

REPOSITORY: Final = Path(__file__).parent.parent
PUBLIC: Final = (runtime, runtime.testing, sage_nb)


# ── the site ──


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does: a warning is an error."""
    made = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    command += ["-d", f"{made}/trees", "docs", f"{made}/html"]
    built = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return made / "html"


def broken_links(site: Path) -> list[str]:
    return list(runpy.run_path(str(REPOSITORY / "tools" / "check_links.py"))["broken_links"](site))


def test_every_link_inside_the_site_leads_somewhere(site: Path, tmp_path: Path) -> None:
    assert broken_links(site) == []
    (tmp_path / "page.html").write_text('<a href="#here"></a><a href="page.html#gone"></a><img id="here" src="no.png">')
    assert broken_links(tmp_path) == [
        "page.html: page.html#gone: no such place in that page",
        "page.html: no.png: no such file",
    ]


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    *_, compressed = (site / "objects.inv").read_bytes().split(b"\n", 4)
    lines = zlib.decompress(compressed).decode().splitlines()
    described = {line.split(" ", 1)[0] for line in lines if " py:" in line}
    for module in PUBLIC:
        for name in module.__all__:
            # What one package passes on from another is described there.
            elsewhere = module is sage_nb and getattr(runtime, name, None) is getattr(sage_nb, name)
            place = runtime if elsewhere else module
            assert f"{place.__name__}.{name}" in described


def test_no_notebook_is_missing_from_the_site(site: Path) -> None:
    for notebook in (REPOSITORY / "notebooks").glob("*.ipynb"):
        page = (site / "notebooks" / f"{notebook.stem}.html").read_text("utf-8")
        assert "data:image/svg+xml;base64," in page, "its graphs are shown"
        assert f'href="notebooks/{notebook.stem}.html"' in (site / "learn.html").read_text("utf-8")


def test_what_the_readme_refers_to_is_there() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    named = re.findall(r"\]\((?!https?:)([^)]+)\)", readme) + re.findall(r"`([\w/.-]+/[\w.-]*)`", readme)
    assert len(named) > 5
    assert [path for path in named if not (REPOSITORY / path).exists()] == []
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"\bmake ([a-z-]+)\b", readme)) <= targets


# ── what the pages for those who change something name ──

NAMING: Final = [REPOSITORY / "ARCHITECTURE.md", *sorted((REPOSITORY / "docs" / "inside").glob("*.md"))]
SOURCES: Final = ("runtime", "sage_nb", "tests", "examples", "tools")


class Names:
    """All that the sources define: files, and of each class and each module the names in it, with those of bases."""

    def __init__(self) -> None:
        files = [path.relative_to(REPOSITORY) for top in SOURCES for path in (REPOSITORY / top).rglob("*.*")]
        self._paths = {str(part) for path in files for part in (path, *path.parents)}
        texts = [(REPOSITORY / path).read_text("utf-8") for path in files if path.suffix in {".py", ".js"}]
        self.words = {word for text in texts for word in re.findall(r"\w+", text)}
        self._bases: dict[str, set[str]] = {}
        self._names: dict[str, set[str]] = {}
        for path in files:
            if path.suffix == ".py":
                tree = ast.parse((REPOSITORY / path).read_text("utf-8"))
                self._names.setdefault(path.stem, set()).update(_names_in(tree))
                for node in ast.walk(tree):
                    if isinstance(node, ast.ClassDef):
                        self._names.setdefault(node.name, set()).update(_names_in(node))
                        bases = {ast.unparse(base).partition("[")[0] for base in node.bases}
                        self._bases.setdefault(node.name, set()).update(bases)

    def has_file(self, named: str) -> bool:
        """Whether there is a file or folder of this name, in the repository or in a package."""
        named = named.rstrip("/")
        return (REPOSITORY / named).exists() or any(path.endswith(f"/{named}") for path in self._paths)

    def has(self, owner: str, name: str) -> bool:
        """Whether a class or module has this name, by itself or by a base."""
        found = name in self._names.get(owner, ())
        return found or any(self.has(base, name) for base in self._bases.get(owner, ()))


def _names_in(scope: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def unknown_names(text: str, names: Names) -> list[str]:
    """What stands in backticks in `text`, and is not there in the sources."""
    unknown = []
    for quoted in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)):
        if re.fullmatch(r"[\w./-]+(\.(py|js|md)|/)", quoted):
            there = names.has_file(quoted)
        elif (dotted := re.fullmatch(r"([A-Z]\w+)\.(\w+)(\(.*\))?", quoted)) is not None:
            there = names.has(dotted[1], dotted[2])
        elif re.fullmatch(r"\w+", quoted):
            there = quoted in names.words
        else:
            there = True
        if not there:
            unknown.append(quoted)
    return unknown


def test_what_the_pages_on_the_inside_name_is_there() -> None:
    names = Names()
    found = {page.name: unknown for page in NAMING if (unknown := unknown_names(page.read_text("utf-8"), names))}
    assert found == {}
    assert unknown_names("`task/base_task.py` `BaseTask.turn` `LocalTask.turn` `Lane`", names) == []
    wrong = ["task/no_task.py", "BaseTask.no_turn", "Lane" * 2]
    assert unknown_names(" ".join(f"`{name}`" for name in wrong), names) == wrong


# ── programs in the text ──


PAGES: Final = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs" / "recipes").glob("*.md"))]
PROGRAMS: Final = [
    pytest.param(program, id=f"{page.stem}-{number}", marks=[pytest.mark.on_ray] if "remote" in program else [])
    for page in PAGES
    for number, program in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S), 1)
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_in_the_text_runs_and_prints_what_is_said(program: str) -> None:
    """Behind a `print` stands, as a comment, its first line; "…" in it is anything."""
    said = {
        number: comment
        for number, line in enumerate(program.splitlines(), 1)
        if line.lstrip().startswith("print(") and (comment := line.rpartition("  # ")[2]) != line
    }
    printed: dict[int, str] = {}

    def note(*values: object, sep: str = " ") -> None:
        printed[sys._getframe(1).f_lineno] = sep.join(map(str, values))

    with leak_guard():
        exec(compile(program, "program", "exec"), {"__name__": "program", "print": note})
    for number, comment in said.items():
        pattern = ".*".join(re.escape(part.strip()) for part in comment.split("…"))
        assert re.fullmatch(pattern, printed[number].partition("\n")[0]), (printed[number], comment)


# ── examples in docstrings ──


def modules() -> Iterator[Any]:
    for package in (runtime, sage_nb):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            try:
                yield importlib.import_module(found.name)
            except ModuleNotFoundError as error:  # it is for a tab of a browser alone
                if error.name is None or error.name.partition(".")[0] not in ("pyodide", "js"):
                    raise


def test_examples_in_docstrings_do_what_they_say() -> None:
    with leak_guard():
        results = {module.__name__: doctest.testmod(module) for module in modules()}
    assert {name for name, result in results.items() if result.failed} == set()
    with_examples = {name for name, result in results.items() if result.attempted}
    examples = {"session.session", "session.steering", "builder.stream", "testing.checks"}
    assert with_examples >= {f"runtime.{name}" for name in examples}
