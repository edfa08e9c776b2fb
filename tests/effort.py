"""How much of what is random a run tries: a part of it in `make test`, all with `pytest --long` (`make test-more`).

A test marked `long` runs with `--long` only, and so do the rounds, seeds and examples beyond those that `some` and
`seeds` let through. How many those are was measured: most planted bugs (tests/mutants.py) go red in the first tenth of
them, and `python -m tests.mutants` runs no more than `make test` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pytest
from hypothesis import settings

OPTION: Final = "--long"
_wanted: list[bool] = [False]


def add_option(parser: pytest.Parser) -> None:
    """Make the option known."""
    parser.addoption(OPTION, action="store_true", help="the tests marked long too, with all rounds, seeds and examples")


def begin(config: pytest.Config) -> None:
    """Before any module of tests is imported: they ask at once how much they are to do.

    No example of hypothesis has a deadline: how long one takes beside others says nothing.
    """
    settings.register_profile("unhurried", deadline=None)
    settings.load_profile("unhurried")
    _wanted[0] = config.getoption(OPTION)


def only_wanted(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Without those that this run leaves to a long one, which are said to be deselected."""
    left = [item for item in items if not _wanted[0] and item.get_closest_marker("long") is not None]
    if left:
        config.hook.pytest_deselected(items=left)
    unwanted = set(left)
    return [item for item in items if item not in unwanted]


def some(few: int, *, of: int) -> int:
    """How often to try what is random: `few` times, in a long run `of` times."""
    return of if _wanted[0] else few


def seeds(few: int, *, of: int) -> list[Any]:
    """Parameters: the first `few` seeds, and, for a long run, the rest `of` them."""
    return [pytest.param(seed, marks=[pytest.mark.long] if seed >= few else []) for seed in range(of)]


def in_turn(values: Iterable[Any], others: Sequence[Any] | Mapping[str, Any], few: int = 1) -> list[Any]:
    """Parameters: each value with `few` of the others, the next value with the next ones; in a long run with all."""
    names = list(others) if isinstance(others, Mapping) else [str(other) for other in others]
    each = list(others.values() if isinstance(others, Mapping) else others)
    return [
        pytest.param(
            value,
            each[turn],
            id=f"{value}-{names[turn]}",
            marks=[pytest.mark.long] if (turn - place * few) % len(each) >= few else [],
        )
        for place, value in enumerate(values)
        for turn in range(len(each))
    ]
