"""Stills in the outputs of cells, drawn anew when their run has ended: so a notebook that is saved after a run
shows how that ended, though the session was shown before it.

Only where a page has shown the session. Where none has, the notebook is run as a whole, perhaps to compare its outputs:
there each still says what was known when its cell was run. A thread of its own draws them, and exists only while there
is something to draw; it is never a thread of the job, nor the kernel's.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Final

from runtime import Outcome, Session
from sage_nb.comms import send_without_parent
from sage_nb.outputs import ShownStill

MOST: Final = 64  # of so many stills, the last ones
JOIN_S: Final = 5.0


class StillUpdates:
    """The stills of one session. Any thread may call."""

    def __init__(self, session: weakref.ref[Session]) -> None:
        self._session = session
        self._lock = threading.Lock()  # guards all below; the thread ends only with nothing left to draw
        self._stills: OrderedDict[str, tuple[ShownStill, int]] = (
            OrderedDict()
        )  # by place; and the run that each says of
        self._is_seen = False
        self._thread: threading.Thread | None = None

    def outcome(self, session: Session) -> Outcome | None:
        """How the run has ended, once that has been reported to a caller or seen in a page."""
        return session.outcome if self._is_seen else session.told_outcome

    def remember(self, shown: ShownStill, run: int) -> None:
        """Keep track of a still in a cell's output; it tells how `run` has ended, or 0 for no run."""
        with self._lock:
            self._stills.pop(shown.place, None)
            self._stills[shown.place] = shown, run
            while len(self._stills) > MOST:
                self._stills.popitem(last=False)
        self.renew()

    def seen(self) -> None:
        """A page shows the session."""
        self._is_seen = True
        self.renew()

    def renew(self) -> None:
        """Draw anew the stills that are out of date."""
        with self._lock:
            if self._thread is None and self._old():
                self._thread = threading.Thread(target=self._draw, name="sage-nb stills", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Wait until all are drawn, unless it is this thread that asks."""
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_S)

    def close(self) -> None:
        """Forget all, and wait for the one that is being drawn."""
        with self._lock:
            self._stills.clear()
        self.wait()

    def _old(self) -> list[tuple[ShownStill, int]]:
        """Those to be drawn, and the run that they are to say of. Under the lock."""
        session = self._session()
        if session is None or not self._is_seen or session.outcome is None:
            return []
        run = session.run_number
        return [(shown, run) for shown, drawn in self._stills.values() if drawn != run]

    def _draw(self) -> None:
        send_without_parent()
        try:
            while (shown := self._next()) is not None:
                shown.renew()
        except BaseException:  # it is told; what comes later gets another thread
            with self._lock:
                self._thread = None
            raise

    def _next(self) -> ShownStill | None:
        """One that is to be drawn; without one, the thread is at its end."""
        with self._lock:
            if not (old := self._old()):
                self._thread = None
                return None
            shown, run = old[0]
            self._stills[shown.place] = shown, run
            return shown
