"""The planted bugs themselves: whoever moves a line or a test hears at once that a bug has lost its place."""

from __future__ import annotations

from collections import Counter

from tests.mutants import MUTANTS, TREE, stale


def test_every_planted_bug_finds_the_one_place_that_it_is_for() -> None:
    assert stale(MUTANTS, TREE) == []


def test_every_planted_bug_has_a_name_of_its_own_and_tests_that_are_there() -> None:
    assert [bug for bug, times in Counter(mutant.bug for mutant in MUTANTS).items() if times > 1] == []
    lost = []
    for test in sorted({test for mutant in MUTANTS for test in mutant.tests}):
        file, *names = test.split("[")[0].split("::")
        path = TREE / "tests" / file
        source = path.read_text() if path.exists() else ""
        if not all(f"def {name}(" in source or f"class {name}" in source for name in names) or not source:
            lost.append(test)
    assert lost == []
