"""One run in several processes: the parts of the tests follow each other, and each test runs once."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.parts import PARTS, part_of

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
        told.write(f"{word} {os.environ['PYTEST_CURRENT_TEST'].partition(' ')[0]}\\n".encode())

@pytest.mark.parametrize("number", range(6))
def test_it(number):
    write("begins")
    time.sleep(number * 0.02)  # work of unequal weight
    if DIES and number == 3:
        os._exit(1)
    write("ends")
"""
FILES: Final = {"alone": "tests/jupyter/test_c.py", "pages": "tests/page/test_b.py", "threads": "tests/test_a.py"}


def run(folder: Path, dies: str = "") -> tuple[str, list[tuple[str, str]]]:
    """What the run said, and what its tests wrote."""
    (folder / "conftest.py").write_text(CONFTEST)
    for part, name in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(WRITES.replace("DIES", str(part == dies)))
    told = folder / "told"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(TREE), "TOLD": str(told), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "no:cacheprovider"]
    command += ["--import-mode=importlib", "--rootdir", str(folder), "--numprocesses", "3"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    lines = [line.split(" ", 1) for line in told.read_text().splitlines()]
    return done.stdout + done.stderr, [(word, test) for word, test in lines]


def test_parts_follow_each_other_each_in_its_own_number_of_processes_and_each_test_runs_once(tmp_path: Path) -> None:
    said, told = run(tmp_path)
    assert "18 passed" in said, said
    assert len(told) == len(set(told)) == 36
    running: list[str] = []
    most = dict.fromkeys(PARTS, 0)
    for word, test in told:
        if word == "ends":
            running.remove(test)
            continue
        running.append(test)
        part = part_of(test)
        most[part] = max(most[part], [part_of(each) for each in running].count(part))
    assert most["alone"] == 1
    assert 1 < most["threads"] <= PARTS["threads"]
    assert 1 < most["pages"] <= PARTS["pages"]
    parts = [part_of(test) for _, test in told]
    for earlier, later in pairwise(PARTS):
        # Each process begins the last test that it was given of a part when it knows the first of the next.
        end_late = [test for word, test in told[parts.index(later) :] if word == "ends" and part_of(test) == earlier]
        assert len(end_late) < PARTS[later], (told, said)
    assert list(dict.fromkeys(parts)) == list(PARTS)


@pytest.mark.parametrize("part", ["pages", "alone"])
def test_a_test_that_ends_its_process_fails_by_name_and_all_others_run(tmp_path: Path, part: str) -> None:
    said, told = run(tmp_path, dies=part)
    assert "1 failed, 17 passed" in said, said
    assert f"FAILED {FILES[part]}::test_it[3]" in said
    assert len({test for word, test in told if word == "ends"}) == 17
