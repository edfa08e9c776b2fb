"""Check what no linter knows: exact `__all__`, documented public names, a light `import runtime`, and that
docs/inside/locks.md says of every lock what it guards.

Sorting and undefined names in `__all__` are ruff's (RUF022, F822).
"""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent
LOCKS = {"Lock", "RLock", "Condition", "allocate_lock"}
PACKAGES = ("runtime", "sage_nb")
IMPORTED_BY_RUNTIME = "import sys; before = set(sys.modules); import runtime; print(*(set(sys.modules) - before))"


def packages(name: str) -> Iterator[ModuleType]:
    """Yield the package `name` and every package below it."""
    package = importlib.import_module(name)
    yield package
    for module in pkgutil.iter_modules(package.__path__, f"{name}."):
        if module.ispkg:
            yield from packages(module.name)


def wrong_names(package: ModuleType) -> Iterator[str]:
    """Say where `__all__` and the public names bound in the package's `__init__` differ."""
    exported = set(getattr(package, "__all__", ()))
    bound = {
        name
        for name, value in vars(package).items()
        # Importing a submodule binds it in its package, whether or not `__init__` asked for that.
        if not name.startswith("_") and not (inspect.ismodule(value) and value.__name__ == f"{package.__name__}.{name}")
    }
    for name in sorted(bound - exported):
        yield f"{package.__name__}: {name!r} is public but not in __all__: add it, or give it a leading underscore"
    for name in sorted(exported):
        if not hasattr(package, name):
            yield f"{package.__name__}: {name!r} is in __all__ but does not exist"


def undocumented(package: ModuleType) -> Iterator[str]:
    """Name every exported class, function and public method without a docstring of its own or inherited."""
    for name in getattr(package, "__all__", ()):
        exported = getattr(package, name, None)
        things = (
            {f"{package.__name__}.{name}": exported} if inspect.isclass(exported) or inspect.isroutine(exported) else {}
        )
        if inspect.isclass(exported):
            for member, value in vars(exported).items():
                if not member.startswith("_") and (inspect.isroutine(value) or isinstance(value, property)):
                    things[f"{package.__name__}.{name}.{member}"] = getattr(exported, member)
        for path, thing in things.items():
            if not inspect.getdoc(thing):
                yield f"{path} is public and has no docstring"


def heavy_imports() -> Iterator[str]:
    """Name everything outside the standard library that a bare `import runtime` brings in."""
    run = subprocess.run([sys.executable, "-c", IMPORTED_BY_RUNTIME], check=True, capture_output=True, text=True)
    imported = {module.partition(".")[0] for module in run.stdout.split()}
    # A private module is CPython's (`_sysconfigdata…`) or comes with a public one that is named here anyway.
    public = {name for name in imported if not name.startswith("_")}
    for name in sorted(public - sys.stdlib_module_names - {"runtime"}):
        yield f"import runtime imports {name}: import it where it is used"


def locks_of(path: Path) -> Iterator[str]:
    """Name the locks of a module and of its classes: `Inbox._hand_room`, `stage._stages_lock`."""
    tree = ast.parse(path.read_text("utf-8"))
    owners = [(path.stem, tree), *((node.name, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    for owner, scope in owners:
        assigned = tree.body if scope is tree else ast.walk(scope)
        for node in assigned:
            if isinstance(node, ast.Assign) and any(map(_makes_lock, ast.walk(node.value))):
                target = node.targets[0]
                name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
                if scope is tree or isinstance(target, ast.Attribute):
                    yield f"{owner}.{name}"


def _makes_lock(node: ast.AST) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return getattr(called, "attr", getattr(called, "id", "")) in LOCKS


def untold_locks() -> Iterator[str]:
    """Say where the table of locks in docs/inside/locks.md and the locks that there are differ."""
    text = (ROOT / "docs" / "inside" / "locks.md").read_text("utf-8")
    table = re.findall(r"^\|.*\|(.*)\|$", text, re.M)
    told = {name for cell in table for name in re.findall(r"`(\w+\.(?!py`)\w+)`", cell)}
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "testing" not in path.parts]
    there = {name for path in modules for name in locks_of(path)}
    for name in sorted(there - told):
        yield f"docs/inside/locks.md does not say what {name} guards: give it a row"
    for name in sorted(told - there):
        yield f"docs/inside/locks.md names a lock {name} that is not there: take it out"


def main() -> int:
    """Print every problem, one a line; 1 if there was any."""
    problems = list(heavy_imports())
    for top in PACKAGES:
        for package in packages(top):
            problems += [*wrong_names(package), *undocumented(package)]
    problems += untold_locks()
    print("\n".join(problems) or "check_house: public names exact and documented, import runtime light, locks told")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
