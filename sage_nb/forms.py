"""A form for a service: which methods it has and what they ask for, from their signatures; and a call from what was
filled in. Never makes a service; knows no widget.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from runtime import CommandRefused, Session, UnknownName
from runtime.graph import ServiceNode
from runtime.python.asynchronous import is_async, is_async_generator
from sage_nb.fields import FieldError, FormField, Given
from sage_nb.python import Source, joined, source_of, source_of_name
from sage_nb.texts import shown
from sage_nb.wire import Form, Method

_LIFE: Final = frozenset({"setup", "close"})  # called by the runtime, not by callers
_OWN: Final = frozenset({"method", "timeout"})  # what `Session.call` takes by these names, it does not pass on
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class CallRefused(CommandRefused):
    """A call that was not made: what was filled into some fields does not do. `fields` says why, by their names."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__("; ".join(f"{name!r}: {reason}" for name, reason in fields.items()))


@dataclass(frozen=True, slots=True)
class Call:
    """A call as `Session.call` takes it, and the line of Python that does the same; empty if there is none."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    python: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """A method: its name, how to reach it in Python, and its fields in the order of its signature."""

    name: str
    source: Source | None
    doc: str
    fields: tuple[FormField, ...]


def form_of(session: Session, service: str) -> Form:
    """The methods of a service and their fields. Raises `UnknownName`."""
    node = _node(session, service)
    kind, asked = _class_of(node), _asked_of(node)
    methods = [Method(name=each.name, doc=each.doc, fields=[one.field for one in each.fields]) for each in asked]
    if kind is None:
        note = "what makes this service says no class, so its methods are not known: name one and give its arguments"
    else:
        note = "" if methods else f"{kind.__name__} has no public method"
    return Form(service=service, methods=methods, note=note)


def call_of(session: Session, service: str, method: str, values: Mapping[str, Any]) -> Call:
    """The call for what was filled in; `values` has an entry for each field that was touched.

    Raises `CallRefused` for what does not fit, `UnknownName`.
    """
    asked = {each.name: each for each in _asked_of(_node(session, service))}
    if method not in asked:
        raise UnknownName("method", method, asked)
    found = asked[method]
    given, rest, more = _read(found, values)
    name = found.name
    if not name:  # the class is not known: the method is one of the fields
        name = given.pop("method").value if "method" in given else "process"
        found = replace(found, fields=found.fields[1:])
    args, kwargs = _placed(found, given, bool(rest))
    args += rest
    kwargs |= more
    return Call(
        method=name,
        args=tuple(each.value for each in args),
        kwargs={key: each.value for key, each in kwargs.items()},
        python=_python_of(service, name, args, kwargs),
    )


def _read(asked: _Asked, values: Mapping[str, Any]) -> tuple[dict[str, Given], list[Given], dict[str, Given]]:
    """What was filled in: by parameter, and what goes to `*` and to `**`. Raises `CallRefused`."""
    given: dict[str, Given] = {}
    rest: list[Given] = []
    more: dict[str, Given] = {}
    refused: dict[str, str] = {}
    for field in asked.fields:
        try:
            if field.stars == "*":
                rest = field.read_several(values.get(field.name))
            elif field.stars == "**":
                more = field.read_named(values.get(field.name))
                _check_names(more, asked)
            elif field.name in values:
                if (one := field.read(values[field.name])) is not None:
                    given[field.name] = one
            elif not field.optional:
                raise FieldError("fill it in")
            if field.name in given and field.parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                _check_own([field.name])
        except FieldError as error:
            refused |= error.within_of(field.name)
    if refused:
        raise CallRefused(refused)
    return given, rest, more


def _check_own(names: Iterable[str]) -> None:
    taken = _OWN.intersection(names)
    if taken:
        raise FieldError(f"session.call takes {min(taken)}= for itself: it cannot be passed on by that name")


def _check_names(more: Mapping[str, Given], asked: _Asked) -> None:
    _check_own(more)
    by_name = {
        field.name
        for field in asked.fields
        if not field.stars and field.parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
    }
    if twice := by_name.intersection(more):
        raise FieldError(f"{min(twice)!r} has a field of its own")


def _placed(asked: _Asked, given: Mapping[str, Given], with_rest: bool) -> tuple[list[Given], dict[str, Given]]:
    """Each parameter by place or by name. One that was left alone is passed only to keep the places of others."""
    positional = [field for field in asked.fields if field.parameter.kind in _POSITIONAL]
    by_place = 0  # so many have to be passed by their places
    for at, field in enumerate(positional, 1):
        only = field.parameter.kind is inspect.Parameter.POSITIONAL_ONLY or field.name in _OWN
        if with_rest or (only and field.name in given):
            by_place = at
    args: list[Given] = []
    kwargs: dict[str, Given] = {}
    for at, field in enumerate(positional):
        if field.name in given and len(args) == at:
            args.append(given[field.name])
        elif at < by_place:
            args.append(given[field.name] if field.name in given else _default_of(asked, field))
        elif field.name in given:
            kwargs[field.name] = given[field.name]
    named = (field.name for field in asked.fields if field.parameter.kind is inspect.Parameter.KEYWORD_ONLY)
    kwargs |= {name: given[name] for name in named if name in given}
    return args, kwargs


def _default_of(asked: _Asked, field: FormField) -> Given:
    """The default itself. In Python it is asked for at the signature, if it cannot be written."""
    default = field.parameter.default
    source = source_of(default)
    if source is None and asked.source is not None:
        text = f"inspect.signature({asked.source.text}).parameters[{field.name!r}].default"
        source = Source(text, asked.source.modules | {"inspect"})
    return Given(default, source)


def _python_of(service: str, method: str, args: Iterable[Given], kwargs: Mapping[str, Given]) -> str:
    parts: list[Source | None] = [Source(repr(service)), *(each.source for each in args)]
    parts += [_named(name, each.source) for name, each in kwargs.items()]
    parts += [Source(f"method={method!r}")] if method != "process" else []
    known = [part for part in parts if part is not None]
    return joined(known, "session.call(", ")").line if len(known) == len(parts) else ""


def _named(name: str, source: Source | None) -> Source | None:
    if source is None:
        return None
    return joined([source], f"{name}=", "") if name.isidentifier() else joined([source], f"**{{{name!r}: ", "}")


def _node(session: Session, service: str) -> ServiceNode:
    nodes = {node.name: node for node in session.graph.service_nodes}
    if service not in nodes:
        raise UnknownName("service", service, nodes)
    return nodes[service]


def _class_of(node: ServiceNode) -> type | None:
    """The class of a service's object, as far as it is written down."""
    made: Any = node.make
    if not isinstance(made, type):
        try:
            made = typing.get_type_hints(made).get("return")
        except Exception:  # noqa: BLE001  the border to user code: annotations are expressions
            made = None
    return made if isinstance(made, type) else None


def _asked_of(node: ServiceNode) -> list[_Asked]:
    """The public methods, `process` first, then as they are written. Without a class, one that is to be named."""
    if (kind := _class_of(node)) is None:
        return [_Asked("", None, "", tuple(FormField(each, each.annotation) for each in _ANY_METHOD))]
    names = dict.fromkeys(name for each in reversed(kind.__mro__[:-1]) for name in vars(each))
    is_refused = is_async if node.concurrency > 1 else is_async_generator
    asked = [one for name in names if not is_refused(getattr(kind, name, None)) and (one := _asked(kind, name))]
    return sorted(asked, key=lambda each: each.name != "process")


def _asked(kind: type, name: str) -> _Asked | None:
    """A method that a caller may call, or None."""
    written = inspect.getattr_static(kind, name)
    if name.startswith("_") or name in _LIFE or isinstance(written, type | property):
        return None
    method = getattr(kind, name, None)
    if not callable(method):
        return None
    try:
        parameters = list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):  # it does not say
        parameters = list(_ANY_ARGUMENTS)
    bound = isinstance(written, staticmethod | classmethod)
    if not bound and parameters and parameters[0].kind in _POSITIONAL:
        parameters = parameters[1:]
    hints = _hints_of(method)
    fields = tuple(FormField(each, hints.get(each.name, inspect.Parameter.empty)) for each in parameters)
    return _Asked(name, _source_of_method(kind, name), _first_line(method), fields)


def _source_of_method(kind: type, name: str) -> Source | None:
    source = source_of_name(kind)
    return None if source is None else Source(f"{source.text}.{name}", source.modules)


def _hints_of(method: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(method, include_extras=True)
    except Exception:  # noqa: BLE001  the border to user code: annotations are expressions
        written = getattr(method, "__annotations__", {})
        return {name: wanted for name, wanted in written.items() if not isinstance(wanted, str)}


def _any_method(method: str = "process", *args: object, **kwargs: object) -> None:
    """What is asked of a service whose methods are not known."""


def _parameters_of(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    hints = typing.get_type_hints(function)
    for each in inspect.signature(function).parameters.values():
        yield each.replace(annotation=hints[each.name])


_ANY_METHOD: Final = tuple(_parameters_of(_any_method))
_ANY_ARGUMENTS: Final = _ANY_METHOD[1:]


def _first_line(method: Callable[..., Any]) -> str:
    return shown((inspect.getdoc(method) or "").partition("\n")[0], 200)
