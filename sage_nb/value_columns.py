"""Values as columns and as lines of a chart: numbers as numbers, all else as bounded text. Knows no session, no widget.

A value that cannot be read, or has no such column, is left out of a chart and is a gap in a table. Nothing here asks a
value to show itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal, NamedTuple

from runtime.texts.preview import parts_of, preview
from sage_nb.texts import shown

Column = str | int | Callable[[Any], Any]
"""A name, the place in a sequence, or what computes it."""

Kind = Literal["lines", "bars"]

MAX_COLUMNS: Final = 24
MAX_SERIES: Final = 8
LARGEST: Final = 1e150
"""A number beyond it is none here: of two of them not even the distance could be told."""

_OF_NUMPY: Final = (*(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)), "float32", "float64")
_MAX_TEXT: Final = 60
_ITSELF: Final = "value"  # the column of a value that has none
_KEY: Final = "key"  # of a packet on a keyed edge


class Seen(NamedTuple):
    """A value that was seen, and its key if it had one."""

    value: Any
    key: Any = None
    keyed: bool = False


class TableColumn(NamedTuple):
    """A column: its name, and its numbers if all that is in it are numbers; None is a gap."""

    name: str
    numbers: list[float | None] | None


class ValueTable(NamedTuple):
    """Values one below the other, as text."""

    columns: list[TableColumn]
    rows: list[list[str]]


class Series(NamedTuple):
    """What belongs together in a chart, by its name: a line, or a bar, of which the last `y` counts."""

    name: str
    x: list[float]
    y: list[float]


class ChartLines(NamedTuple):
    """What a chart shows: its axes, its series, how many values and how many further series are left out."""

    x: str
    y: str
    series: list[Series]
    left_out: int
    more: int


def table_of(seen: Iterable[Seen]) -> ValueTable:
    """The values as a table: a column for each key, field or place that some of them have."""
    records = [_fields(each) for each in seen]
    names = list(dict.fromkeys(name for record in records for name in record))[:MAX_COLUMNS]
    columns = []
    for name in names:
        found = [record[name] for record in records if name in record]
        numeric = all(number_of(value) is not None for value in found)
        numbers = [number_of(record.get(name)) for record in records] if numeric else None
        columns.append(TableColumn(shown(str(name), _MAX_TEXT), numbers))
    rows = [[_text(record[name]) if name in record else "" for name in names] for record in records]
    return ValueTable(columns, rows)


def chart_of(
    seen: Sequence[Seen], first: int, y: Column | None, by: Column | None, x: Column | None = None
) -> ChartLines:
    """The values as series: `y` over `x`, else over their numbers from `first` on, one for each value of `by`.

    Without `y`: the first column with numbers in it. Of very many series the first few are shown.
    """
    fields = [_fields(each) for each in seen]
    if y is None:
        y = _first_number(fields)
    series: dict[str, Series] = {}
    left_out = 0
    for number, (each, record) in enumerate(zip(seen, fields, strict=True), first):
        up = number_of(_get(each, record, y))
        along = float(number) if x is None else number_of(_get(each, record, x))
        if up is None or along is None:
            left_out += 1
            continue
        name = "" if by is None else _text(_get(each, record, by))
        one = series.setdefault(name, Series(name, [], []))
        one.x.append(along)
        one.y.append(up)
    kept = list(series.values())[:MAX_SERIES]
    return ChartLines(_name_of(x) if x is not None else "number", _name_of(y), kept, left_out, len(series) - len(kept))


def number_of(value: object) -> float | None:
    """A number that can be drawn, or None."""
    kind = type(value)
    known = kind is int or kind is float or kind is Decimal or kind is Fraction
    if not known and not _is_of_numpy(kind):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (OverflowError, ValueError):
        return None
    return number if abs(number) < LARGEST else None


def _is_of_numpy(kind: type) -> bool:
    """Whether it is a scalar of numpy that is a number."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and any(kind is getattr(numpy, name, None) for name in _OF_NUMPY)


def _fields(seen: Seen) -> dict[Any, Any]:
    value = seen.value
    before = {_KEY: seen.key} if seen.keyed else {}
    return before | _parts(value)


def _parts(value: Any) -> dict[Any, Any]:
    """What a value is made of, by name. Only of what has no code of its own to be asked for it."""
    kind = type(value)
    if kind is dict:
        return {
            name if type(name) is str or type(name) is int else _text(name): each for name, each in list(value.items())
        }
    if kind is tuple or kind is list:
        return dict(enumerate(list(value)))
    parts = parts_of(value)
    return {_ITSELF: value} if parts is None else dict(parts)


def _get(seen: Seen, record: Mapping[Any, Any], column: Column | None) -> Any:
    if column is None:
        return None
    if callable(column):
        try:
            return column(seen.value)
        except Exception:  # noqa: BLE001  the border to user code
            return None
    return record.get(column)


def _first_number(records: Sequence[Mapping[Any, Any]]) -> Column | None:
    for record in records:
        for name, value in record.items():
            if name != _KEY and number_of(value) is not None:
                found: Column = name
                return found
    return None


def _name_of(column: Column | None) -> str:
    if callable(column):
        return shown(getattr(column, "__name__", "value"), _MAX_TEXT)
    return "" if column is None else shown(str(column), _MAX_TEXT)


def _text(value: object) -> str:
    """A value in a cell: a text as it is, anything else as bounded `repr`-like text, without code of its own."""
    return shown(value if type(value) is str else preview(value), _MAX_TEXT)
