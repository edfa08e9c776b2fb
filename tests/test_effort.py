"""What a long run has beyond a normal one, and that nothing is lost between the two."""

from __future__ import annotations

from tests.effort import in_turn, seeds


def normal(parameters: list[object]) -> list[tuple[object, ...]]:
    return [each.values for each in parameters if not each.marks]  # type: ignore[attr-defined]


def test_a_normal_run_has_the_first_seeds_and_a_long_one_all() -> None:
    assert normal(seeds(2, of=5)) == [(0,), (1,)]
    assert [each.values for each in seeds(2, of=5)] == [(0,), (1,), (2,), (3,), (4,)]


def test_each_value_comes_and_the_others_take_turns() -> None:
    assert normal(in_turn("abc", {"x": 1, "y": 2})) == [("a", 1), ("b", 2), ("c", 1)]
    assert normal(in_turn("abc", range(5), 2)) == [
        *(("a", 0), ("a", 1)),
        *(("b", 2), ("b", 3)),
        *(("c", 0), ("c", 4)),
    ]
    assert len(in_turn("abc", range(5), 2)) == len({each.id for each in in_turn("abc", range(5), 2)}) == 15
