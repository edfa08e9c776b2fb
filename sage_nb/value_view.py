"""The widget of live values, and what keeps it going while a page shows it: one thread, ten looks a second."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import traitlets

from sage_nb.comms import send_without_parent
from sage_nb.outputs import HasStill, ShownStill, show
from sage_nb.stills import Still
from sage_nb.value_feed import Feed
from sage_nb.view import Loaded

PERIOD_S: Final = 0.1
JOIN_S: Final = 2.0

Shape = Literal["table", "lines", "bars"]


class ValueView(Loaded, HasStill):
    """Values as a page shows them. It knows no session: `what` is a text, `read` gives all that the page is told."""

    title = traitlets.Unicode().tag(sync=True)
    shape = traitlets.Unicode().tag(sync=True)
    values = traitlets.Unicode().tag(sync=True)  # as JSON text, as a frame is

    def __init__(
        self, title: str, shape: Shape, feed: Feed, read: Callable[[], dict[str, Any]], still: Callable[[], Still]
    ) -> None:
        self._feed, self._read, self.still = feed, read, still
        self.explain: Callable[[Mapping[str, Any], Callable[[Any], None]], None] | None = None
        """Answers where a value comes from."""
        self._pages_lock = threading.Lock()  # guards both below: the thread ends only when no page is there
        self._pages: set[str] = set()
        self._looking: threading.Thread | None = None
        self._news = threading.Event()  # set when there is something to look at, or no page any more
        self._told_mark: object = feed.mark()  # what the page was told last; the thread's own
        super().__init__(parts=["values"], title=title, shape=shape, values=self._text())
        self.on_msg(self._receive)

    def remember(self, _shown: ShownStill, _run: int) -> None:
        """A still of values is not renewed: it says what was there when it was made."""

    def close(self) -> None:
        """End the thread with its tap, and close the widget."""
        with self._pages_lock:
            self._pages.clear()
            thread = self._looking
        self._news.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_S)
        super().close()

    def _receive(self, _view: Any, message: Any, _buffers: object) -> None:
        """From a page, on the kernel's thread."""
        command, page = message.get("cmd"), str((message.get("args") or {}).get("view"))
        if command == "page":
            self.send_page()
        elif command == "mount":
            self._mount(page)
        elif command == "light" and self.explain is not None:
            self.explain(message, self.send)
        elif command == "unmount":
            with self._pages_lock:
                self._pages.discard(page)
                gone = not self._pages
            if gone:
                self._news.set()

    def _mount(self, page: str) -> None:
        with self._pages_lock:
            self._pages.add(page)
            if self._looking is None:
                self._looking = threading.Thread(target=self._look_on, name="sage-nb values", daemon=True)
                self._looking.start()

    def nudge(self) -> None:
        """Something has happened: look now."""
        self._news.set()

    def _look_on(self) -> None:
        send_without_parent()
        while self._goes_on():
            self._news.clear()
            self._feed.look()
            self.renew()
            self._news.wait(PERIOD_S)

    def _goes_on(self) -> bool:
        with self._pages_lock:
            if self._pages:
                return True
        self._feed.rest()  # not under the lock: it waits for the session's thread of commands
        with self._pages_lock:
            if not self._pages:
                self._looking = None
            return bool(self._pages)  # one may have come meanwhile: then its look taps anew

    def renew(self) -> None:
        """Tell the page what there is by now, if there is something new."""
        if (mark := self._feed.mark()) != self._told_mark:
            self._told_mark = mark
            self.values = self._text()

    def _text(self) -> str:
        return json.dumps(self._read(), separators=(",", ":"))

    def _ipython_display_(self) -> None:
        show(self, repr(self), [self])

    def __repr__(self) -> str:
        return f"ValueView({self.title!r})"
