"""The widget: a session's view in a page. Two traits to the page, messages from it. Knows no session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from sage_nb.module import css, esm


class View(anywidget.AnyWidget):
    """What a page shows of a session, as `sage_nb.wire` describes it. Made by `sage_nb.stage`."""

    _esm = esm()
    _css = css()

    plan = traitlets.Dict().tag(sync=True)
    # As JSON text: of a dictionary, ipywidgets would look at every number, in search of bytes, which costs more than
    # all else that a frame does.
    frame = traitlets.Unicode().tag(sync=True)
    parts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    shown = traitlets.Unicode("graph").tag(sync=True)

    def __init__(self, name: str, parts: Sequence[str], shown: str = "graph", **traits: Any) -> None:
        self._name = name
        super().__init__(parts=list(parts), shown=shown, **traits)

    def close(self) -> None:
        """Close it, and the widget of its layout, which would else stay."""
        self.layout.close()
        super().close()

    def __repr__(self) -> str:
        return f"View({self._name!r}: {', '.join(self.parts)})"
