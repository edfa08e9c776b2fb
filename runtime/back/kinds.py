"""What an object that can change consists of, kind by kind: how that is kept, compared and put back, in place.

Nothing is copied but the outermost layer; what is in it is visited as well. So whoever else holds the same object sees
it as it was, too, and what two hold in common stays common. Methods are those of the base classes: no code of the
user's runs.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import partial
from operator import is_
from random import Random
from types import BuiltinMethodType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, Final, NamedTuple

from runtime.operators import Function


class Kind(NamedTuple):
    """One layer of an object: `keep` copies it, `parts` are in the copy, `same` compares, `put` puts the copy back."""

    keep: Callable[[Any], Any]
    parts: Callable[[Any], Iterable[Any]]
    same: Callable[[Any, Any], bool]
    put: Callable[[Any, Any], object]


UNKNOWN: Final = "unknown"
"""Of an object of which nobody can say what it consists of."""

Kinds = tuple[Kind, ...] | str
"""The layers of objects of one class; none of what cannot change."""


def _nothing(kept: Any) -> Iterable[Any]:
    return ()


def _itself(own: Any) -> Any:
    return own


def _all(kept: list[Any] | tuple[Any, ...]) -> Iterable[Any]:
    return kept


def _are_same(now: list[Any], kept: list[Any]) -> bool:
    return len(now) == len(kept) and all(map(is_, now, kept))


def _same_list(own: Any, kept: list[Any]) -> bool:
    return list.__len__(own) == len(kept) and all(map(is_, list.__iter__(own), kept))


def _put_list(own: Any, kept: list[Any]) -> None:
    list.__setitem__(own, slice(None), kept)


def _members(kept: dict[Any, Any]) -> Iterator[Any]:
    yield from kept
    yield from kept.values()


def _same_dict(own: Any, kept: dict[Any, Any]) -> bool:
    return (
        dict.__len__(own) == len(kept)
        and all(map(is_, dict.values(own), kept.values()))
        and all(map(is_, dict.keys(own), kept))
    )


def _put_dict(own: Any, kept: dict[Any, Any]) -> None:
    dict.clear(own)
    dict.update(own, kept)


def _ordered(own: Any) -> dict[Any, Any]:
    return dict(OrderedDict.items(own))


def _same_ordered(own: Any, kept: dict[Any, Any]) -> bool:
    return _same_dict(_ordered(own), kept)


def _put_ordered(own: Any, kept: dict[Any, Any]) -> None:
    OrderedDict.clear(own)
    for key, value in kept.items():
        OrderedDict.__setitem__(own, key, value)


def _same_set(own: Any, kept: set[Any]) -> bool:
    as_long = set.__len__(own) == set.__len__(kept)  # the copy is of the same class
    return as_long and set(map(id, set.__iter__(own))) == set(map(id, set.__iter__(kept)))


def _put_set(own: Any, kept: set[Any]) -> None:
    set.clear(own)
    set.update(own, set.__iter__(kept))


def _keep_deque(own: Any) -> list[Any]:
    return list(deque.__iter__(own))


def _same_deque(own: Any, kept: list[Any]) -> bool:
    return deque.__len__(own) == len(kept) and all(map(is_, deque.__iter__(own), kept))


def _put_deque(own: Any, kept: list[Any]) -> None:
    deque.clear(own)
    deque.extend(own, kept)


def _put_bytes(own: Any, kept: bytearray) -> None:
    bytearray.__setitem__(own, slice(None), kept)


def _put_numbers(own: Any, kept: Any) -> None:
    array.__setitem__(own, slice(None), kept)


def _attributes(own: Any) -> dict[str, Any]:
    found: dict[str, Any] = object.__getattribute__(own, "__dict__")
    return found


def _same_attributes(own: Any, kept: dict[str, Any]) -> bool:
    return _same_dict(_attributes(own), kept)


def _put_attributes(own: Any, kept: dict[str, Any]) -> None:
    _put_dict(_attributes(own), kept)


_UNSET: Final = object()


def _slot(member: MemberDescriptorType, own: Any) -> Any:
    try:
        return member.__get__(own, type(own))
    except AttributeError:
        return _UNSET


def _keep_slots(members: tuple[MemberDescriptorType, ...], own: Any) -> list[Any]:
    return [_slot(member, own) for member in members]


def _same_slots(members: tuple[MemberDescriptorType, ...], own: Any, kept: list[Any]) -> bool:
    return _are_same(_keep_slots(members, own), kept)


def _put_slots(members: tuple[MemberDescriptorType, ...], own: Any, kept: list[Any]) -> None:
    for member, value in zip(members, kept, strict=True):
        if value is not _UNSET:
            member.__set__(own, value)
        elif _slot(member, own) is not _UNSET:
            member.__delete__(own)


def _same_array(own: Any, kept: Any) -> bool:
    return bool(own.shape == kept.shape) and bool(own.tobytes() == kept.tobytes())


def _put_array(own: Any, kept: Any) -> None:
    own[...] = kept


def _array_parts(kept: Any) -> Iterable[Any]:
    return kept.flat if kept.dtype.hasobject else ()


def _keep_array(own: Any) -> Any:
    return own.copy()


_LIST: Final = Kind(list.copy, _all, _same_list, _put_list)
_DICT: Final = Kind(dict.copy, _members, _same_dict, _put_dict)
_ORDERED: Final = Kind(_ordered, _members, _same_ordered, _put_ordered)
_SET: Final = Kind(set.copy, set.__iter__, _same_set, _put_set)
_DEQUE: Final = Kind(_keep_deque, _all, _same_deque, _put_deque)
_BYTES: Final = Kind(bytearray.copy, _nothing, bytearray.__eq__, _put_bytes)
_ARRAY: Final = Kind(array.__copy__, _nothing, array.__eq__, _put_numbers)
_NDARRAY: Final = Kind(_keep_array, _array_parts, _same_array, _put_array)
_ATTRIBUTES: Final = Kind(dict.copy, _members, _same_attributes, _put_attributes)
_KEPT_ATTRIBUTES: Final = _ATTRIBUTES._replace(keep=lambda own: dict(_attributes(own)))
_RANDOM: Final = Kind(Random.getstate, _nothing, lambda own, kept: own.getstate() == kept, Random.setstate)
_PARTS: Final = Kind(_itself, _all, lambda own, kept: True, lambda own, kept: None)  # of what does not change itself
_TUPLE: Final = _PARTS._replace(parts=tuple.__iter__)
_FROZEN_SET: Final = _PARTS._replace(parts=frozenset.__iter__)
_METHOD: Final = _PARTS._replace(keep=lambda own: (own.__self__,))
_CALL: Final = ("func", "args", "keywords")
_PARTIAL: Final = _PARTS._replace(keep=lambda own: tuple(object.__getattribute__(own, name) for name in _CALL))

PLAIN_CONTAINERS: Final[dict[type, Kind]] = {list: _LIST, set: _SET, dict: _DICT}

_OF_BASES: Final[tuple[tuple[type, Kind], ...]] = (
    (list, _LIST),
    (OrderedDict, _ORDERED),
    (dict, _DICT),
    (set, _SET),
    (deque, _DEQUE),
    (bytearray, _BYTES),
    (array, _ARRAY),
    (Random, _RANDOM),
    (tuple, _TUPLE),
    (frozenset, _FROZEN_SET),
)

_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes, range, slice, type, Enum, FunctionType, ModuleType)

_LET_BE: Final = frozenset(
    {
        *("runtime", "datetime", "decimal", "fractions", "uuid", "pathlib", "re", "logging", "threading", "_thread"),
        *("weakref", "types", "enum", "ipaddress", "zoneinfo", "typing", "abc", "contextvars"),
    }
)
"""What is defined in these packages does not change, or is no part of a value."""


def kinds_of(cls: type) -> Kinds:
    """The layers of objects of this class."""
    if issubclass(cls, _PLAIN):
        return ()
    if cls in (MethodType, BuiltinMethodType):
        return (_METHOD,)
    if issubclass(cls, partial):
        return (_PARTIAL,)
    module = _of_class(cls, "__module__")
    if module == "numpy":
        return (_NDARRAY,) if _of_class(cls, "__name__") == "ndarray" else ()
    layers = [next((kind for base, kind in _OF_BASES if issubclass(cls, base)), None)]
    if layers[0] is None and not issubclass(cls, Function) and module.partition(".")[0] in _LET_BE:
        return ()
    if (members := _members_of(cls)) != ():
        layers.append(
            Kind(
                partial(_keep_slots, members),
                _all,
                partial(_same_slots, members),
                partial(_put_slots, members),
            )
        )
    has_dict = any("__dict__" in _of_class(base, "__dict__") for base in _of_class(cls, "__mro__"))
    if has_dict:
        layers.append(_KEPT_ATTRIBUTES)
    found = tuple(layer for layer in layers if layer is not None)
    return found or (() if _is_bare(cls) else UNKNOWN)


def _members_of(cls: type) -> tuple[MemberDescriptorType, ...]:
    """What its `__slots__` have made."""
    return tuple(
        member
        for base in _of_class(cls, "__mro__")
        if "__slots__" in _of_class(base, "__dict__")
        for member in _of_class(base, "__dict__").values()
        if isinstance(member, MemberDescriptorType)
    )


def _is_bare(cls: type) -> bool:
    """Whether it is a class of Python's without anything of its own, as `object`."""
    return all("__slots__" in _of_class(base, "__dict__") for base in _of_class(cls, "__mro__")[:-1])


def _of_class(cls: type, name: str) -> Any:
    """An attribute of a class, of which the class of that class is not asked."""
    return type.__getattribute__(cls, name)
