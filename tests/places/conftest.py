"""Applications that have no place in `.venv`: `make test-more ARGS=places` has an environment for them."""

from __future__ import annotations

import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from tests.jupyter.notebooks import PATIENCE_MS, VIEWPORT

collect_ignore_glob = [] if find_spec("marimo") and find_spec("voila") else ["test_*.py"]

START_S: Final = 60.0

Serve = Callable[..., Page]


@pytest.fixture
def serve(tmp_path: Path, chromium: Browser) -> Iterator[Serve]:
    """Starts `python -m` with these words, which listens on a port of its choice, and opens its page."""
    processes: list[subprocess.Popen[bytes]] = []
    pages: list[Page] = []

    def serve(*words: str, port: int) -> Page:
        with (tmp_path / "server.log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-m", *words], stdout=log, stderr=log, cwd=tmp_path)
        processes.append(process)
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, process, tmp_path / "server.log")
        page = chromium.new_page(viewport=VIEWPORT, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_MS)
        pages.append(page)
        page.goto(address)
        return page

    yield serve
    for page in pages:
        page.close()
    for process in processes:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def port() -> int:
    """A port that is most likely free: neither application takes one of the system's choice and says which."""
    return 20_000 + secrets.randbelow(10_000)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it answers, whatever it answers."""
    deadline_s = monotonic() + START_S
    while True:
        assert process.poll() is None, log.read_text()
        assert monotonic() < deadline_s, log.read_text()
        try:
            urllib.request.urlopen(f"{address}/static/no-such-file", timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:  # not listening yet
            sleep(0.05)
