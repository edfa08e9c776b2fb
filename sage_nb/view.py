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
    frame = traitlets.Dict().tag(sync=True)
    parts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    shown = traitlets.Unicode("graph").tag(sync=True)

    def __init__(self, name: str, parts: Sequence[str], shown: str = "graph", **traits: Any) -> None:
        self._name = name
        super().__init__(parts=list(parts), shown=shown, **traits)

    def __repr__(self) -> str:
        return f"View({self._name!r}: {', '.join(self.parts)})"
