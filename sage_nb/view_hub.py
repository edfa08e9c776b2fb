"""ViewHub: connects one session with everything that shows it: its widgets, its sampler, its command queue.

It knows a widget as a `Link`, and needs ipywidgets for `view` and `adopt` only.

It holds its session weakly: when nothing else holds the session it is collected, and its widgets are closed. While a
page shows a view the sampler looks at the session and sends frames; it ends with the last page. `Session.close` ends
all threads and forms. The views stay and show how the session was left, as records that cannot change.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from runtime import Session
from runtime.python.interactive import by_person
from runtime.session import Change
from sage_nb.cells import follow_cells
from sage_nb.closed_session import ClosedSession
from sage_nb.command_queue import CommandQueue, Done
from sage_nb.commands import Commands
from sage_nb.frame import Framer
from sage_nb.links import Link, ViewLink, text_of
from sage_nb.mounted_pages import MountedPages
from sage_nb.part_stills import still_of_parts
from sage_nb.plan import plan_of
from sage_nb.print_capture import PrintCapture
from sage_nb.sampler import Sampler
from sage_nb.still_updates import StillUpdates
from sage_nb.stills import Still
from sage_nb.wire import Beat, Frame, Part, Plan

if TYPE_CHECKING:
    from sage_nb.view import View

DASHBOARD: Final[tuple[Part, ...]] = ("toolbar", "graph", "table", "inspector", "timeline", "log")

STARTS: Final = ("run", "start_paused")
KEPT: Final = 16
"""So many closed sessions keep their views; when there are more, those of the oldest are closed."""

_kept: deque[ViewHub] = deque()  # of closed sessions that have views
_hubs: weakref.WeakKeyDictionary[Session, ViewHub] = weakref.WeakKeyDictionary()
_hubs_lock = threading.Lock()  # guards both above


def hub_of(session: Session) -> ViewHub:
    """The hub of this session. A new one replaces those that closed sessions of the same name have kept."""
    with _hubs_lock:
        hub = _hubs.get(session)
        if hub is None:
            hub = _hubs[session] = ViewHub(session, [each for each in _kept if each.name == session.name])
    hub.freeze_if_closed(session)
    return hub


class ViewHub:
    """All views of one session. Any thread may call."""

    def __init__(self, session: Session, older: list[ViewHub]) -> None:
        self.name = session.name
        self.pages = MountedPages()
        self._session = weakref.ref(session)
        self._lock = threading.Lock()  # guards all below
        self._older = older  # of closed sessions of this name, until this one shows something
        self._views: dict[tuple[str, ...], ViewLink] = {}
        self._closers: list[Callable[[], None]] = []
        self._lines: list[Link] = []
        self._revision = 0
        self._current: tuple[Plan, Framer] | None = None
        self._run = 0  # which run `_current` is of
        self._closed: ClosedSession | None = None  # of a closed session
        self.print_capture = PrintCapture()
        self._still_updates = StillUpdates(self._session)
        self.commands = Commands(self._session)
        self._sampler = Sampler(self._session, self)
        self.command_queue = CommandQueue(self._execute, self._sampler.look)
        session.on_change(self.changed)
        weakref.finalize(session, self._session_gone).atexit = False

    # ── widgets ──

    def view(self, parts: Sequence[Part], shown: str = "graph") -> View:
        """The widget of these parts: one for all cells that show it. Raises `ReferenceError` without its session."""
        from sage_nb.containers import follow_displays  # noqa: PLC0415  these two import ipywidgets
        from sage_nb.view import View  # noqa: PLC0415

        self.session()
        follow_cells()
        follow_displays()
        return cast("View", self.link(parts, shown, View))

    def link(self, parts: Sequence[Part], shown: str, make: Callable[..., ViewLink]) -> ViewLink:
        """The link of a view of these parts; `make` makes it, as a `View` is made, where there is none yet."""
        session = self.session()
        with self._lock:
            if (view := self._views.get((*parts, shown))) is not None:
                return view
        plan, frame = self._state(session)
        still, remember = partial(self._still, parts), self._still_updates.remember
        view = make(session.name, parts, shown, still=still, remember=remember, plan=plan, frame=text_of(frame))
        view.on_msg(self._receive)
        with self._lock:
            first = self._views.setdefault((*parts, shown), view)
        if first is not view:  # another thread was quicker
            view.close()
        elif (closed := self._closed) is not None:  # it may have been closed during this call
            view.show(closed.plan, closed.frame)
            _keep(self)
        self._replace_older()
        return first

    def _replace_older(self) -> None:
        """Close the views of older hubs, once there is a view in their place: so what views share stays open."""
        with self._lock:
            older, self._older = self._older, []
        for each in older:
            each.close_views()
            _let_go(each)

    def _still(self, parts: Sequence[Part]) -> Still:
        if (session := self._session()) is None:
            return Still()
        run, outcome = session.run_number, self._still_updates.outcome(session)
        still = still_of_parts(session, parts, outcome)
        return still if outcome is None else replace(still, run=run)

    def _state(self, session: Session) -> tuple[Plan, Frame]:
        """What a new view shows first."""
        if (closed := self._closed) is not None:
            return closed.plan, closed.frame
        while True:
            plan, framer = self.current(session)
            if (frame := framer.frame(session.snapshot(), session, (), ())) is not None:
                film = self.commands.frame_history.of(plan["revision"])
                if film:
                    frame["number"] = film[-1]["number"]
                    frame["since_s"] = film[-1]["since_s"] if self.pages.any_view else frame["since_s"]
                return plan, frame
            # The graph has changed since the plan was made.

    def adopt(self, close: Callable[[], None], line: Link) -> None:
        """Call `close` when the session is closed: of a form made elsewhere, whose last line is `line`."""
        from sage_nb.containers import follow_displays  # noqa: PLC0415  it imports ipywidgets

        follow_displays()
        line.on_msg(partial(self._receive, is_form=True))
        with self._lock:
            self._closers.append(close)
            self._lines.append(line)
        self._replace_older()

    def _receive(self, link: Link, message: Any, _buffers: object, *, is_form: bool = False) -> None:
        """From a page, on the kernel's thread: what is about mounted pages is done at once, commands wait."""
        command, args = message.get("cmd"), message.get("args") or {}
        if command == "mount":
            self._mount(str(args.get("view")), is_form=is_form)
        elif command == "unmount":
            self._unmount(str(args.get("view")))
        elif command == "page":
            link.send_page()
        elif command == "watch":
            self.pages.watch(str(args.get("view")), int(args.get("row", -1)))
        else:
            self.command_queue.put(message, link.send)

    def _mount(self, page: str, *, is_form: bool) -> None:
        self.pages.mount(page, is_form=is_form)
        if self._closed is None:
            self._sampler.begin()
        if not is_form:
            self._still_updates.seen()

    def _unmount(self, page: str) -> None:
        self.pages.unmount(page)
        if not self.pages.any:
            self._sampler.end()
        if not self.pages.any_view:
            self.commands.nobody_looks()

    # ── what the sampler asks and says ──

    @property
    def views(self) -> list[ViewLink]:
        """Those that are open."""
        with self._lock:
            return list(self._views.values())

    def current(self, session: Session) -> tuple[Plan, Framer]:
        """The plan of the graph as it was last looked at, and what makes its frames."""
        with self._lock:
            run = session.run_number
            if self._current is None or self._run != run:
                self._revision += 1
                plan = plan_of(session, self._revision)
                self._current, self._run = (plan, Framer(session, plan)), run
                self.commands.use(self._current[1])
            return self._current

    def complete(self, frame: Frame) -> None:
        """Add to a frame what only the pages know; and remember it."""
        frame["breakpoints"], frame["hits"] = self.commands.breakpoints()
        frame["printed"] = self.print_capture.total

    def beat(self, beat: Beat) -> None:
        """Tell every page that the kernel is there."""
        with self._lock:
            lines = list(self._lines)
        for each in (*self.views, *lines):
            each.send(beat)

    def send(self, frame: Frame) -> None:
        """Give every view its next frame."""
        self.commands.frame_history.add(frame)
        text = text_of(frame)
        for view in self.views:
            view.show_frame(text)

    # ── its session ──

    def session(self) -> Session:
        """The session. Raises `ReferenceError` if it is gone."""
        session = self._session()
        if session is None:
            raise ReferenceError("the session of this view is gone")
        return session

    def changed(self, change: Change) -> None:
        """The session says what has changed, on any thread."""
        if (session := self._session()) is None:
            return
        if change == "closed":
            self._freeze(session)
            return
        if change == "ended":
            self._still_updates.renew()
            return
        if change == "started" and not self.print_capture.is_printing_here():  # its prints go where that was done
            self.print_capture.close()
            self.print_capture.clear()
        with self._lock:
            if change == "built":
                self._current = None  # a run is told from the one before it by its number
            thawed, self._closed = self._closed is not None and self.pages.any, None
        _let_go(self)
        self.commands.forget()
        if change in ("started", "reset"):  # a measure is of one run, and what it has set for all would stay
            self.commands.stop_measuring()
        if thawed:
            self._sampler.begin()
        self._sampler.look()

    def freeze_if_closed(self, session: Session) -> None:
        """Freeze the hub of a session that was closed before there was a hub."""
        if self._closed is None and session.is_closed:
            self._freeze(session)

    def _execute(self, command: str, args: Mapping[str, Any]) -> Done:
        if command == "printed":
            return Done(result=self.print_capture.since(int(args.get("first", 0))))
        if command == "light":
            return self._light(args)
        if (closed := self._closed) is not None and command != "why":
            return closed.execute(command, args)
        with by_person():
            if command in STARTS and any("log" in view.parts for view in self.views):  # then there it can be seen
                return self.print_capture.run(partial(self.commands.execute, command, args))
            return self.commands.execute(command, args)

    def _light(self, args: Mapping[str, Any]) -> Done:
        """Let all views light the way that something has come, or none."""
        done = self.commands.execute("why", args) if args else Done()
        for view in self.views:
            view.send({"lit": done.result})
        return done

    def _freeze(self, session: Session) -> None:
        """The session is closed: end the threads, close the forms, and let the views show what is left of it."""
        self._sampler.close()
        plan, framer = self.current(session)
        frames = self.commands.frame_history.of(plan["revision"])
        closed = ClosedSession(session, plan, framer, frames)
        closed.frame["printed"] = self.print_capture.total
        if frames and self.pages.any_view:
            closed.frame["since_s"] = frames[-1]["since_s"]
        with self._lock:
            self._closed = closed
            views = list(self._views.values())
        self._sampler.close()  # again: a page may have been mounted in between
        self.print_capture.close()
        for view in views:
            view.show(closed.plan, closed.frame)
        if views:
            _keep(self)
        self.command_queue.wait()
        self._still_updates.wait()
        self.commands.nobody_looks()
        self.commands.forget()
        self._close_forms()

    def _session_gone(self) -> None:
        """On any thread, at any bytecode, perhaps holding one of our locks: so another thread does the work."""
        if self._closed is None or self._closers:
            threading.Thread(target=self._close_with_session, name="sage-nb close", daemon=True).start()

    def _close_with_session(self) -> None:
        """The views of a session that was closed stay."""
        if self._closed is None:
            self._close_all()
        else:
            self._close_forms()

    def _close_forms(self) -> None:
        with self._lock:
            closers, self._closers, self._lines = self._closers, [], []
        self.pages.forget_forms()
        for close in closers:
            close()

    def _close_all(self) -> None:
        """End the threads, close the widgets. What was shown stays as the still picture beside it."""
        self._sampler.close()
        _let_go(self)
        self.command_queue.close()
        self.print_capture.close()
        self._still_updates.close()
        self.commands.nobody_looks()
        self.close_views()
        self._close_forms()

    def close_views(self) -> None:
        """Close the views; a later one is a new one."""
        with self._lock:
            views, self._views = list(self._views.values()), {}
        self.pages.forget_views()
        for view in views:
            view.close()


def _keep(hub: ViewHub) -> None:
    """Keep the views of a closed session, until too many others have been closed after it."""
    with _hubs_lock:
        if hub in _kept:
            _kept.remove(hub)
        _kept.append(hub)
        oldest = _kept.popleft() if len(_kept) > KEPT else None
    if oldest is not None:
        oldest.close_views()


def _let_go(hub: ViewHub) -> None:
    """Do not keep the views of this hub any longer: its session runs again, or they were closed."""
    with _hubs_lock:
        if hub in _kept:
            _kept.remove(hub)
