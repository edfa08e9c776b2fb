"""Stage: what stands between one session and everything that shows it: its widgets, its sampler, its desk.

It holds its session weakly: a session that nobody else holds any more goes, and its widgets with it. While a page shows
a view the sampler looks at the session and sends frames; with the last page it ends. `Session.close` closes all.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

from runtime import Session
from runtime.session import Change
from sage_nb.commands import Commands
from sage_nb.desk import Desk
from sage_nb.frame import Framer
from sage_nb.plan import plan_of
from sage_nb.sampler import Sampler
from sage_nb.view import View
from sage_nb.wire import Frame, Part, Plan

DASHBOARD: Final[tuple[Part, ...]] = ("toolbar", "graph", "table", "inspector", "timeline", "log")

_stages: weakref.WeakKeyDictionary[Session, Stage] = weakref.WeakKeyDictionary()
_stages_lock = threading.Lock()  # guards _stages


def stage_of(session: Session) -> Stage:
    """The one stage of this session."""
    with _stages_lock:
        stage = _stages.get(session)
        if stage is None:
            stage = _stages[session] = Stage(session)
        return stage


class Stage:
    """All views of one session. Any thread may call."""

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session)
        self._lock = threading.Lock()  # guards all below
        self._views: dict[tuple[str, ...], View] = {}
        self._closers: list[Callable[[], None]] = []
        self._pages: dict[str, int] = {}  # those that are mounted, and the row whose lanes each watches
        self._revision = 0
        self._current: tuple[Plan, Framer] | None = None
        self.commands = Commands(self._session)
        self._sampler = Sampler(self._session, self)
        self.desk = Desk(self.commands.execute, self._sampler.look)
        session.on_change(self.changed)
        weakref.finalize(session, self._session_gone).atexit = False

    # ── widgets ──

    def view(self, parts: Sequence[Part], shown: str = "graph") -> View:
        """The widget of these parts: one for all cells that show it. Raises `ReferenceError` without its session."""
        session = self.session()
        plan, framer = self.current(session)
        with self._lock:
            if (view := self._views.get((*parts, shown))) is not None:
                return view
        frame = framer.frame(session.snapshot(), session, (), ())
        view = View(session.name, parts, shown, plan=plan, frame=json.dumps(frame))
        view.on_msg(self._receive)
        with self._lock:
            first = self._views.setdefault((*parts, shown), view)
        if first is not view:  # another thread was quicker
            view.close()
        return first

    def adopt(self, close: Callable[[], None]) -> None:
        """Call `close` when the session is closed: of a widget made elsewhere."""
        with self._lock:
            self._closers.append(close)

    def _receive(self, view: View, message: Any, _buffers: object) -> None:
        """From a page, on the kernel's thread: only what tells who looks is done at once."""
        command, args = message.get("cmd"), message.get("args") or {}
        if command == "mount":
            self._mount(str(args.get("view")))
        elif command == "unmount":
            self._unmount(str(args.get("view")))
        elif command == "watch":
            page, row = str(args.get("view")), int(args.get("row", -1))
            with self._lock:
                if page in self._pages:
                    self._pages[page] = row
        else:
            self.desk.put(message, view.send)

    def _mount(self, page: str) -> None:
        with self._lock:
            self._pages[page] = -1
        self._sampler.begin()

    def _unmount(self, page: str) -> None:
        with self._lock:
            self._pages.pop(page, None)
            last = not self._pages
        if last:
            self._sampler.end()
            self.commands.nobody_looks()

    # ── what the sampler asks and says ──

    @property
    def watched(self) -> set[int]:
        """The rows whose lanes some page wants to see."""
        return set(self._pages.values())

    @property
    def views(self) -> list[View]:
        """The widgets that are open."""
        with self._lock:
            return list(self._views.values())

    def current(self, session: Session) -> tuple[Plan, Framer]:
        """The plan of the graph as it was last looked at, and what makes its frames."""
        with self._lock:
            if self._current is None:
                self._revision += 1
                plan = plan_of(session, self._revision)
                self._current = plan, Framer(session, plan)
                self.commands.use(self._current[1])
            return self._current

    def complete(self, frame: Frame) -> None:
        """Add to a frame what only the pages know; and remember it."""
        frame["breakpoints"], frame["hits"] = self.commands.breakpoints()
        if frame["state"] in ("running", "draining"):
            self.commands.looks.append(frame["states"])

    def send(self, frame: Frame) -> None:
        """Give every view its next frame."""
        text = json.dumps(frame, separators=(",", ":"))
        for view in self.views:
            view.frame = text

    # ── its session ──

    def session(self) -> Session:
        """The session. Raises `ReferenceError` if it is gone."""
        session = self._session()
        if session is None:
            raise ReferenceError("the session of this view is gone")
        return session

    def changed(self, change: Change) -> None:
        """The session tells what has become of it, on whichever thread."""
        if change == "closed":
            self._close_all()
            return
        if change != "built":
            self.commands.forget()
        with self._lock:
            self._current = None  # a run is told from the one before it by the revision, too
        self.commands.forget()
        self._sampler.look()

    def _session_gone(self) -> None:
        """On whichever thread has noticed, in the midst of anything, maybe with one of these locks: so on another."""
        threading.Thread(target=self._close_all, name="sage-nb close", daemon=True).start()

    def _close_all(self) -> None:
        """End the threads, close the widgets. What was shown stays as the still picture beside it."""
        self._sampler.close()
        with self._lock:
            views, self._views = list(self._views.values()), {}
            closers, self._closers = self._closers, []
            self._pages.clear()
        self.desk.close()
        self.commands.nobody_looks()
        for view in views:
            view.close()
        for close in closers:
            close()
