"""What is shown in a cell as two outputs, a live widget and its still, also under a handle of IPython's `display`.

Two, since of one Jupyter would show the widget alone, or the error about its model where that has gone. With a
`display_id` each of the two has one: its own, so that `handle.update(…)` replaces the widget by the widget and the
still by the still, wherever they stand.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

_DEPTH: Final = 16  # so many frames at most between IPython's `display` and what it asks to show itself
_KIND_OF_STILL: Final = "sage-nb still"


def publish(live: Mapping[str, Any], still: Mapping[str, Any], text: str) -> None:
    """Put both into this cell's output, or in the place of what the handle has shown before. Only in a kernel."""
    from IPython.core.display_functions import publish_display_data  # noqa: PLC0415  only in a kernel

    name, update = _handle()
    for bundle, kind in ((live, ""), (still, _KIND_OF_STILL)):
        more: dict[str, Any] = {}
        if name is not None:
            more = {"transient": {"display_id": f"{name} {kind}".strip()}, "update": update}
        publish_display_data({**bundle, "text/plain": text}, **more)  # type: ignore[no-untyped-call]


def _handle() -> tuple[str | None, bool]:
    """The `display_id` of the call of IPython's `display` that shows us, and whether it is to update.

    IPython tells neither to an object that shows itself, so they are read where they are: in the frame of that call.
    Where they are not found, there is no handle.
    """
    from IPython.core.display_functions import display  # noqa: PLC0415

    frame = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame.f_code is display.__code__:
            transient, more = frame.f_locals.get("transient"), frame.f_locals.get("kwargs")
            name = transient.get("display_id") if isinstance(transient, dict) else None
            return name, isinstance(more, dict) and bool(more.get("update"))
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None, False
