"""What an annotation says of values: which fit it, and what it is called. Accepts what it does not understand."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NewType, TypeVar, get_args, get_origin

_ANYTHING: Final = (Any, object)
_ALIAS: Any = getattr(typing, "TypeAliasType", ())  # `type Name = …`, from Python 3.12 on
_SEQUENCES: Final = (list, tuple, set, frozenset)  # those whose items can be looked at without using them up


def fits(value: Any, wanted: Any) -> bool:
    """Whether `value` is what the annotation `wanted` asks for; an int will do for a float, as type checkers say."""
    wanted = plain(wanted)
    origin, args = get_origin(wanted), get_args(wanted)
    if wanted in _ANYTHING:
        return True
    if wanted is None:
        return value is None
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, each) for each in args)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in args)
    if wanted in (float, complex):
        return isinstance(value, int | float | wanted) and not isinstance(value, bool)
    if isinstance(origin or wanted, type):
        return _is_a(value, origin or wanted) and _items_fit(value, origin, args)
    return True


def plain(wanted: Any) -> Any:
    """An annotation without what is only said about it: aliases, `Annotated`, `NewType`, the bound of a variable."""
    while True:
        if get_origin(wanted) is Annotated:
            wanted = get_args(wanted)[0]
        elif isinstance(wanted, NewType):
            wanted = wanted.__supertype__
        elif isinstance(wanted, TypeVar):
            wanted = wanted.__bound__ if wanted.__bound__ is not None else object
        elif isinstance(wanted, _ALIAS):
            wanted = wanted.__value__
        else:
            return None if wanted is types.NoneType else wanted


def choices_of(wanted: Any) -> tuple[Any, ...]:
    """What a union is made of; of anything else, itself."""
    wanted = plain(wanted)
    if get_origin(wanted) not in (typing.Union, types.UnionType):
        return (wanted,)
    return tuple(each for part in get_args(wanted) for each in choices_of(part))


def called(wanted: Any) -> str:
    """How an annotation is written: `list[int]`, `int | None`."""
    if isinstance(wanted, type) and not get_args(wanted):
        return wanted.__name__
    if get_origin(wanted) in (typing.Union, types.UnionType):
        return " | ".join(map(called, get_args(wanted))).replace("NoneType", "None")
    return str(wanted).replace("typing.", "")


def _is_a(value: Any, kind: Any) -> bool:
    if typing.is_typeddict(kind):
        return isinstance(value, dict)
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol that nothing can be asked about at run time
        return True


def _items_fit(value: Any, origin: Any, args: tuple[Any, ...]) -> bool:
    if origin is tuple and args and type(value) is tuple:
        if args[-1] is Ellipsis:
            return all(fits(each, args[0]) for each in value)
        return len(args) == len(value) and all(map(fits, value, args))
    if isinstance(origin, type) and issubclass(origin, Mapping) and type(value) is dict and len(args) == 2:
        return all(fits(key, args[0]) and fits(each, args[1]) for key, each in value.items())
    if len(args) == 1 and type(value) in _SEQUENCES:
        return all(fits(each, args[0]) for each in value)
    return True
