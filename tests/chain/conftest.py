"""Here every session has chains that does not say otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chain.forced import chaining


@pytest.fixture(autouse=True)
def _chaining() -> Iterator[None]:
    with chaining():
        yield
