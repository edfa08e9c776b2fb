"""Payloads that break whoever is careless: code in every method, huge, deep, cyclic, dishonest about their own shape.

In a module of their own, because pytest looks at every name of a test module, and looking is what these do not stand.
"""

from __future__ import annotations

import datetime
import enum
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, NoReturn


class CodeWasRun(BaseException):
    """Raised by every method of a hostile payload."""


def forbidden(*arguments: object, **named: object) -> NoReturn:
    raise CodeWasRun


SPECIAL = [
    *("__repr__", "__str__", "__format__", "__len__", "__iter__", "__getattr__", "__getattribute__", "__eq__"),
    *("__hash__", "__bool__", "__dir__", "__getitem__", "__contains__", "__call__", "__index__"),
    *("_repr_html_", "_repr_mimebundle_", "_ipython_display_"),
]
HOSTILE_METHODS: dict[str, Any] = dict.fromkeys(SPECIAL, forbidden)


class Hostile:
    vars().update(HOSTILE_METHODS)


class HostileList(list[int]):
    vars().update(HOSTILE_METHODS)


class HostileDict(dict[int, int]):
    vars().update(HOSTILE_METHODS)


class HostileStr(str):
    __slots__ = ()
    vars().update(HOSTILE_METHODS)


class HostileInt(int):
    vars().update(HOSTILE_METHODS)


class HostileTuple(tuple[int, ...]):
    __slots__ = ()
    vars().update(HOSTILE_METHODS)


class HostileMeta(type):
    vars().update({name: forbidden for name in SPECIAL if name not in ("__hash__", "__call__")})

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        forbidden()


class HostileClass(metaclass=HostileMeta):
    pass


class HostileEnum(enum.Enum):
    ONE = 1

    __repr__ = __str__ = forbidden


class HostileZone(datetime.tzinfo):
    __repr__ = __str__ = utcoffset = tzname = dst = forbidden


@dataclass
class HostileField:
    x: int = 1


hostile_field = HostileField()
HostileField.x = property(forbidden)  # type: ignore[assignment]


@dataclass(repr=False)
class HostileData:
    x: Any = field(default_factory=Hostile)

    __repr__ = __eq__ = __getattribute__ = forbidden


@dataclass
class Honest:
    x: Any = field(default_factory=lambda: object.__new__(Hostile))


class FalseData:
    __dataclass_fields__ = 5


class FalseTuple(tuple[int, ...]):
    __slots__ = ()
    _fields = (object.__new__(Hostile),)


class Point(NamedTuple):
    x: Any
    y: Any


cyclic: list[Any] = []
cyclic.append(cyclic)
cyclic_dict: dict[int, Any] = {}
cyclic_dict[1] = cyclic_dict
deep: list[Any] = []
for _ in range(100_000):
    deep = [deep]
LONG_NAME = type("x" * 1_000_000, (), {})

PAYLOADS: dict[str, Any] = {
    "hostile": object.__new__(Hostile),
    "hostile class": Hostile,
    "hostile list": HostileList(),
    "hostile dict": HostileDict(),
    "hostile str": str.__new__(HostileStr, "x"),
    "hostile int": int.__new__(HostileInt, 3),
    "hostile tuple": tuple.__new__(HostileTuple, (1,)),
    "hostile metaclass": object.__new__(HostileClass),
    "hostile enum": HostileEnum.ONE,
    "hostile zone": datetime.datetime(2024, 1, 1, tzinfo=HostileZone()),
    "hostile zone of a time": datetime.time(1, tzinfo=HostileZone()),
    "hostile field": hostile_field,
    "hostile data": HostileData(),
    "hostile in data": Honest(),
    "hostile in tuple": Point(object.__new__(Hostile), 2),
    "hostile in list": [object.__new__(Hostile)] * 3,
    "hostile as value": {1: object.__new__(Hostile)},
    "false data": FalseData(),
    "false tuple": tuple.__new__(FalseTuple, (1,)),
    "50 MB of text": "x" * 50_000_000,
    "50 MB of bytes": bytes(50_000_000),
    "50 MB of bytearray": bytearray(50_000_000),
    "a huge number": 1 << 10_000_000,
    "a huge decimal": Decimal("1" * 100_000),
    "a huge fraction": Fraction(10**100_000, 3),
    "a million numbers": list(range(1_000_000)),
    "a million keys": dict.fromkeys(range(1_000_000)),
    "a set of a million": set(range(1_000_000)),
    "a long name": LONG_NAME(),
    "wide and deep": [[[["x" * 1000] * 1000] * 1000] * 1000] * 1000,
    "cyclic": cyclic,
    "cyclic dict": cyclic_dict,
    "deep": deep,
    "defaultdict": defaultdict(list, {1: [2]}),
    "ordered": OrderedDict({1: 2}),
    "deque": deque([1, 2, 3], maxlen=2),
    "range": range(10**9),
    "generator": (number for number in range(3)),
    "module": enum,
    "memoryview": memoryview(b"x" * 1000),
    "exception": ValueError(object.__new__(Hostile)),
}
