"""Tests in several sizes: every pair of values meets, instead of every value with all others.

A fault that needs one certain value, or two together, is found by either; the full product of five parameters only
makes so many tests that nobody reads which. What needs three values is for the random graphs and the stress tests.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest


def covering(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Rows of one index for each of `sizes`, so that any two indices of two columns meet in a row.

    They are few, though not the fewest possible, and the same in every process. Of one column: each index by itself.
    """
    columns = range(len(sizes))
    if len(sizes) == 1:
        return [(index,) for index in range(sizes[0])]
    unmet = {
        ((a, index), (b, other))
        for a, b in combinations(columns, 2)
        for index in range(sizes[a])
        for other in range(sizes[b])
    }
    used: Counter[tuple[int, int]] = Counter()
    rows: list[tuple[int, ...]] = []
    while unmet:
        row = dict(min(unmet))
        for column in sorted(set(columns) - set(row), key=lambda column: -sizes[column]):
            row[column] = max(
                range(sizes[column]),
                key=lambda index: (
                    sum((min(cell, (column, index)), max(cell, (column, index))) in unmet for cell in row.items()),
                    -used[column, index],
                ),
            )
        cells = sorted(row.items())
        unmet.difference_update(combinations(cells, 2))
        used.update(cells)
        rows.append(tuple(index for _, index in cells))
    return rows


@dataclass(frozen=True)
class Size:
    """A value of a parameter, and what it is called in the name of a test."""

    name: str
    value: Any


def sizes_of(values: Iterable[Any] | Mapping[str, Any]) -> list[Size]:
    """The values with their names: those that they have in a mapping, else what they are."""
    if isinstance(values, Mapping):
        return [Size(name, value) for name, value in values.items()]
    return [Size(value.__name__ if isinstance(value, type) else str(value), value) for value in values]


def every_pair_of(*, remote: Mapping[str, Any] | None = None, **parameters: Any) -> pytest.MarkDecorator:
    """Run a test with rows of these parameters, and of the platform if it has one, in which every two values meet.

    Each parameter has its values, or a mapping of names to values. `remote` says the one row in which the test runs on
    that platform as well, by the names of the values.
    """
    return pytest.mark.every_pair_of({name: sizes_of(values) for name, values in parameters.items()}, remote)


def rows_of(
    marker: pytest.Mark, platforms: Mapping[str, Any], remote_platform: Any
) -> tuple[list[str], list[list[Size]]]:
    """The names of the parameters of the test with this mark, and their values, for each time that it is to run."""
    parameters, remote = marker.args
    columns: dict[str, list[Size]] = {**({"platform": sizes_of(platforms)} if platforms else {}), **parameters}
    rows = [
        [column[index] for column, index in zip(columns.values(), row, strict=True)]
        for row in covering([len(column) for column in columns.values()])
    ]
    if remote is not None:
        named = [_named(name, parameters[name], str(remote[name])) for name in parameters]
        rows.append([Size("remote", remote_platform), *named])
    return list(columns), rows


def _named(parameter: str, sizes: list[Size], wanted: str) -> Size:
    for size in sizes:
        if size.name == wanted:
            return size
    raise ValueError(f"{parameter}={wanted} on Ray is none of {', '.join(size.name for size in sizes)}")


def of_every_seed(number: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test of random doings once for each of so many seeds; what goes wrong says which one it was."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(test)

        def run(**fixtures: Any) -> None:
            for seed in range(number):
                try:
                    test(seed=seed, **fixtures)
                except BaseException as error:
                    error.add_note(f"with seed={seed}, of {number}")
                    raise

        run.__name__, run.__module__, run.__doc__ = test.__name__, test.__module__, test.__doc__
        others = [parameter for name, parameter in signature.parameters.items() if name != "seed"]
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
        return run

    return decorate
