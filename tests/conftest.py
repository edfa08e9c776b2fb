"""What every test gets: the leak guard around it, and sessions on each platform."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from playwright.sync_api import Browser

import runtime
import sage_nb
from runtime.testing import leak_guard
from tests import browser
from tests.platforms import PLATFORMS, MakeSession, Platform
from tests.remote.cluster import end_cluster, start_cluster
from tests.remote.shared import close_pipes
from tests.remote.subset import is_left_out, wants_ray
from tests.schedules import FIRST, SCHEDULES

# The same examples in every run: what one machine has seen green is green on the next. To look for others, run with
# HYPOTHESIS_PROFILE=search.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


THREADS = ("tests/promises/", "tests/stress/", "tests/view/", *(f"tests/test_{name}.py" for name in (
    "by_value", "each_python", "errors", "far_mail", "graph", "hand_machine", "hand_order", "installing", "joined",
    "kernel", "losses", "make_venv", "operators", "partition", "partition_scalars", "random_graphs", "schedules",
    "set_ups", "size", "testing", "turns",
)))  # fmt: skip
PAGES = ("tests/page/",)


def part_of(item: pytest.Item) -> str:
    """Tests of `threads` may run beside others of them, in processes of their own, those of `pages` likewise.

    The others are `alone`: they want both cores, or the one cluster, or measure.
    """
    if not isinstance(item, pytest.Function) or wants_ray(item):
        return "alone"
    return "threads" if item.nodeid.startswith(THREADS) else "pages" if item.nodeid.startswith(PAGES) else "alone"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", choices=["threads", "pages", "alone"], help="only the tests of this part: see part_of")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "on_ray: needs the Ray cluster of the run")
    config.addinivalue_line("markers", "concurrent: one user function waits for another; not run where turns are taken")


def pytest_report_header() -> list[str]:
    """What brings new schedules back (tests/test_schedules.py)."""
    return [f"schedules: {SCHEDULES:,} new ones; SAGE_NB_SEED={FIRST}"] if "SAGE_NB_SCHEDULES" in os.environ else []


@pytest.fixture(scope="session", autouse=True)
def fonts() -> None:
    """Matplotlib keeps its font files open once it has read them: not a leak of the first test that draws."""
    sage_nb.to_svg(runtime.Session("fonts").graph)


@pytest.fixture(scope="session")
def one_chromium() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    """The browser of this run, and Playwright's event loop. It is there before the first leak guard looks."""
    with browser.chromium() as chromium:
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield chromium, loop
        asyncio._set_running_loop(loop)


@pytest.fixture
def chromium(one_chromium: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """The one Chromium. Playwright leaves its loop running, in which no other test could run one of its own."""
    chromium, loop = one_chromium
    asyncio._set_running_loop(loop)
    yield chromium
    asyncio._set_running_loop(None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests on `remote`, keep the stated subset."""
    kept = [item for item in items if not is_left_out(item)]
    # One after the other, with one cluster, that is gone before the next; behind the other tests, before the notebooks.
    notebooks = [item for item in kept if not isinstance(item, pytest.Function)]
    items[:] = [item for item in kept if isinstance(item, pytest.Function) and not wants_ray(item)]
    items += [item for item in kept if wants_ray(item)] + notebooks
    if part := config.getoption("--part"):
        items[:] = [item for item in items if part_of(item) == part]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the cluster behind the last test that wants it."""
    if wants_ray(item) and not (nextitem is not None and wants_ray(nextitem)):
        end_cluster()


@pytest.fixture(autouse=True)
def nothing_stays_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    if wants_ray(request.node):
        start_cluster()
    with leak_guard():
        yield
        close_pipes()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that asks for a session or a platform runs on each platform on which it makes sense."""
    if "platform" in metafunc.fixturenames:
        concurrent = metafunc.definition.get_closest_marker("concurrent") is not None
        fitting = [platform for platform in PLATFORMS if platform.concurrent or not concurrent]
        metafunc.parametrize("platform", fitting, ids=lambda platform: platform.name, scope="function")


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
