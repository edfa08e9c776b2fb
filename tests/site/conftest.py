"""`site`: the pages as `make docs` builds them, from a plain static server with no other host reachable."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page

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
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(built)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        said = re.search(r"port (\d+)", server.stdout.readline())
        assert said is not None
        yield Site(built, f"http://127.0.0.1:{said[1]}/")
        server.terminate()


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    """A page for one test: no script may fail in it, and nobody else be asked for anything."""
    site.elsewhere.clear()
    site.failures.clear()
    context = chromium.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)

    def asked(request: Any) -> None:
        if not request.url.startswith((site.address, "data:", "blob:")):
            site.elsewhere.append(request.url)

    context.on("request", asked)
    page = context.new_page()
    page.on("pageerror", lambda error: site.failures.append(str(error)))
    yield page
    context.close()
    assert (site.elsewhere, site.failures) == ([], [])
