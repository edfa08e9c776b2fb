"""A form for a service: which methods it has and what they ask for, from their signatures; and arguments from what was
filled in. Never makes a service; knows no widget.
"""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, get_args, get_origin

from runtime import GraphInvalid, Session, UnknownName
from runtime.graph import ServiceNode
from runtime.preview import preview
from sage_nb.texts import shown, value_of
from sage_nb.wire import Field, Form, Method

Kind = Literal["checkbox", "select", "number", "text", "literal"]

_LIFE: Final = frozenset({"setup", "close"})  # called by the runtime, not by callers
_SEVERAL: Final[dict[Any, str]] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def form_of(session: Session, service: str) -> Form:
    """The methods of a service and their fields. Raises `UnknownName`."""
    kind = _class_of(_node(session, service))
    if kind is None:
        note = "what makes this service says no class, so its methods are not known: name one and give its arguments"
        fields = [
            _field("method", "literal", "process", True, "its name"),
            _field("*args", "literal", "()", False, "tuple"),
        ]
        return Form(service=service, methods=[Method(name="", doc="", fields=fields)], note=note)
    methods = [
        Method(name=name, doc=_first_line(method), fields=[field for _, field, _ in _parameters(method)])
        for name, method in _methods(kind)
    ]
    note = "" if methods else f"{kind.__name__} has no public method"
    return Form(service=service, methods=methods, note=note)


def call_of(
    session: Session, service: str, method: str, values: Mapping[str, Any]
) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Method, arguments and named arguments for what was filled in. Raises `GraphInvalid` for what does not fit."""
    kind = _class_of(_node(session, service))
    if kind is None:
        more = value_of(str(values.get("*args") or "()"))
        name = value_of(str(values.get("method") or "process"))
        return str(name), tuple(more) if isinstance(more, tuple | list) else (more,), {}
    found = dict(_methods(kind)).get(method)
    if found is None:
        raise UnknownName("method", method, dict(_methods(kind)))
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    by_name = False  # behind a field that was left out, all others are named
    for parameter, field, wanted in _parameters(found):
        filled = values.get(field["name"])
        if filled is None or (filled == "" and not (field["required"] and field["kind"] == "text")):
            if field["required"]:
                raise GraphInvalid(f"{method}() needs {field['name']!r}: fill it in")
            by_name = True
            continue
        value = _value(field, filled, wanted)
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            args += value if isinstance(value, tuple | list) else (value,)
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            kwargs |= value if isinstance(value, dict) else {}
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY or (
            by_name and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ):
            kwargs[parameter.name] = value
        else:
            args.append(value)
    return method, tuple(args), kwargs


def python_of(service: str, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The line of Python that makes this call."""
    given = [repr(service), *map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
    given += [f"method={method!r}"] if method != "process" else []
    return f"session.call({', '.join(given)})"


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


def _methods(kind: type) -> list[tuple[str, Callable[..., Any]]]:
    """The public methods, `process` first, then as they are written."""
    found: dict[str, Callable[..., Any]] = {}
    for each in reversed(kind.__mro__[:-1]):
        found |= {name: value for name, value in vars(each).items() if inspect.isfunction(value)}
    named = [(name, method) for name, method in found.items() if not name.startswith("_") and name not in _LIFE]
    return sorted(named, key=lambda pair: pair[0] != "process")


def _parameters(method: Callable[..., Any]) -> list[tuple[inspect.Parameter, Field, Any]]:
    try:
        hints = typing.get_type_hints(method)
    except Exception:  # noqa: BLE001  the border to user code: annotations are expressions
        hints = {}
    found = []
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        wanted = hints.get(parameter.name, inspect.Parameter.empty)
        if wanted is inspect.Parameter.empty and type(parameter.default) in (bool, int, float, str):
            wanted = type(parameter.default)
        found.append((parameter, _field_of(parameter, wanted), wanted))
    return found


def _field_of(parameter: inspect.Parameter, wanted: Any) -> Field:
    empty = inspect.Parameter.empty
    several = _SEVERAL.get(parameter.kind)
    if several is not None:
        return _field(f"{several}{parameter.name}", "literal", "", False, "tuple" if several == "*" else "dict")
    required = parameter.default is empty
    hint = "" if wanted is empty else shown(getattr(wanted, "__name__", None) or str(wanted), 60)
    kind, options = _kind(wanted)
    default = "" if required else _default(kind, options, parameter.default)
    field = _field(parameter.name, kind, default, required, hint)
    field["options"] = [shown(preview(option)) for option in options]
    return field


def _kind(wanted: Any) -> tuple[Kind, tuple[Any, ...]]:
    """How a parameter is asked for, and the values to choose from."""
    wanted = _without_none(wanted)
    if wanted is bool:
        return "checkbox", ()
    if get_origin(wanted) is Literal:
        return "select", get_args(wanted)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return "select", tuple(wanted)
    if wanted in (int, float):
        return "number", ()
    if wanted is str:
        return "text", ()
    return "literal", ()


def _without_none(wanted: Any) -> Any:
    if get_origin(wanted) in (typing.Union, types.UnionType):
        left = [each for each in get_args(wanted) if each is not type(None)]
        return left[0] if len(left) == 1 else wanted
    return wanted


def _default(kind: str, options: Sequence[Any], default: Any) -> str:
    if kind == "select":
        return str(options.index(default)) if default in options else ""
    if kind == "text" and type(default) is str:
        return default
    return shown(preview(default))


def _field(name: str, kind: Kind, default: str, required: bool, hint: str) -> Field:
    return Field(name=name, kind=kind, default=default, options=[], required=required, hint=hint)


def _value(field: Field, filled: Any, wanted: Any) -> Any:
    """What was filled in, as the value that is passed on."""
    kind, text = field["kind"], str(filled)
    if kind == "checkbox":
        return filled is True or text == "true"
    if kind == "select":
        _, options = _kind(wanted)
        if not text.isdigit() or int(text) >= len(options):
            raise GraphInvalid(f"{field['name']!r} has no choice {text!r}")
        return options[int(text)]
    if kind == "number":
        number = int if _without_none(wanted) is int else float
        try:
            return number(text)
        except ValueError:
            raise GraphInvalid(f"{field['name']!r} is {text!r}, which is no {number.__name__}") from None
    return text if kind == "text" else value_of(text)


def _first_line(method: Callable[..., Any]) -> str:
    return shown((inspect.getdoc(method) or "").partition("\n")[0], 200)
