"""Which tests want the Ray cluster, and which of the promises' tests run on `remote` as well, in which sizes.

Not all do, as each makes processes: a job may have at most four, and what a test shares with its user functions has to
be shared by processes, too (`platform.log()`, `platform.moment()`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.platforms import Platform

Sizes = Mapping[str, Any]

TESTS: Final[Mapping[str, Sizes]] = {}
"""By name: the one size in which it runs; of parameters that are not named here every value."""


def wants_ray(item: pytest.Item) -> bool:
    """Whether this test needs the cluster."""
    return item.get_closest_marker("on_ray") is not None or _platform_of(item) == "remote"


def is_left_out(item: pytest.Item) -> bool:
    """Whether this is a test of the promises, on `remote`, that is not in the subset."""
    if not isinstance(item, pytest.Function) or _platform_of(item) != "remote":
        return False
    sizes = TESTS.get(item.originalname or "")
    if sizes is None:
        return os.environ.get("REMOTE_ALL") is None
    return any(item.callspec.params.get(name) != size for name, size in sizes.items())


def _platform_of(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    platform = None if callspec is None else callspec.params.get("platform")
    return platform.name if isinstance(platform, Platform) else ""
