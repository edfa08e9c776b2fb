"""The fixtures of all tests, without browsers and without Ray: a plugin of the pytest that runs inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from runtime.testing import leak_guard
from tests.fixtures import add_markers, make_session, pytest_generate_tests, session, unstarted
from tests.in_node.chosen import choose

__all__ = ["make_session", "pytest_generate_tests", "session", "unstarted"]

SHARE: Final = pytest.StashKey[tuple[int, dict[str, str]]]()
"""How many functions were chosen, and why others were not."""


def pytest_configure(config: pytest.Config) -> None:
    """As for all tests."""
    add_markers(config)


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """As after all tests."""
    with leak_guard():
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the promises one item for each function; of the tests of the layer all."""
    promises = [item for item in items if "tests/promises/" in item.nodeid]
    chosen, left_out = choose(promises)
    items[:] = [item for item in items if item not in set(promises)] + chosen
    if promises:
        config.stash[SHARE] = (len(chosen), left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many of the functions there were, and why some were not."""
    if SHARE in config.stash:
        number, left_out = config.stash[SHARE]
        reasons = Counter(left_out.values())
        terminalreporter.write_line(f"{number} of {number + len(left_out)} test functions of tests/promises")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"  {count} left out: {reason}")
