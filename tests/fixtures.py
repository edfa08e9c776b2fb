"""What tests of sessions are given, wherever they run: sessions on each platform, examples, markers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

import runtime
from tests.pairs import rows_of
from tests.platforms import BETWEEN, PLATFORMS, REMOTE, MakeSession, Platform

# The same examples in every run: what one machine has seen green is green on the next. To look for others, run with
# HYPOTHESIS_PROFILE=search.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def add_markers(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "on_ray: needs the Ray cluster of the run")
    config.addinivalue_line("markers", "also_remote: runs on the platform `remote` as well")
    config.addinivalue_line("markers", "also_between: runs between processes that are threads (tests/touch) as well")
    config.addinivalue_line("markers", "long: run with --long only, see tests/effort.py")
    config.addinivalue_line("markers", "long_on_ray: on the platform `remote` in a long run only")
    config.addinivalue_line("markers", "every_pair_of: see tests/pairs.py")
    config.addinivalue_line("markers", "concurrent: one user function waits for another; not run where turns are taken")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that asks for a session or a platform runs on each platform on which it makes sense."""
    marker = metafunc.definition.get_closest_marker
    platforms = {
        platform.name: platform
        for platform in PLATFORMS
        if "platform" in metafunc.fixturenames
        and (platform.concurrent or not marker("concurrent"))
        and (platform is not REMOTE or marker("also_remote"))
        and (platform is not BETWEEN or marker("also_between"))
    }
    if (sizes := marker("every_pair_of")) is not None:
        names, rows = rows_of(sizes, platforms, REMOTE)
        values = {"-".join(size.name for size in row): [size.value for size in row] for row in rows}
        metafunc.parametrize(names, [_row(name, row, metafunc.definition) for name, row in values.items()])
    elif platforms:
        values = {name: [platform] for name, platform in platforms.items()}
        metafunc.parametrize("platform", [_row(name, row, metafunc.definition) for name, row in values.items()])


def _row(name: str, values: list[Any], test: pytest.Item) -> Any:
    """Parameters of a test, and whether only a long run has them."""
    is_long = REMOTE in values and test.get_closest_marker("long_on_ray") is not None
    return pytest.param(*values, id=name, marks=[pytest.mark.long] if is_long else [])


@pytest.fixture
def make_session(platform: Platform) -> Iterator[MakeSession]:
    sessions: list[runtime.Session] = []

    def make(name: str | None = None, **settings: Any) -> runtime.Session:
        session = runtime.Session(name, **{**platform.options, **settings})
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def session(make_session: MakeSession) -> runtime.Session:
    return make_session("test")


@pytest.fixture
def unstarted() -> runtime.Session:
    """For what is refused of a graph while it is written: it is the same on every platform."""
    return runtime.Session("test")
