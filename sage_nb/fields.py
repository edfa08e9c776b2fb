"""A parameter as a field of a form: how it is asked for, and what somebody means who fills it in.

An untouched field is not passed on, so the method's own default holds. What does not fit the annotation is refused.
"""

from __future__ import annotations

import ast
import dataclasses
import datetime
import decimal
import enum
import fractions
import inspect
import pathlib
import typing
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, get_args, get_origin

from runtime.errors import error_text
from runtime.texts.preview import preview
from sage_nb.annotations import called, choices_of, fits, plain
from sage_nb.python import Source, evaluated, joined, source_of, source_of_name, unparsed
from sage_nb.texts import shown
from sage_nb.wire import Field

Kind = Literal["checkbox", "select", "number", "text", "literal", "fields"]

_EMPTY: Final = inspect.Parameter.empty
_SEVERAL: Final[dict[Any, str]] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
_HINTS: Final = {"*": "several, with commas between them", "**": "name=value, with commas between them"}
_DEEPEST: Final = 3  # dataclasses within each other: what is below is typed as Python
_NUMBERS: Final = (int, float, decimal.Decimal, fractions.Fraction)

_WRITTEN: Final[dict[Any, Callable[[str], Any]]] = {
    int: int,
    float: float,
    decimal.Decimal: decimal.Decimal,
    fractions.Fraction: fractions.Fraction,
    datetime.date: datetime.date.fromisoformat,
    datetime.datetime: datetime.datetime.fromisoformat,
    datetime.time: datetime.time.fromisoformat,
    pathlib.Path: pathlib.Path,
    uuid.UUID: uuid.UUID,
}
"""What can be typed as people write it, not only as Python."""


class FieldError(Exception):
    """What was filled into one field does not do; the message says why, `within` of which of its own fields."""

    def __init__(self, message: str, within: Mapping[str, str] | None = None) -> None:
        self.within = dict(within or {})
        super().__init__(message)

    def within_of(self, field: str) -> dict[str, str]:
        """Why, by the names of what does not do, if that is a field of `field`, or `field` itself."""
        return {f"{field}.{name}": why for name, why in self.within.items()} or {field: str(self)}


@dataclass(frozen=True, slots=True)
class Given:
    """A value that is to be passed on, and the Python that makes it, if that is known."""

    value: Any
    source: Source | None


@dataclass(frozen=True)
class FormField:
    """One parameter. `annotation` is what it was annotated with, resolved as far as possible, or `Parameter.empty`."""

    parameter: inspect.Parameter
    annotation: Any
    depth: int = 0

    @property
    def stars(self) -> str:
        """`*` or `**`, of a parameter that takes what is left."""
        return _SEVERAL.get(self.parameter.kind, "")

    @property
    def name(self) -> str:
        """What the field is called."""
        return f"{self.stars}{self.parameter.name}"

    @property
    def optional(self) -> bool:
        """Whether it can be left alone."""
        return bool(self.stars) or self.parameter.default is not _EMPTY

    @cached_property
    def wanted(self) -> Any:
        """What values are to be: what is annotated, or else of the type of the default; `object` is anything."""
        if self.annotation is not _EMPTY:
            return self.annotation
        kind = type(self.parameter.default)
        return kind if kind in (bool, int, float, str) else object

    @cached_property
    def choices(self) -> tuple[Any, ...]:
        """The values to choose from, if it is asked for by a list."""
        kinds = choices_of(self.wanted)
        found: list[Any] = []
        for kind in kinds:
            if kind is None:
                found.append(None)
            elif kind is bool:
                found += [True, False]
            elif get_origin(kind) is Literal:
                found += get_args(kind)
            elif isinstance(kind, type) and issubclass(kind, enum.Enum):
                found += list(kind)
            else:
                return ()
        return tuple(found) if found != [None] else ()

    @cached_property
    def parts(self) -> tuple[FormField, ...]:
        """The fields of a dataclass, where one is asked for and its fields are asked for one by one."""
        kind = plain(self.wanted)
        if self.stars or self.depth >= _DEEPEST or not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
            return ()
        try:
            parameters = inspect.signature(kind).parameters.values()
            hints = typing.get_type_hints(kind.__init__, include_extras=True)
        except Exception:  # noqa: BLE001  the border to user code: annotations are expressions
            return ()
        fields = [FormField(each, hints.get(each.name, _EMPTY), self.depth + 1) for each in parameters]
        return () if any(field.stars for field in fields) else tuple(fields)

    @cached_property
    def kind(self) -> Kind:
        """How it is asked for."""
        if self.stars:
            return "literal"
        if self.parts:
            return "fields"
        if plain(self.wanted) is bool and (not self.optional or type(self.parameter.default) is bool):
            return "checkbox"
        if self.choices:
            return "select"
        kinds = [each for each in choices_of(self.wanted) if each is not None]
        if kinds == [str]:
            return "text"
        return "number" if len(kinds) == 1 and kinds[0] in _NUMBERS else "literal"

    @property
    def field(self) -> Field:
        """How a page is told of it."""
        words = [_HINTS[self.stars]] if self.stars else []
        if self.annotation is not _EMPTY:
            words.append(called(self.annotation))
        field = Field(
            name=self.name,
            kind=self.kind,
            default="" if self.stars or not self.optional else shown(_named(self.parameter.default)),
            options=[shown(text) for text in _told_apart(list(map(_named, self.choices)))],
            required=not self.optional,
            none=self.kind == "text" and None in choices_of(self.wanted),
            hint=shown(": ".join(words), 100),
        )
        if self.parts:
            field["fields"] = [part.field for part in self.parts]
        return field

    def read(self, filled: Any) -> Given | None:
        """What was filled in, as a page sends it (`wire.Field`); None if it was left alone. Raises `FieldError`."""
        if filled is None:
            if not fits(None, self.wanted):
                raise FieldError(f"it cannot be None, but {called(self.wanted)}")
            return Given(None, Source("None"))
        if isinstance(filled, Mapping):  # of what has fields of its own; it may be typed as Python, too
            return self._made(filled)
        if self.kind == "checkbox":
            value = filled is True or filled == "true"
            return Given(value, Source(repr(value)))
        text = str(filled)
        if self.kind == "text":
            return Given(text, Source(repr(text)))
        if not text.strip():
            if self.optional:
                return None
            raise FieldError("fill it in")
        if self.kind == "select":
            if not text.isdecimal() or int(text) >= len(self.choices):
                raise FieldError(f"it has no choice {preview(text)}")
            return Given(self.choices[int(text)], source_of(self.choices[int(text)]))
        given = _understood(text, choices_of(self.wanted))
        if not fits(given.value, self.wanted):
            raise FieldError(f"it is {_as_seen(given.value, text)}, which is no {called(self.wanted)}")
        return given

    def _made(self, filled: Mapping[str, Any]) -> Given:
        """The dataclass of what was filled into its fields."""
        kind: Any = plain(self.wanted)
        given: dict[str, Given] = {}
        refused: dict[str, str] = {}
        for part in self.parts:
            try:
                if part.name in filled and (one := part.read(filled[part.name])) is not None:
                    given[part.name] = one
                elif not part.optional:
                    raise FieldError("fill it in")
            except FieldError as error:
                refused |= error.within_of(part.name)
        if refused:
            raise FieldError("; ".join(f"{name}: {why}" for name, why in refused.items()), refused)
        try:
            value = kind(**{name: one.value for name, one in given.items()})
        except Exception as error:  # noqa: BLE001  the border to user code
            raise FieldError(f"{kind.__name__} refuses it: {error_text(error)}") from None
        whose, sources = source_of_name(kind), [(name, one.source) for name, one in given.items()]
        known = [joined([source], f"{name}=", "") for name, source in sources if source is not None]
        if whose is None or len(known) < len(sources):
            return Given(value, None)
        call = joined(known, f"{whose.text}(", ")")
        return Given(value, Source(call.text, call.modules | whose.modules))

    def read_several(self, filled: Any) -> list[Given]:
        """Of a `*` field: the values, in order. Raises `FieldError`."""
        text = str(filled or "").strip()
        if not text:
            return []
        tree = _parsed(text)
        parts = tree.elts if isinstance(tree, ast.Tuple | ast.List) else [tree]
        return [self._one(part, "") for part in parts]

    def read_named(self, filled: Any) -> dict[str, Given]:
        """Of a `**` field: the values by their names. Raises `FieldError`."""
        text = str(filled or "").strip()
        if not text:
            return {}
        tree = _parsed(text if text.startswith("{") else f"dict({text})")
        if isinstance(tree, ast.Call) and not tree.args and all(each.arg for each in tree.keywords):
            pairs = [(str(each.arg), each.value) for each in tree.keywords]
        elif isinstance(tree, ast.Dict) and all(_is_name(key) for key in tree.keys):
            pairs = [(key.value, value) for key, value in zip(tree.keys, tree.values, strict=True)]  # type: ignore[union-attr]
        else:
            raise FieldError(f"{preview(text)} does not say names and values: write z=1, or {{'z': 1}}")
        return {name: self._one(part, name) for name, part in pairs}

    def _one(self, part: ast.expr, name: str) -> Given:
        if isinstance(part, ast.Starred):
            raise FieldError("write each value by itself, without a star")
        given = _of_expression(ast.unparse(part))
        if not fits(given.value, self.wanted):
            whose = f"{name} " if name else "one of them "
            raise FieldError(f"{whose}is {preview(given.value)}, which is no {called(self.wanted)}")
        return given


def _understood(text: str, kinds: tuple[Any, ...]) -> Given:
    """What was typed: as people write one of `kinds`, or as Python; text that is neither, where anything will do."""
    if None in kinds and text.strip() == "None":
        return Given(None, Source("None"))
    for kind in kinds:
        write = _WRITTEN.get(kind)
        if write is not None:
            try:
                value = write(text.strip())
            except (ValueError, ArithmeticError):
                continue
            return Given(value, source_of(value))
    asked = [kind for kind in kinds if kind is not None]
    if len(asked) == 1 and asked[0] in _NUMBERS:
        raise FieldError(f"it is {preview(text)}, which is no {called(asked[0])}")
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        if object in kinds or str in kinds:
            return Given(text, Source(repr(text)))
        return _of_expression(text)
    return Given(value, source_of(value))


def _of_expression(text: str) -> Given:
    try:
        return Given(evaluated(text), unparsed(text))
    except Exception as error:  # noqa: BLE001  the border to what somebody has typed
        raise FieldError(f"{preview(text)} does not work as Python: {_why(error)}") from None


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise FieldError(f"{preview(text)} does not work as Python: {_why(error)}") from None


def _why(error: Exception) -> str:
    return str(error.msg) if isinstance(error, SyntaxError) else error_text(error)


def _is_name(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str)


def _as_seen(value: Any, text: str) -> str:
    return preview(text) if value is text else preview(value)


def _named(value: Any) -> str:
    """A value as the text of a choice or a default."""
    if isinstance(value, enum.Enum):
        return f"{type(value).__qualname__}.{value.name}"
    source = source_of(value) if isinstance(value, decimal.Decimal | fractions.Fraction | pathlib.PurePath) else None
    return preview(value) if source is None else source.text.partition(".")[2]


def _told_apart(texts: list[str]) -> list[str]:
    """The same texts, each with its number if it is not the only one of its kind."""
    return [text if texts.count(text) == 1 else f"{text} (choice {at})" for at, text in enumerate(texts, 1)]
