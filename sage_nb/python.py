"""Python that a person typed, as a value, and values as Python that runs when it is copied into a cell.

Knows no session and no form. What is typed as an expression is evaluated with the notebook's own names: it is the
person's code, as a cell would be.
"""

from __future__ import annotations

import ast
import datetime
import decimal
import enum
import fractions
import importlib
import math
import pathlib
import sys
import types
import uuid
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from runtime import CommandRefused
from runtime.errors import error_text
from runtime.texts.preview import preview
from sage_nb.texts import value_of

# Of these, and not of their subclasses, `repr` is Python that makes an equal value.
_PLAIN: Final = frozenset({types.NoneType, bool, int, str, bytes, types.EllipsisType})
_WITH_MODULE: Final = frozenset({datetime.date, datetime.timedelta, datetime.timezone, zoneinfo.ZoneInfo})
_TIMES: Final = frozenset({datetime.datetime, datetime.time})
_BY_CLASS: Final = frozenset({decimal.Decimal, fractions.Fraction, uuid.UUID, *pathlib.PurePath.__subclasses__()})
_PATHS: Final = frozenset({pathlib.PosixPath, pathlib.WindowsPath})


@dataclass(frozen=True, slots=True)
class Source:
    """An expression, and the modules that it needs."""

    text: str
    modules: frozenset[str] = frozenset()

    @property
    def line(self) -> str:
        """All of it on one line."""
        imports = f"import {', '.join(sorted(self.modules))}; " if self.modules else ""
        return f"{imports}{self.text}"


def joined(parts: Iterable[Source], before: str, after: str) -> Source:
    """Several expressions with commas between them."""
    parts = list(parts)
    modules = frozenset[str]().union(*(part.modules for part in parts))
    return Source(f"{before}{', '.join(part.text for part in parts)}{after}", modules)


def source_of(value: Any) -> Source | None:
    """Python that makes a value equal to `value`; None if there is none that is known to."""
    kind = type(value)
    if kind in _PLAIN:
        return Source(repr(value))
    if kind is float:
        return Source(repr(value) if math.isfinite(value) else f"float({str(value)!r})")
    if kind in (list, tuple, set, frozenset, dict):
        return _container(value)
    if isinstance(value, enum.Enum):
        return _member(value)
    if kind in _WITH_MODULE:
        return Source(repr(value), frozenset({kind.__module__}))
    if kind in _TIMES:
        zone = source_of(value.tzinfo)
        return None if zone is None else Source(repr(value), zone.modules | {"datetime"})
    if kind in _BY_CLASS or kind in _PATHS:
        # Of `PosixPath` and the like `pathlib` says `Path`, on every system.
        module = "pathlib" if issubclass(kind, pathlib.PurePath) else kind.__module__
        return Source(f"{module}.{value!r}", frozenset({module}))
    return None


def source_of_name(what: Any) -> Source | None:
    """Python that names a class or a function; None if it cannot be reached by its name."""
    module, path = getattr(what, "__module__", None), getattr(what, "__qualname__", "<none>")
    if module == "builtins":
        return Source(path)
    found: Any = sys.modules.get(module or "")
    for name in path.split("."):
        found = getattr(found, name, None)
    if found is None or found is not what:
        return None
    return Source(path) if module == "__main__" else Source(f"{module}.{path}", frozenset({str(module)}))


def evaluated(text: str) -> Any:
    """The value of an expression, with the names of the notebook. Raises what it raises."""
    code = compile(text.strip(), "<typed>", "eval")
    return eval(code, names_of_notebook())


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody has typed as a value, and the Python that makes it, if it is more than a literal."""

    value: Any
    source: Source | None = None


def typed(text: str, *, as_python: bool = False) -> Typed:
    """What somebody means who types `text`: with `as_python` any expression, with the names of the notebook.

    Else a literal, or the text itself. Raises `CommandRefused` for an expression that does not work, and for one with
    a call in it that is not to be evaluated: it is hardly meant as a text.
    """
    if as_python:
        try:
            return Typed(evaluated(text), unparsed(text))
        except Exception as error:  # noqa: BLE001  the border to what somebody has typed
            why = str(error.msg) if isinstance(error, SyntaxError) else error_text(error)
            raise CommandRefused(f"{preview(text)} does not work as Python: {why}") from None
    value = value_of(text)
    if value is text and _has_call(text):
        how = "have it evaluated (the box beside it), or put it in quotation marks to send the text"
        raise CommandRefused(f"{preview(text)} is a call, and only literals are read here: {how}")
    return Typed(value)


def _has_call(text: str) -> bool:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return any(isinstance(node, ast.Call) for node in ast.walk(tree))


def names_of_notebook() -> dict[str, Any]:
    """The names that a cell would see."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    names: dict[str, Any] = shell.user_ns if shell is not None else vars(importlib.import_module("__main__"))
    return names


def unparsed(text: str) -> Source:
    """An expression that was typed, in one line."""
    return Source(ast.unparse(ast.parse(text.strip(), mode="eval")))


def _container(value: Any) -> Source | None:
    kind = type(value)
    if kind is dict:
        pairs = [(source_of(key), source_of(each)) for key, each in value.items()]
        entries = [joined((key,), "", f": {each.text}") for key, each in pairs if key and each]
        modules = frozenset[str]().union(*(each.modules for _, each in pairs if each))
        whole = joined(entries, "{", "}")
        return Source(whole.text, whole.modules | modules) if len(entries) == len(pairs) else None
    parts = [source_of(each) for each in value]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if kind is list:
        return joined(known, "[", "]")
    if kind is tuple:
        return joined(known, "(", ",)" if len(known) == 1 else ")")
    if kind is frozenset:
        return joined(known, "frozenset([", "])")
    return joined(known, "{", "}") if known else Source("set()")


def _member(value: enum.Enum) -> Source | None:
    kind = source_of_name(type(value))
    if kind is None or type(value).__members__.get(value.name) is not value:
        return None
    name = f".{value.name}" if value.name.isidentifier() else f"[{value.name!r}]"
    return Source(f"{kind.text}{name}", kind.modules)
