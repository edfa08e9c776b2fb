"""Python that says again what a program has given a session: functions by their source, values as literals."""

from __future__ import annotations

import ast
import importlib
import inspect
import operator
import types
from collections.abc import Iterator
from itertools import count
from typing import Any, TypeVar

from runtime.errors import CommandRefused
from runtime.texts.literal import literal_of
from runtime.texts.preview import preview

_Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_AnyNode = TypeVar("_AnyNode", bound=ast.AST)


class Sources:
    """What a test has to have at its head: imports, functions, values. Each is written once."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[object, str]] = {}  # by name

    @property
    def names(self) -> list[str]:
        """How all that is called."""
        return [name.partition(".")[0] for name in self._written]

    @property
    def lines(self) -> list[str]:
        """All of it, as Python."""
        texts = [text for _, text in self._written.values() if text]
        imports = sorted(text for text in texts if text.startswith(("import ", "from ")))
        return [*imports, *(text for text in texts if text not in imports)]

    def expression(self, value: Any) -> str:
        """Python that makes an equal value, or is the function. Raises `CommandRefused` if none is known."""
        if (text := literal_of(value)) is not None:
            return text
        if type(value) is range:
            return repr(value)
        if (text := self._imported(value)) is not None:
            return text
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if type(value) in (operator.itemgetter, operator.attrgetter, operator.methodcaller):
            self._write("operator", operator, "import operator")
            return repr(value)
        raise CommandRefused(
            f"{preview(value)} has no source that a test could be written with; put it into a module and import it, "
            "or give a function or plain values"
        )

    def _imported(self, value: Any) -> str | None:
        """How a function or class is called that a module has under its own name."""
        owner = getattr(value, "__objclass__", None) if inspect.ismethoddescriptor(value) else None
        module = getattr(value, "__module__", None) if owner is None else owner.__module__
        name = getattr(value, "__qualname__", "")
        if type(module) is not str or module == "__main__" or not name or "<" in name:
            return None
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not value:
            return None
        if module == "builtins":
            return str(name)
        self._write(module, module, f"import {module}")
        return f"{module}.{name}"

    def _function(self, function: types.FunctionType) -> str:
        node = _node_of(function)
        for name, value in _names_of(function, node):
            self._name(name, value)
        if isinstance(node, ast.Lambda):
            return ast.unparse(node)
        name = self._free_name(function)
        self._write(name, function, ast.unparse(ast.fix_missing_locations(_changed(node, name=name))))
        return name

    def _free_name(self, function: types.FunctionType) -> str:
        """Its own, or with a number where another one has that, as in a cell that was changed and run again."""
        name, code = function.__name__, function.__code__
        free = name
        for number in count(2):
            if free not in self._written or self._written[free][0] is function or name in code.co_names:
                break
            free = f"{name}_{number}"
        return free

    def _name(self, name: str, value: Any) -> None:
        """What a function calls by this name."""
        if name in self._written and self._written[name][0] is value:
            return
        if isinstance(value, types.ModuleType):
            text = f"import {value.__name__}" if value.__name__ == name else f"import {value.__name__} as {name}"
            self._write(name, value, text)
            return
        self._write(name, value, "")  # it may call itself
        text = self.expression(value)
        if text != name:
            del self._written[name]
            self._write(name, value, f"{name} = {text}")

    def _write(self, name: str, value: object, text: str) -> None:
        before = self._written.get(name)
        if before is not None and before[0] is not value and before[0] != value:
            raise CommandRefused(f"two things are called {name!r} in what the functions use; give one another name")
        if before is not None and not text:
            return
        self._written.pop(name, None)  # after what it needs
        self._written[name] = value, text


def _names_of(function: types.FunctionType, node: ast.AST) -> Iterator[tuple[str, Any]]:
    """What a function finds outside of itself, by name."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    yield from ((name, cell.cell_contents) for name, cell in cells)
    defaults = [each for part in ast.walk(node) if isinstance(part, ast.arguments) for each in _defaults(part)]
    for name in [each.id for part in defaults for each in ast.walk(part) if isinstance(each, ast.Name)]:
        if name in function.__globals__:
            yield name, function.__globals__[name]
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        for name in code.co_names:
            if name in function.__globals__:
                yield name, function.__globals__[name]


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None)]


def _node_of(function: types.FunctionType) -> _Node:
    """Where a function is written. Raises `CommandRefused` if that is not to be found."""
    code = function.__code__
    try:
        lines, _ = inspect.findsource(function)
        tree = ast.parse("".join(lines))
    except (OSError, SyntaxError, TypeError) as error:
        raise CommandRefused(f"the source of {preview(function)} is not to be found, so no test can have it") from error
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and _is_of(node, code)
    ]
    if not found:
        raise CommandRefused(f"the source of {preview(function)} has changed since, so no test can have it")
    node = found[0]
    if not isinstance(node, ast.Lambda):  # it is the function that its decorators have made, or that is in it
        node = _changed(node, decorator_list=[])
    bare: _Node = ast.fix_missing_locations(_Bare().visit(node))
    return bare


class _Bare(ast.NodeTransformer):
    """Leaves annotations out: they are looked at when a function is made, and say nothing to a test."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return _changed(node, annotation=None)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self.generic_visit(_changed(node, returns=None))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.generic_visit(_changed(node, returns=None))


def _changed(node: _AnyNode, **fields: Any) -> _AnyNode:
    """The same node with other fields."""
    return type(node)(**{**{name: getattr(node, name) for name in node._fields}, **fields})


def _is_of(node: _Node, code: types.CodeType) -> bool:
    if isinstance(node, ast.Lambda):
        if code.co_name != "<lambda>" or node.lineno != code.co_firstlineno:
            return False
        body = node.body
        columns = [(line, column) for line, _, column, _ in code.co_positions() if line and column is not None]
        inside = [(line, column) for line, column in columns if (line, column) >= (body.lineno, body.col_offset)]
        ends = (body.end_lineno or body.lineno, body.end_col_offset or 0)
        return (
            bool(inside)
            and all(place < ends for place in inside)
            and min(inside) == min(place for place in columns if place > (node.lineno, 0))
        )
    first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
    return node.name == code.co_name and first == code.co_firstlineno
