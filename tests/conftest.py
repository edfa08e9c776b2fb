"""What every test gets: the leak guard around it, and sessions on each platform."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

import runtime
import sage_nb
from runtime.testing import leak_guard
from tests import browser, effort
from tests.fixtures import add_markers, make_session, pytest_generate_tests, session, unstarted
from tests.parts import PARTS, InParts, in_order, place_of, wants_ray
from tests.remote.cluster import end_cluster, start_cluster
from tests.remote.shared import close_pipes
from tests.schedules import FIRST, SCHEDULES

__all__ = ["make_session", "pytest_generate_tests", "session", "unstarted"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", choices=list(PARTS), help="only the tests of this part: see tests/parts.py")
    effort.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    add_markers(config)
    effort.begin(config)


def pytest_report_header() -> list[str]:
    """What brings new schedules back (tests/test_schedules.py)."""
    return [f"schedules: {SCHEDULES:,} new ones; SAGE_NB_SEED={FIRST}"] if "SAGE_NB_SCHEDULES" in os.environ else []


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> None:
    """A shell starts what is to run in the background with SIGINT ignored, and Python keeps to that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def fonts() -> None:
    """Matplotlib keeps its font files open once it has read them: not a leak of the first test that draws."""
    sage_nb.to_svg(runtime.Session("fonts").graph)


@pytest.fixture(scope="session")
def one_chromium() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    """The browser of this run, and Playwright's event loop. It is there before the first leak guard looks."""
    with browser.kept(browser.chromium()) as one:
        yield one


@pytest.fixture
def chromium(one_chromium: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """The one Chromium."""
    with browser.lent(one_chromium) as chromium:
        yield chromium


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    part = config.getoption("--part")
    wanted = in_order(effort.only_wanted(config, items))
    items[:] = [item for item in wanted if part is None or place_of(item.nodeid).part == part]


def pytest_collection_finish() -> None:
    """Half a million objects are here to stay: the many collections of garbage in tests need not visit them."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InParts:
    """One run, in as many processes as are allowed, keeps to the parts by itself."""
    return InParts(config, log)


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
    assert sys.exc_info()[1] is None, "an error is still being handled, and would be shown as the context of others"
