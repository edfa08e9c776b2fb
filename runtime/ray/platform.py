"""Where the platform `remote` begins: says what to install where Ray is not there."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import Final

from runtime.errors import GraphInvalid, NotInBrowser
from runtime.factory.backend import Backend
from runtime.python.installing import install_command

OLDEST: Final = (2, 48)
"""The oldest Ray that works: before it, `wait()` does not end."""

_START_LIMIT: Final = "RAY_raylet_start_wait_time_s"


def remote_backend() -> Backend:
    """What runs one job on Ray. Raises `GraphInvalid` if Ray is not installed, or too old; `NotInBrowser`."""
    if sys.platform == "emscripten":
        raise NotInBrowser(
            "platform 'remote' runs tasks in processes of their own, which a tab of a browser has not; use "
            "platform='local', which is the default"
        )
    refuse_old_ray()
    if "ray" not in sys.modules:
        logging.getLogger("ray.widgets").setLevel(logging.ERROR)  # it recommends packages, in whatever cell imports it
        os.environ.setdefault(_START_LIMIT, "100")  # its own, of 30 seconds, is short beside other work
    try:
        from runtime.ray.backend import RayBackend  # noqa: PLC0415  only for those who ask for it
    except ModuleNotFoundError as error:
        if error.name not in ("ray", "tblib"):
            raise
        raise GraphInvalid(f"platform 'remote' needs {error.name}: {install_command('ray')}") from error
    return RayBackend()


def refuse_old_ray() -> None:
    """Raise `GraphInvalid` if the Ray that is installed is older than the oldest that works."""
    import importlib.metadata  # noqa: PLC0415  as in `runtime/reporting/face.py`

    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:  # a build of one's own, or none: importing it tells
        return
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise GraphInvalid(
            f"platform 'remote' needs Ray {oldest} or newer, and {version} is installed, on which a job would not end: "
            f"{install_command('ray')}"
        )
