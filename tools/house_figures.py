"""The house in figures, and the limit of each: `make check`. None gets worse; who makes one better lowers its limit.

A number by itself proves nothing: two classes are not worse than one that does two things. But a callback that is given
to an `__init__`, an attribute that is set from elsewhere, a cycle of folders is a wire that no signature shows.
`--where` lists the places of the figures that have some.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "runtime"

# Today's values. Raise none; where a change needs one to be raised, say why in its commit.
LIMITS: Final = {
    "callbacks for each __init__": 0.06,
    "attributes of a class, of ten the largest but one": 9,
    "attributes of a class, the most": 16,
    "attributes written from outside their class": 4,
    "classes for each 1,000 lines of code": 18.9,
    "folders in a cycle": 0,
    "modules at the root": 8,
    "lines of code": 26_100,
    "bytes of ARCHITECTURE.md": 16_999,
}
WITH_PLACES: Final = (
    "callbacks for each __init__",
    "attributes written from outside their class",
    "folders in a cycle",
)


class Module(NamedTuple):
    """A module of the package: its name, its source and what Python makes of that."""

    name: str
    lines: list[str]
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The folder below the package in which it lies; "" at the root."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 2 else ""


@dataclass
class Figures:
    """What was counted, and where."""

    values: dict[str, float] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)


def modules(root: Path) -> list[Module]:
    """All modules of the package; that of a folder has its `__init__` at the end of the name."""
    found = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        text = path.read_text("utf-8")
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        found.append(Module(name, text.splitlines(), ast.parse(text)))
    return found


def classes(module: Module) -> Iterator[ast.ClassDef]:
    """All its classes, those in classes and functions as well."""
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))


def init_of(node: ast.ClassDef) -> ast.FunctionDef | None:
    """The `__init__` that is written in a class."""
    return next((each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None)


# ── callbacks ──


def callable_types(found: list[Module]) -> set[str]:
    """`Callable`, and what is another name for one in any module: `Tap = Callable[[StepRecord], None]`."""
    names = {"Callable"}
    for module in found:
        for node in module.tree.body:
            if isinstance(node, ast.Assign) and _names(node.value) & {"Callable"}:
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def callbacks(found: list[Module]) -> Iterator[tuple[str, int]]:
    """For each `__init__`: where it stands, and how many of its parameters are to be called."""
    types = callable_types(found)
    for module in found:
        for node in classes(module):
            if (init := init_of(node)) is not None:
                arguments = [*init.args.posonlyargs, *init.args.args, *init.args.kwonlyargs]
                given = [each for each in arguments if each.annotation is not None and _names(each.annotation) & types]
                yield f"{module.name}.{node.name}({', '.join(each.arg for each in given)})", len(given)


def _names(annotation: ast.AST) -> set[str]:
    """All names in an expression, of a string in it as well."""
    names: set[str] = set()
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name | ast.Attribute):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.update(re.findall(r"\w+", node.value))
    return names


# ── attributes ──


def targets(node: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a statement writes: `a.b` of `a.b, c = …`, `a.b += …`, `a.b: int = …`, `del a.b`."""
    written: list[ast.expr] = []
    if isinstance(node, ast.Assign | ast.Delete):
        written = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
        written = [node.target]
    for target in written:
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        yield from (part for part in parts if isinstance(part, ast.Attribute))


def own(node: ast.ClassDef) -> set[str]:
    """The attributes that a class itself declares, or sets on `self` in any of its methods."""
    names = {
        each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    for each in ast.walk(node):
        names |= {target.attr for target in targets(each) if _is_self(target.value)}
    return names


def set_at_birth(node: ast.ClassDef) -> set[str]:
    """The attributes that its `__init__` sets."""
    init = init_of(node)
    return (
        {target.attr for each in ast.walk(init) for target in targets(each) if _is_self(target.value)}
        if init
        else set()
    )


def outside_writes(module: Module, node: ast.AST | None = None, around: ast.ClassDef | None = None) -> Iterator[str]:
    """Where an attribute is set that is neither on `self` nor one that the class around declares as its own."""
    node = module.tree if node is None else node
    for each in ast.iter_child_nodes(node):
        inside = each if isinstance(each, ast.ClassDef) else around
        for target in targets(each):
            declared = _is_self(target.value) or (around is not None and target.attr in own(around))
            if not declared and not target.attr.startswith("__"):  # Python's own, as an error's `__cause__`
                yield f"{module.name}:{target.lineno} {ast.unparse(target)}"
        yield from outside_writes(module, each, inside)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


# ── folders ──


def imported(node: ast.AST) -> Iterator[str]:
    """What is imported when the program runs, in functions as well."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.If) and "TYPE_CHECKING" in ast.unparse(each.test):
            for other in each.orelse:
                yield from imported(other)
        elif isinstance(each, ast.ImportFrom):
            yield from (f"{each.module}.{alias.name}" for alias in each.names)
        elif isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        else:
            yield from imported(each)


def folders_in_a_cycle(found: list[Module]) -> list[str]:
    """The folders from which imports lead back, through whichever others."""
    folders = {module.folder for module in found} - {""}
    leads: dict[str, set[str]] = {folder: set() for folder in folders}
    for module in found:
        for name in imported(module.tree) if module.folder else ():
            parts = name.split(".")
            if parts[0] == PACKAGE and len(parts) > 1 and parts[1] in folders - {module.folder}:
                leads[module.folder].add(parts[1])

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            new = leads[ahead.pop()] - seen
            seen |= new
            ahead += new
        return seen

    return sorted(folder for folder in folders if folder in reached(folder))


# ── lines ──


def lines_of_code(module: Module) -> int:
    """Its lines without empty ones, comments and docstrings."""
    texts: set[int] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            texts.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    stripped = [line.strip() for line in module.lines]
    return sum(1 for number, line in enumerate(stripped, 1) if line and line[0] != "#" and number not in texts)


def count(root: Path) -> Figures:
    """All figures of the tree at `root`."""
    found = modules(root)
    called = list(callbacks(found))
    sizes = sorted(len(set_at_birth(node)) for module in found for node in classes(module) if init_of(node))
    written = [place for module in found for place in outside_writes(module)]
    cycle = folders_in_a_cycle(found)
    lines = sum(map(lines_of_code, found))
    values = (
        round(sum(number for _, number in called) / len(called), 2),
        sizes[len(sizes) * 9 // 10],
        sizes[-1],
        len(written),
        round(sum(1 for module in found for _ in classes(module)) / lines * 1000, 1),
        len(cycle),
        len(list((root / PACKAGE).glob("*.py"))),
        lines,
        len((root / "ARCHITECTURE.md").read_bytes()),
    )
    places = ([f"{where} {number}" for where, number in called if number], written, cycle)
    return Figures(dict(zip(LIMITS, values, strict=True)), dict(zip(WITH_PLACES, places, strict=True)))


def main(words: list[str]) -> int:
    """Print the figures beside their limits; 1 if one is beyond its own."""
    figures = count(ROOT)
    if "--where" in words:
        for what, places in figures.places.items():
            print(f"{what}:", *places, sep="\n  ")
    beyond = [what for what, limit in LIMITS.items() if figures.values[what] > limit]
    for what, limit in LIMITS.items():
        value = figures.values[what]
        remark = "  BEYOND ITS LIMIT" if what in beyond else f"  lower the limit to {value:,}" if value < limit else ""
        print(f"{what:50} {value:>8,}  of at most {limit:>8,}{remark}")
    if beyond:
        print("house_figures: see the places with `python tools/house_figures.py --where`")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
