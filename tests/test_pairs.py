"""Sizes of tests: no pair is left out, rows are few, and what a test runs on is what it says."""

from __future__ import annotations

from itertools import combinations, product
from math import prod

import pytest

from tests.pairs import covering, every_pair_of, of_every_seed, rows_of
from tests.parts import PARTS, place_of

SIZES = [(2, 5, 3, 4), (2, 15, 5, 3, 2, 2), (2, 11, 9, 2), (3, 3, 3), (2, 2), (1, 4, 1), (7,)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_two_values_of_two_parameters_meet_in_a_test(sizes: tuple[int, ...]) -> None:
    rows = covering(sizes)
    for a, b in combinations(range(len(sizes)), 2):
        assert {(row[a], row[b]) for row in rows} == set(product(range(sizes[a]), range(sizes[b])))
    assert {row[0] for row in rows} == set(range(sizes[0]))
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_there_are_hardly_more_tests_than_pairs_of_the_two_largest_parameters(sizes: tuple[int, ...]) -> None:
    least = prod(sorted(sizes)[-2:])
    assert least <= len(covering(sizes)) <= least * 1.4


def test_a_size_on_ray_is_one_test_more_with_the_values_that_it_names() -> None:
    marker = every_pair_of(first=(1, 2), how={"by call": len}, remote={"first": 2, "how": "by call"}).mark
    names, rows = rows_of(marker, {"local": "here", "seeded": "in turn"}, "there")
    assert names == ["platform", "first", "how"]
    assert [size.name for size in rows[-1]] == ["remote", "2", "by call"]
    assert [size.value for size in rows[-1]] == ["there", 2, len]
    assert len(rows) == 5


def test_a_size_on_ray_that_is_none_of_the_test_s_is_refused() -> None:
    marker = every_pair_of(first=(1, 2), remote={"first": 3}).mark
    with pytest.raises(ValueError, match="first=3 on Ray is none of 1, 2"):
        rows_of(marker, {}, "there")


def test_a_failure_under_a_seed_says_under_which() -> None:
    @of_every_seed(9)
    def fails_under_7(limit: int, seed: int) -> None:
        assert seed < limit, "too far"

    fails_under_7(limit=9)
    with pytest.raises(AssertionError, match="too far") as caught:
        fails_under_7(limit=7)
    assert caught.value.__notes__ == ["with seed=7, of 9"]


@pytest.mark.parametrize(
    ("test", "part"),
    [
        ("tests/promises/test_01_exact.py::test_it[local-1-1-1]", "threads"),
        ("tests/promises/test_01_exact.py::test_it[remote-2-2-1]", "groups"),
        ("tests/promises/test_01_exact.py::test_it[remote]", "groups"),
        ("tests/promises/test_01_exact.py::test_on_ray_it_is_so", "groups"),
        ("tests/test_kernel.py::test_it", "threads"),
        ("tests/test_benchmarks.py::test_it", "groups"),
        ("tests/test_benchmarks_calls.py::test_it", "alone"),
        ("tests/page/test_graph.py::test_it", "pages"),
        ("tests/jupyter/test_stories.py::test_it", "groups"),
        ("notebooks/01-first-dataflow.ipynb::Cell 0", "groups"),
    ],
)
def test_every_test_is_of_one_part(test: str, part: str) -> None:
    assert place_of(test).part == part
    assert part in PARTS
