"""Profiling: looking again and again where tasks stand, on the thread of whoever asks. Changes and holds nothing."""

from __future__ import annotations

import sys
from collections import Counter
from math import isfinite
from threading import Event
from time import monotonic
from typing import Final

from runtime.control.workers import Workers
from runtime.errors import CommandRefused, GraphInvalid
from runtime.python.stacks import Stack
from runtime.reporting.profile import Profile
from runtime.texts.preview import preview

EVERY_S: Final = 0.005
LONGEST_S: Final = 3_600.0


def profile(workers: Workers, name: str, seconds: float) -> Profile:
    """Look for so long, or until the job has ended. Raises `UnknownName`, `GraphInvalid`, `CommandRefused`."""
    if type(seconds) not in (int, float) or not isfinite(seconds) or not 0 < seconds <= LONGEST_S:
        raise GraphInvalid(f"profile() looks for more than 0 seconds, at most {LONGEST_S:,.0f}, not {preview(seconds)}")
    if sys.platform == "emscripten":
        raise CommandRefused("profile() needs a thread that looks while others work, and a browser has none to spare")
    if workers.backend.changes.seeded is not None:
        raise CommandRefused(
            "profile() would see nothing but waits under a seed, where threads change with each packet; run it without "
            "one, or look at session.snapshot().times"
        )
    handles = workers.find(name)
    stacks: Counter[Stack] = Counter()
    looks, began_s, pause = 0, monotonic(), Event()
    while True:
        for handle in handles:
            for stack in handle.control.stacks():
                looks += 1
                if stack is not None:
                    stacks[stack] += 1
        passed_s = monotonic() - began_s
        if passed_s >= seconds or all(handle.is_gone() for handle in handles):
            return Profile(name, passed_s, looks, stacks)
        pause.wait(min(EVERY_S, seconds - passed_s))
