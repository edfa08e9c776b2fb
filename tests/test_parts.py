"""One run in several processes: the parts of the tests follow each other, and each test runs once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.parts import PARTS, place_of

TREE: Final = Path(__file__).parent.parent
CONFTEST: Final = """
from tests.parts import InParts, in_order

def pytest_collection_modifyitems(items):
    items[:] = in_order(items)

def pytest_xdist_make_scheduler(config, log):
    return InParts(config, log)
"""
# Each writes when it begins and when it ends, in one append each; the kernel keeps their order.
WRITES: Final = """
import os, pytest, time

def write(word):
    with open(os.environ["TOLD"], "ab", buffering=0) as told:
        test = os.environ["PYTEST_CURRENT_TEST"].partition(" ")[0]
        told.write(f"{word} {os.environ['PYTEST_XDIST_WORKER']} {test}\\n".encode())

@pytest.mark.parametrize("number", range(6))
def test_it(number):
    write("begins")
    time.sleep(number * 0.02)  # work of unequal weight
    if DIES and number == 3:
        os._exit(1)
    write("ends")
"""
GROUPS: Final = ("tests/remote/test_d.py", "tests/jupyter/test_c.py", "tests/test_docs.py")
FILES: Final = ("tests/test_a.py", "tests/page/test_b.py", *GROUPS, "tests/test_step_way.py")
EACH: Final = 6


class Told(NamedTuple):
    """A line that a test has written."""

    word: str
    process: str
    test: str

    @property
    def part(self) -> str:
        return place_of(self.test).part


def run(folder: Path, dies: Collection[str] = ()) -> tuple[str, list[Told]]:
    """What the run said, and what its tests wrote; a test of each file in `dies` ends its process."""
    (folder / "conftest.py").write_text(CONFTEST)
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(WRITES.replace("DIES", str(name in dies)))
    told = folder / "told"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(TREE), "TOLD": str(told), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "no:cacheprovider"]
    command += ["--import-mode=importlib", "--rootdir", str(folder), "--numprocesses", "3"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    lines = [line.split(" ", 2) for line in told.read_text().splitlines()]
    return done.stdout + done.stderr, [Told(*line) for line in lines]


def most_at_once(told: list[Told], kind: Callable[[Told], str]) -> Counter[str]:
    """Of each kind, how many have run at the same time."""
    running: list[str] = []
    most: Counter[str] = Counter()
    for each in told:
        if each.word == "ends":
            running.remove(each.test)
            continue
        running.append(each.test)
        most[kind(each)] = max(most[kind(each)], len(running))
    return most


@pytest.fixture(scope="module")
def good_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Told]]:
    """One in which no process dies."""
    return run(tmp_path_factory.mktemp("good"))


def test_parts_follow_each_other_each_in_its_own_number_of_processes_and_each_test_runs_once(
    good_run: tuple[str, list[Told]],
) -> None:
    said, told = good_run
    count = EACH * len(FILES)
    assert f"{count} passed" in said, said
    assert len({(each.word, each.test) for each in told}) == len(told) == 2 * count
    parts = [each.part for each in told]
    assert list(dict.fromkeys(parts)) == list(PARTS)
    for earlier, later in pairwise(PARTS):
        # Each process begins the last test that it was given of a part when it knows the first of the next.
        late = [each for each in told[parts.index(later) :] if each.word == "ends" and each.part == earlier]
        assert len(late) < PARTS[later], (told, said)
    for part, processes in PARTS.items():
        most = most_at_once([each for each in told if each.part == part], lambda each: each.part)[part]
        assert min(2, processes) <= most <= processes, (part, told)


def test_a_group_is_of_one_process_and_two_groups_run_beside_each_other(good_run: tuple[str, list[Told]]) -> None:
    _, told = good_run
    of_groups = [each for each in told if each.part == "groups"]
    processes = {group: {each.process for each in of_groups if each.test.startswith(group)} for group in GROUPS}
    assert [len(each) for each in processes.values()] == [1, 1, 1]
    first, second, third = processes.values()
    assert first != second
    assert third in (first, second), "whoever was done first has taken it"
    # Two at once of the same group would be two of one process.
    assert max(most_at_once(of_groups, lambda each: each.test.partition("::")[0]).values()) == 2


def test_a_test_that_ends_its_process_fails_by_name_and_all_others_run(tmp_path: Path) -> None:
    dies = (FILES[1], GROUPS[0], FILES[-1])  # in each of the parts that have few processes
    said, told = run(tmp_path, dies)
    others = EACH * len(FILES) - len(dies)
    assert f"{len(dies)} failed, {others} passed" in said, said
    for name in dies:
        assert f"FAILED {name}::test_it[3]" in said
    assert len({each.test for each in told if each.word == "ends"}) == others
