"""The one Firefox of a test run. FIREFOX names the program; else one is looked for on PATH, and there must be one."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

NAMES: Final = ("firefox-esr", "firefox")
ROOT: Final = Path(__file__).parents[2]
PREFERENCES: Final[dict[str, str | float | bool]] = {
    # A request to anywhere but this machine fails at once.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1",
    "ui.prefersReducedMotion": 1,
}
DARK: Final = "layout.css.prefers-color-scheme.content-override"  # 0: dark, 1: light


@contextmanager
def firefox(dark: bool = False) -> Iterator[Browser]:
    """A headless Firefox, closed at the end; its pages are light, or all are dark."""
    program = os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)
    if not program:
        raise RuntimeError(
            f"no Firefox: put one of {', '.join(NAMES)} on PATH, or set FIREFOX; sh tools/need_firefox.sh"
        )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        between = Path(folder) / "firefox"
        command = shlex.join((sys.executable, "-m", "tests.site.bidi", program))
        between.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {command} "$@"\n', "utf-8")
        between.chmod(0o755)
        browser = playwright.firefox.launch(
            channel="moz-firefox",  # by WebDriver BiDi
            executable_path=between,
            headless=True,
            firefox_user_prefs={**PREFERENCES, DARK: int(not dark)},
        )
        try:
            yield browser
        finally:
            browser.close()
