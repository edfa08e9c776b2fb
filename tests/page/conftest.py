"""`load`: a view in a page of its own (tests/page/harness.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.page.harness import Harness, Shown


@pytest.fixture
def load(chromium: Browser) -> Iterator[Callable[..., Shown]]:
    """`load(plan, frame, …)` shows a view; at the end, no script may have failed."""
    harness = Harness(chromium)
    yield harness.load
    harness.close()
