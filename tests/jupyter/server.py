"""A Jupyter server of the test run's own: nothing of the user's configuration is read, nothing of it is changed."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final

START_S: Final = 60.0
_PLACES: Final = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
_LAB_PLACES: Final = ("SETTINGS_DIR", "WORKSPACES_DIR")


@dataclass(frozen=True)
class Server:
    """Where it is, what it asks for, and which folder it serves."""

    address: str
    token: str
    folder: Path


@contextmanager
def server(home: Path, folder: Path) -> Iterator[Server]:
    """A server that serves `folder`, with all that it keeps in `home`; ended at the end."""
    token = secrets.token_hex(8)
    environment = os.environ | {"IPYTHONDIR": str(home / "ipython")}
    environment |= {f"JUPYTER_{place}": str(home / place) for place in _PLACES}
    environment |= {f"JUPYTERLAB_{place}": str(home / place) for place in _LAB_PLACES}
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(_command(token, folder), env=environment, stdout=log, stderr=log)
    try:
        yield Server(_address(token, process, home), token, folder)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(token: str, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        # `window.jupyterapp`: each of the two applications reads its own flag.
        *("--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True"),
        # A port that is free, whichever that is: one that was looked for here could be taken by then.
        *("--ServerApp.port=0", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"),
        # No news and no update check: neither has anything to reach, and both ask questions on top of the page.
        *(
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        ),
    ]


def _address(token: str, process: subprocess.Popen[bytes], home: Path) -> str:
    """Where the server is, once it answers: it says so in its runtime file, and whether it answers, by answering."""
    deadline_s = monotonic() + START_S
    while True:
        assert process.poll() is None, (home / "server.log").read_text()
        assert monotonic() < deadline_s, (home / "server.log").read_text()
        try:
            told = json.loads((home / "RUNTIME_DIR" / f"jpserver-{process.pid}.json").read_text())
            address = f"http://127.0.0.1:{told['port']}"
            urllib.request.urlopen(f"{address}/api/status?token={token}", timeout=2).close()
            return address
        except (OSError, json.JSONDecodeError):  # not there yet, half written, or not listening yet
            sleep(0.05)
