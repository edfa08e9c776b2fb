"""`site`: the pages as `make docs` builds them, from a plain static server with no other host reachable."""

from __future__ import annotations

import asyncio
import runpy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import chromium, kept, lent
from tests.site.firefox import firefox
from tests.site.serving import served

ROOT: Final = Path(__file__).parents[2]
TOOL: Final = ROOT / "tools" / "browser_site.py"
PATIENCE_MS: Final = 240_000
"""For a page to have loaded Python on a slow machine; how long it takes is measured, not tested."""


@dataclass
class Site:
    """Where it is, and what was asked of it."""

    folder: Path
    address: str
    elsewhere: list[str] = field(default_factory=list)  # what pages have asked of others
    failures: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs" / "extra", folder, dirs_exist_ok=True)
    runpy.run_path(str(TOOL))["main"](folder)
    return folder


@pytest.fixture(scope="session")
def site(built: Path) -> Iterator[Site]:
    with served(built) as address:
        yield Site(built, address)


@pytest.fixture(scope="session", params=["chromium"])
def one_browser(request: pytest.FixtureRequest) -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    """The browser of the tests that follow; of one that names none, Chromium. It is there before a leak guard looks."""
    with kept(chromium() if request.param == "chromium" else firefox()) as one:
        yield one


BOTH: Final = pytest.mark.parametrize("one_browser", ["chromium", "firefox"], indirect=True)


@pytest.fixture
def page(site: Site, one_browser: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Page]:
    """A page for one test: no script may fail in it, and nobody else be asked for anything."""
    site.elsewhere.clear()
    site.failures.clear()

    def asked(request: Any) -> None:
        if not request.url.startswith((site.address, "data:", "blob:")):
            site.elsewhere.append(request.url)

    with lent(one_browser) as browser:
        context = browser.new_context(viewport={"width": 1400, "height": 1000}, **media_of(browser))
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", asked)
        page = context.new_page()
        page.on("pageerror", lambda error: site.failures.append(str(error)))
        yield page
        context.close()
    assert (site.elsewhere, site.failures) == ([], [])


def media_of(browser: Browser) -> dict[str, Any]:
    """What its pages are to prefer; Firefox has that from its own preferences."""
    if browser.browser_type.name == "firefox":
        return {"color_scheme": "null"}
    return {"color_scheme": "light", "reduced_motion": "reduce"}
