"""The server that the other tests here use: it gets a port that nobody can take from it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.jupyter.server import server


def test_a_server_starts_though_others_take_ports_while_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, taken = subprocess.Popen, ExitStack()

    def start_late(command: list[str], **options: Any) -> Any:
        """As if another process were quicker to listen where this one was told to."""
        for port in re.findall(r"--ServerApp.port=([1-9]\d*)", " ".join(command)):
            other = taken.enter_context(socket.socket())
            other.bind(("127.0.0.1", int(port)))
            other.listen()
        return start(command, **options)

    monkeypatch.setattr(subprocess, "Popen", start_late)
    with taken, server(tmp_path, tmp_path) as found:
        status = urllib.request.urlopen(f"{found.address}/api/status?token={found.token}")
        with status:
            assert "started" in json.load(status)
