"""What is shown in a cell as two outputs, a live widget and its still, also under a handle of IPython's `display`.

Two, because of a single one Jupyter would show the widget alone, or an error where its model has gone. With a
`display_id` each of the two has one: its own, so that `handle.update(…)` replaces the widget by the widget and the
still by the still, wherever they stand. A still always has one, by which it is renewed when its run has ended.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sage_nb.comms import kernel_shell
from sage_nb.stills import Still, bundle_of, class_of, marker_of

_DEPTH: Final = 16  # so many frames at most between IPython's `display` and what it asks to show itself
_KIND_OF_STILL: Final = "sage-nb still"
_WIDGET: Final = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True, slots=True)
class ShownStill:
    """A still in some cell's output, and what makes it anew."""

    place: str
    text: str
    make: Callable[[], Mapping[str, Any]]

    def renew(self) -> None:
        """Put it into its place as it is by now."""
        _publish(self.make(), self.text, self.place, update=True)


class HasStill:
    """A widget of ours, shown by itself or inside another one: `still` says what is left of it where it is not alive.

    `remember` is told of each still that is put into a cell's output, and of which run it tells the end, or 0.
    """

    still: Callable[[], Still]
    remember: Callable[[ShownStill, int], None]


def show(widget: Any, text: str, parts: Sequence[HasStill]) -> None:
    """Show a widget, and after it the still of its `parts`, in this cell's output, or where a handle has shown it.

    Raises `NotImplementedError` without a kernel.
    """
    if kernel_shell() is None:
        raise NotImplementedError  # IPython's way to say: ask for the mime bundle
    marker = marker_of(widget)
    widget.add_class(class_of(marker))
    live, more = live_of(widget)
    stills = [part.still() for part in parts]  # drawn before anything is shown, so that both stay together
    name, update = _handle()
    place = f"{name or uuid.uuid4().hex} {_KIND_OF_STILL}"
    _publish(live, text, name, update=update, metadata=more)
    _publish(bundle_of(stills, marker), text, place, update=update)
    shown = ShownStill(place, text, lambda: bundle_of([part.still() for part in parts], marker))
    for part, still in zip(parts, stills, strict=True):
        part.remember(shown, still.run)


def live_of(widget: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What a page makes a live widget of, and the metadata that go with it: Colab finds there what loads widgets."""
    ask = getattr(widget, "_repr_mimebundle_", None)
    if ask is None:  # ipywidgets 7, where a widget displays itself
        return {_WIDGET: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}, {}
    bundle = ask() or {}
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    return {kind: value for kind, value in data.items() if kind != "text/plain"}, metadata


def _publish(
    data: Mapping[str, Any],
    text: str,
    place: str | None,
    *,
    update: bool,
    metadata: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    from IPython.display import publish_display_data  # noqa: PLC0415  only in a kernel

    more: dict[str, Any] = {}
    if place is not None:
        more = {"transient": {"display_id": place}, "update": update}
    publish_display_data({**data, "text/plain": text}, metadata=dict(metadata), **more)  # type: ignore[no-untyped-call]


def _handle() -> tuple[str | None, bool]:
    """The `display_id` of the call of IPython's `display` that shows us, and whether it is to update.

    IPython tells neither to an object that shows itself, so they are read where they are: in the frame of that call.
    Where they are not found, there is no handle.
    """
    from IPython.display import display  # noqa: PLC0415

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
