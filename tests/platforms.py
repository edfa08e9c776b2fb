"""The platforms on which the promises are held, and what a test needs to be the same on all of them.

Another platform joins as one more entry in `PLATFORMS`; the tests stay as they are. What user functions of a test share
with the test is made by the platform: `moment()` to wait for, `log()` to write down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import runtime
from runtime.testing import Moment
from tests.remote.shared import SharedLog, SharedMoment
from tests.shared_log import Log
from tests.touch import coded_threads

coded_threads.register()


class MakeSession(Protocol):
    """Makes a session on the platform under test, and closes it behind the test."""

    def __call__(self, name: str | None = None, **settings: Any) -> runtime.Session: ...


@dataclass(frozen=True)
class Platform:
    """How to make a session there, and what its user functions can share with a test.

    `concurrent`: whether two user functions can be at work at once. Where turns are handed out one by one they cannot,
    and a test in which one packet waits for another (marked `concurrent`) makes no sense.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    concurrent: bool = True
    moment: Callable[[], Moment] = Moment
    log: Callable[[], Any] = Log


REMOTE: Final = Platform("remote", {"platform": "remote"}, moment=SharedMoment, log=SharedLog)
"""For tests that say so: a job there makes processes, and may have at most four."""

BETWEEN: Final = Platform("between", {"platform": "between"})
"""For tests that say so: each task on threads of this process, and all that goes between two of them packed."""

PLATFORMS: Final = (
    Platform("local", {"platform": "local"}),
    Platform("seeded", {"platform": "local", "seed": 20_100}, concurrent=False),
    BETWEEN,
    REMOTE,
)
