"""A Jupyter server of the test run's own: nothing of the user's configuration is read, nothing of it is changed."""

from __future__ import annotations

import os
import secrets
import socket
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = Server(f"http://127.0.0.1:{port}", secrets.token_hex(8), folder)
    environment = os.environ | {"IPYTHONDIR": str(home / "ipython")}
    environment |= {f"JUPYTER_{place}": str(home / place) for place in _PLACES}
    environment |= {f"JUPYTERLAB_{place}": str(home / place) for place in _LAB_PLACES}
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(_command(found, port), env=environment, stdout=log, stderr=log)
    try:
        _wait(found, process, home / "server.log")
        yield found
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(server: Server, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        # `window.jupyterapp`: each of the two applications reads its own flag.
        *("--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"),
        *(f"--IdentityProvider.token={server.token}", f"--ServerApp.root_dir={server.folder}"),
        # No news and no update check: neither has anything to reach, and both ask questions on top of the page.
        *(
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        ),
    ]


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it answers. It has no other way to say so."""
    deadline_s = monotonic() + START_S
    while True:
        assert process.poll() is None, log.read_text()
        assert monotonic() < deadline_s, log.read_text()
        try:
            urllib.request.urlopen(f"{server.address}/api/status?token={server.token}", timeout=2).close()
            return
        except OSError:
            sleep(0.05)
