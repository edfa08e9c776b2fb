"""Sampler: looks at a session several times a second, as long as a page shows it, and sends a frame if it has changed.

One daemon thread at most, none without a page. While nothing can change (before a start) it looks when it is told to,
and otherwise only says that the kernel is there. Tasks are never asked to do anything: it reads what they count anyway.
"""

from __future__ import annotations

import math
import threading
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from runtime import Session
from sage_nb.cells import is_a_cell_running
from sage_nb.comms import send_without_parent
from sage_nb.wire import Beat

if TYPE_CHECKING:
    from sage_nb.view_hub import ViewHub

PERIOD_S: Final = 0.1
IDLE_S: Final = 1.0  # after the end of a run letters can still be retried or discarded
BEAT_S: Final = 0.5  # after 2 s without one, a page concludes that its kernel has gone
JOIN_S: Final = 2.0
_RUNNING: Final = ("running", "draining")


class Sampler:
    """Looks at one session."""

    def __init__(self, session: weakref.ref[Session], hub: ViewHub) -> None:
        self._session, self._hub = session, hub
        self._lock = threading.Lock()  # guards both below: the thread ends only when nobody wants it
        self._thread: threading.Thread | None = None
        self._wanted = False
        self._news = threading.Event()  # set when there is something to look at, or no page any more
        # The thread's own: what was sent last.
        self._revision = self._number = self._seen = self._beats = 0
        self._since_s = 0.0  # from when on it has looked at this run
        self._is_first = True  # nobody has looked just before
        self._last: dict[str, Any] = {}
        self._sent_to: list[Any] = []

    def begin(self) -> None:
        """A page is there from now on."""
        with self._lock:
            self._wanted = True
            if self._thread is None or not self._thread.is_alive():  # whatever has ended the last one
                self._thread = threading.Thread(target=self._look_on, name="sage-nb sampler", daemon=True)
                self._thread.start()
        self._news.set()

    def look(self) -> None:
        """Something has happened: look now."""
        self._news.set()

    def end(self) -> None:
        """No page is there any more."""
        with self._lock:
            self._wanted = False
        self._news.set()

    def close(self) -> None:
        """End, and wait for it, unless it is this thread that asks."""
        with self._lock:
            thread, self._wanted = self._thread, False
        self._news.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_S)

    def _look_on(self) -> None:
        send_without_parent()
        self._is_first = True
        look_s = beat_s = 0.0  # when to look, and to say something, at the latest
        was_running = False
        while self._goes_on():
            session = self._session()
            if session is None:
                return
            told, now_s = self._news.is_set(), monotonic()
            if told:  # otherwise it might be set at this moment, and be missed
                self._news.clear()
            if now_s >= beat_s:
                beat_s = now_s + BEAT_S
                self._beats += 1
                self._hub.beat(Beat(beat=self._beats, busy=is_a_cell_running()))
            if told or now_s >= look_s:
                status = session.status  # before the look, so that the last look comes after the end
                if self._hub.pages.any_view:
                    self.sample(session)
                else:
                    self._is_first = True
                running = status in _RUNNING
                # At the end, and once more: the last events come a moment after the outcome.
                pause_s = PERIOD_S if running or was_running else math.inf if status == "new" else IDLE_S
                look_s, was_running = monotonic() + pause_s, running
            del session  # a session is not kept alive by this wait
            self._news.wait(max(0.0, min(look_s, beat_s) - monotonic()))

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._wanted:
                self._thread = None
            return self._wanted

    def sample(self, session: Session) -> None:
        """Look once, and send what has changed."""
        run = session.run_number
        plan, framer = self._hub.current(session)
        if plan["revision"] != self._revision:
            self._revision, self._seen, self._last, self._since_s = plan["revision"], 0, {}, 0.0
        views = self._hub.views
        for view in views:  # each by itself: one may have been made while another thread told of the change
            if view.plan["revision"] != plan["revision"]:
                view.show_plan(plan)
        end, events = session.events_since(self._seen)
        frame = framer.frame(session.snapshot(), session, self._hub.pages.rows, events)
        if frame is None or session.run_number != run:  # graph or run has changed: it would mix two
            self._news.set()
            return
        if self._is_first:
            self._is_first, self._since_s = False, frame["at_s"]
        frame["since_s"] = self._since_s
        self._hub.complete(frame)
        self._seen = end
        compared = {**frame, "at_s": 0}
        if compared != self._last or views != self._sent_to:
            self._last, self._sent_to = {**compared, "events": []}, views
            self._number += 1
            frame["number"] = self._number
            self._hub.send(frame)
