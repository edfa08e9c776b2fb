"""Runs pytest inside of Python in WebAssembly: `main` is called there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import runtime  # noqa: F401  its layer comes first, before anything takes a lock

OPTIONS: Final = (
    *("-c", "tests/in_node/pytest.ini", "--rootdir", "/tree", "--noconftest", "-p", "tests.in_node.plugin"),
    *("-p", "no:cacheprovider", "-p", "no:faulthandler", "--tb=short", "-q"),
)


def main(given: Sequence[str]) -> int:
    """Run what is asked for; where no path is given, the tests of the layer."""
    import pytest

    return int(pytest.main([*OPTIONS, *given]))
