"""The frames that pages were sent of a run, at most so many: for a page that comes later. Knows frames, no page."""

from __future__ import annotations

import threading
from typing import Final

from sage_nb.wire import Frame

MOST_FRAMES: Final = 300  # even


class FrameHistory:
    """The frames of one run, thinned out evenly when there are too many. Any thread may read; one adds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._frames: list[Frame] = []
        self._every = 1  # of how many frames one is kept; doubles when there are too many
        self._seen = 0

    def add(self, frame: Frame) -> None:
        """Keep a frame, without its events, which are asked for by number."""
        with self._lock:
            if self._frames and self._frames[-1]["revision"] != frame["revision"]:
                self._frames, self._every, self._seen = [], 1, 0
            # The newest is always there; of the others, every nth stays.
            if len(self._frames) > 1 and (self._seen - 1) % self._every:
                self._frames.pop()
            self._frames.append({**frame, "events": []})
            self._seen += 1
            if len(self._frames) > MOST_FRAMES:
                self._frames = self._frames[::2]  # the first and the newest among them
                self._every *= 2
                self._seen = 1  # the newest counts as the first of its period

    def of(self, revision: int) -> list[Frame]:
        """The frames of the plan of this revision, in order."""
        with self._lock:
            return [frame for frame in self._frames if frame["revision"] == revision]
