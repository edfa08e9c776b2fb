"""What a planted bug is: where it goes, what it changes, and which tests are to see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SWITCH: Final = "__import__('time').sleep(0)"
"""Lets another thread go on where CPython happens not to."""


@dataclass(frozen=True)
class Change:
    """In a file of `runtime/`, what stands there (exactly once), and what is to stand there instead."""

    file: str
    text: str
    instead: str


@dataclass(frozen=True)
class Mutant:
    """A bug, and the tests that are to turn red; of a harmless change, those that are to stay green."""

    bug: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]
    harmless: bool = False

    def files(self) -> set[str]:
        """The files of the tree that it is about: those that it changes, and those of its tests."""
        changed = {f"runtime/{change.file}" for change in self.changes}
        return changed | {f"tests/{test.partition('::')[0]}" for test in self.tests}


def one(bug: str, file: str, text: str, instead: str, *tests: str, harmless: bool = False) -> Mutant:
    """A bug in one place."""
    return Mutant(bug, (Change(file, text, instead),), tests, harmless)


def of(file: str, test: str = "") -> str:
    """A test of the promises, or all of that file."""
    return f"promises/test_{file}.py{'::' * bool(test)}{test}"
