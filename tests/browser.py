"""The one Chromium of a test run. CHROMIUM names the program; else one is looked for on PATH, and there must be one."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--no-sandbox",  # containers run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",  # /dev/shm is tiny in containers
    "--disable-quic",  # these five: no traffic but ours, no delays at the start
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A request to anywhere but this machine fails at once, instead of hanging where there is no network. Playwright's
    # own way to refuse requests would switch the browser's cache off, and every notebook would load all of JupyterLab.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium, closed at the end. Only one at a time: Playwright refuses a second one in a thread."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not program:
        raise RuntimeError(
            f"no Chromium: put one of {', '.join(NAMES)} on PATH, or set CHROMIUM; sh tools/need_chromium.sh"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def kept(opened: AbstractContextManager[Browser]) -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    """A browser for many tests, and Playwright's event loop: it is left running, in which nobody else could run one."""
    with opened as browser:
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield browser, loop
        asyncio._set_running_loop(loop)


@contextmanager
def lent(one: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """That browser for one test, with its loop."""
    browser, loop = one
    asyncio._set_running_loop(loop)
    yield browser
    asyncio._set_running_loop(None)
