"""Where a run took place, and how busy others kept the machine: figures have to say so. Measures no figure."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, Final

LOADED_CORES: Final = 0.25
"""From here on we say that the machine was busy with something else."""

_STAT: Final = Path("/proc/stat")


class Neighbours:
    """How much of the machine others use from now on."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._busy_s, self._own_s = _busy_s(), _own_s()
        self._load = os.getloadavg()[0]

    def facts(self) -> dict[str, Any]:
        """The machine, and how many of its cores others have kept busy; None where that cannot be known."""
        took_s = time.monotonic() - self._began_s
        busy_s = _busy_s()
        others = None
        if busy_s is not None and self._busy_s is not None:
            others = max(0.0, busy_s - self._busy_s - (_own_s() - self._own_s)) / took_s
        return {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "platform": platform.platform(),
            "cores": os.cpu_count(),
            "switch_interval_s": sys.getswitchinterval(),
            "load_before": self._load,
            "load_after": os.getloadavg()[0],
            "cores_used_by_others": others,
            "took_s": took_s,
        }


def _own_s() -> float:
    """CPU time of this process and the children it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy_s() -> float | None:
    """CPU time of the whole machine, stolen time included: user, nice, system, irq, softirq, steal."""
    if not _STAT.exists():
        return None
    ticks = [int(field) for field in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
