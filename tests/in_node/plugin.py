"""The fixtures of all tests, without browsers and without Ray: a plugin of the pytest that runs inside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.testing import leak_guard
from tests.fixtures import add_markers, make_session, pytest_generate_tests, session, unstarted

__all__ = ["make_session", "pytest_generate_tests", "session", "unstarted"]


def pytest_configure(config: pytest.Config) -> None:
    """As for all tests."""
    add_markers(config)


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """As after all tests."""
    with leak_guard():
        yield
