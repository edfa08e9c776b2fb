"""The types of the public names are of use: a program that is right passes in strict mode, one with a slip does not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from mypy import api

from runtime.testing import leak_guard
from tests import typed_program

PROGRAM: Final = Path(typed_program.__file__)
SLIPS: Final = {
    "a function for something else": ("orders.map(lambda order: len(order.thing))", "orders.map(len).map(str.upper)"),
    "a field that is not there": ("total + order.number", "total + order.count"),
    "an initial value of another type": ("initial=0", 'initial="0"'),
    "a method that is not there": ("orders.key_by(", "orders.keyed_by("),
    "a policy that is not there": ('on_error="skip"', 'on_error="ignore"'),
    "parallelism as text": ("parallelism=2", 'parallelism="2"'),
    "an outcome that is no outcome": ('outcome.state == "completed"', "outcome.is_completed"),
    "rows that are not those": ("(order, total[1])", "(order, total.number)"),
}


def mypy(*paths: Path) -> tuple[str, int]:
    """What mypy says in its strict mode, as the project's settings have it, and its exit code."""
    said, complaint, code = api.run(["--config-file", str(PROGRAM.parent.parent / "pyproject.toml"), *map(str, paths)])
    assert complaint == ""
    return said, code


def test_a_program_that_uses_the_api_passes_in_strict_mode_and_runs() -> None:
    said, code = mypy(PROGRAM)
    assert code == 0, said
    with leak_guard():
        assert typed_program.main() == {"tea": 600, "milk": 120}


def test_each_slip_is_found_where_it_is(tmp_path: Path) -> None:
    program = PROGRAM.read_text("utf-8")
    paths = {}
    for number, (slip, (right, wrong)) in enumerate(SLIPS.items()):
        assert program.count(right) >= 1, slip
        paths[slip] = tmp_path / f"slip_{number}.py"
        paths[slip].write_text(program.replace(right, wrong), "utf-8")
    said, code = mypy(*paths.values())
    assert code == 1
    for slip, path in paths.items():
        found = re.findall(rf"{path.name}:(\d+): error", said)
        lines = [n for n, line in enumerate(path.read_text("utf-8").splitlines(), 1) if SLIPS[slip][1] in line]
        assert {str(n) for n in lines} & set(found), (slip, said)


@pytest.mark.parametrize("package", ["runtime", "sage_nb"])
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert (PROGRAM.parent.parent / package / "py.typed").is_file()
