"""Which pages show a session now, and what they want to know of it. Knows neither the session nor a widget."""

from __future__ import annotations

import threading
from collections.abc import Set


class MountedPages:
    """The pages that are mounted, by their names. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards both below
        self._watched: dict[str, int] = {}  # of each page of a view, the row whose lanes it wants to see, or -1
        self._forms: set[str] = set()  # pages of forms: these only want to know whether the kernel is there

    def mount(self, page: str, *, is_form: bool) -> None:
        """A page is there."""
        with self._lock:
            if is_form:
                self._forms.add(page)
            else:
                self._watched[page] = -1

    def unmount(self, page: str) -> None:
        """A page has gone."""
        with self._lock:
            self._watched.pop(page, None)
            self._forms.discard(page)

    def watch(self, page: str, row: int) -> None:
        """A page wants to see the lanes of this row."""
        with self._lock:
            if page in self._watched:
                self._watched[page] = row

    def forget_views(self) -> None:
        """The views are closed, and so are their pages."""
        with self._lock:
            self._watched.clear()

    def forget_forms(self) -> None:
        """The forms are closed, and so are their pages."""
        with self._lock:
            self._forms.clear()

    @property
    def rows(self) -> Set[int]:
        """The rows whose lanes some page wants to see."""
        with self._lock:
            return set(self._watched.values())

    @property
    def any_view(self) -> bool:
        """Whether some page shows a view."""
        return bool(self._watched)

    @property
    def any(self) -> bool:
        """Whether there is any page."""
        return bool(self._watched or self._forms)
