"""The widgets: a session's view in a page, and the last line of a form. Two traits to the page, messages from it.

They know no session.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import ipywidgets
import traitlets

from sage_nb.cells import print_into_last_cell
from sage_nb.comms import receive_anywhere
from sage_nb.links import text_of
from sage_nb.module import digest, loader, packed
from sage_nb.outputs import HasStill, ShownStill, show
from sage_nb.plan import COLLAPSE_BEYOND
from sage_nb.stills import Still
from sage_nb.wire import Frame, Plan


class Assets(ipywidgets.Widget):  # type: ignore[misc]  # ipywidgets has no types
    """Script and style of the page, once for all views of a kernel; it shows nothing by itself."""

    packed = traitlets.Unicode().tag(sync=True)


class _Shared:
    """The one `Assets` widget that there is while some view is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards both below
        self._assets: Assets | None = None
        self._users = 0

    def take(self) -> Assets:
        with self._lock:
            if self._assets is None:
                self._assets = Assets(packed=packed())
            self._users += 1
            return self._assets

    def give_back(self) -> None:
        with self._lock:
            self._users -= 1
            unused, self._assets = (self._assets, None) if self._users == 0 else (None, self._assets)
        if unused is not None:
            unused.close()


_shared = _Shared()


class Loaded(anywidget.AnyWidget):
    """A widget whose page is loaded by `loader.js`: it brings little itself, and hears every page at any time."""

    _esm = loader()

    page = traitlets.Unicode(digest()).tag(sync=True)
    assets = traitlets.Instance(Assets).tag(sync=True, **ipywidgets.widget_serialization)
    parts = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._closing = threading.Lock()  # taken for good by the first who closes it
        super().__init__(assets=_shared.take(), **traits)

    def send_page(self) -> None:
        """Script and style, to a page that has not found them in `assets`."""
        self.send({"page": digest(), "packed": packed()})

    def close(self) -> None:
        """Close it, and the widget of its layout, which would else stay."""
        self.layout.close()
        super().close()
        if self._closing.acquire(blocking=False):
            _shared.give_back()

    def open(self) -> None:
        """Open its way to the pages."""
        super().open()
        receive_anywhere(self)

    def _handle_msg(self, msg: Any) -> None:
        """From a page, whatever it is."""
        super()._handle_msg(msg)
        print_into_last_cell()


class View(Loaded, HasStill):
    """What a page shows of a session, as `sage_nb.wire` describes it. Made by `sage_nb.view_hub`."""

    plan = traitlets.Dict().tag(sync=True)
    # As JSON text: of a dictionary, ipywidgets would look at every number, in search of bytes, which costs more than
    # all else that a frame does.
    frame = traitlets.Unicode().tag(sync=True)
    shown = traitlets.Unicode("graph").tag(sync=True)
    collapse_beyond = traitlets.Int(COLLAPSE_BEYOND, min=1).tag(sync=True)
    """An operator with more tasks than this is drawn with one row for all of them. May be set at any time."""

    def __init__(
        self,
        name: str,
        parts: Sequence[str],
        shown: str = "graph",
        *,
        still: Callable[[], Still] = Still,
        remember: Callable[[ShownStill, int], None] = lambda _, __: None,
        **traits: Any,
    ) -> None:
        self._name, self.still, self.remember = name, still, remember
        super().__init__(parts=list(parts), shown=shown, **traits)

    def show(self, plan: Plan, frame: Frame) -> None:
        """Show another graph, or another run of it."""
        self.plan, self.frame = dict(plan), text_of(frame)

    def show_plan(self, plan: Plan) -> None:
        """Show another graph; its first frame follows."""
        self.plan = dict(plan)

    def show_frame(self, text: str) -> None:
        """Show the next frame, as `text_of` writes it."""
        self.frame = text

    def _ipython_display_(self) -> None:
        show(self, repr(self), [self])

    def __repr__(self) -> str:
        return f"View({self._name!r}: {', '.join(self.parts)})"


class FormLine(Loaded):
    """The last line of a form: what came of a click. Its page also says whether the kernel is still there."""

    said = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        super().__init__(parts=["form"])
