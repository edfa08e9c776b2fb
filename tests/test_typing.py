"""The types of the public names are of use: a program that is right passes in strict mode, one with a slip does not."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from mypy import api

import runtime
import runtime.testing
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


# What programs without a session put together: their constructors and reports are between the runtime's own parts.
ENGINE: Final = (runtime.Dispatcher, runtime.Environment, runtime.ExecutionGraph, runtime.JobManager)
BETWEEN_PARTS: Final = ("__init__", "bind", "redirect_signals")


def public_functions() -> Iterator[tuple[str, Any]]:
    for module in (runtime, runtime.testing):
        for name in module.__all__:
            public = getattr(module, name)
            if inspect.isfunction(public):
                yield name, public
            elif inspect.isclass(public) and public not in ENGINE:
                for base in public.__mro__:
                    for member, value in vars(base).items() if base.__module__.startswith("runtime") else ():
                        function = value.fget if isinstance(value, property) else value
                        if inspect.isfunction(function) and not member.startswith("_") and member not in BETWEEN_PARTS:
                            yield f"{name}.{member}", function


def classes_in(annotation: Any) -> Iterator[type]:
    for part in annotation if isinstance(annotation, list) else typing.get_args(annotation):
        yield from classes_in(part)
    if inspect.isclass(found := typing.get_origin(annotation) or annotation):
        yield found


def test_every_type_that_a_user_meets_can_be_imported() -> None:
    """So that a program can name what it is given."""
    names = vars(runtime) | {"networkx": None, "CollectorRegistry": object}
    public = {getattr(module, name) for module in (runtime, runtime.testing) for name in module.__all__}
    for where, function in public_functions():
        for annotation in typing.get_type_hints(function, localns=names).values():
            for found in classes_in(annotation):
                assert found in public or not found.__module__.startswith("runtime."), (where, found)


@pytest.mark.parametrize("package", ["runtime", "sage_nb"])
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert (PROGRAM.parent.parent / package / "py.typed").is_file()
