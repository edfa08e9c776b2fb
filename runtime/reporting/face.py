"""How a session shows itself: as text by itself, and through a face, another package that offers more. Knows none.

A face is a module, or any object, with the members of `Face`, offered under the entry point group `runtime.display`.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from runtime.graph import ExecutionGraph
from runtime.python.installing import install_command
from runtime.texts.preview import number_of

if TYPE_CHECKING:
    from runtime.session import Session

DISPLAY_HOOK: Final = "runtime.display"
"""The entry point group in which another package offers a face."""

View = Literal["graph", "table"]


class Face(Protocol):
    """What another package does for sessions. May raise anything; text is shown then."""

    def mimebundle(self, session: Session) -> dict[str, Any]:
        """The session for whoever can show one of these mime types."""

    def display(self, session: Session) -> bool:
        """Show the session in this cell's output. False: not here; the mime bundle will do."""

    def dashboard(self, session: Session, view: View) -> object:
        """The session as a live, steerable view."""

    def svg(self, session: Session) -> str:
        """The session as a still picture."""


def dashboard(session: Session, view: View) -> object:
    """The session as a live view. Raises `ImportError` where nothing that draws is installed, `ValueError`."""
    if view not in ("graph", "table"):
        raise ValueError(f"view is {view!r}; it must be 'graph' or 'table'")
    return _require_face().dashboard(session, view)


def write_svg(session: Session, path: str | Path) -> None:
    """Write the still picture into a file. Raises `ImportError` where nothing that draws is installed."""
    Path(path).write_text(_require_face().svg(session), encoding="utf-8")


def mimebundle(session: Session) -> dict[str, Any]:
    """The session for whoever can show mime types: at least as a line of text."""
    bundle: dict[str, Any] = {"text/plain": session.one_line()}
    try:
        if (face := _face()) is not None:
            bundle |= face.mimebundle(session)
    except Exception as error:  # noqa: BLE001  the border to whoever draws: the text is there in any case
        _warn(session, error)
    return bundle


def display(session: Session) -> None:
    """Show the session in this cell's output, or raise `NotImplementedError`: IPython then asks for the mime bundle."""
    try:
        if (face := _face()) is not None and face.display(session):
            return
    except Exception as error:  # noqa: BLE001  the border to whoever draws: the text is there in any case
        _warn(session, error)
    raise NotImplementedError


def displayed(session: Session) -> object:
    """For marimo, which has no kernel of Jupyter and asks for what it is to show: the live view, or a line of text."""
    try:
        if (face := _face()) is not None:
            return face.dashboard(session, "graph")
    except Exception as error:  # noqa: BLE001  the border to whoever draws: the text is there in any case
        _warn(session, error)
    return session.one_line()


def one_line(name: str, graph: ExecutionGraph) -> str:
    """A session of this name and graph in one line, without how its run stands."""
    parts = [
        number_of(len(graph.operators), "operator"),
        number_of(sum(each.parallelism for each in graph.operators), "task"),
    ]
    parts += [number_of(len(graph.service_nodes), "service")] if graph.service_nodes else []
    return f"Session({name!r}: {', '.join(parts)})"


def _require_face() -> Face:
    face = _face()
    if face is None:
        raise ImportError(f"nothing that draws sessions is installed: {install_command()}")
    return face


def _warn(session: Session, error: Exception) -> None:
    warnings.warn(f"{session.name!r} could not be drawn: {error!r}", RuntimeWarning, stacklevel=4)


@cache
def _face() -> Face | None:
    """The face that is installed, if there is one; of several, the first by name."""
    from importlib import metadata  # noqa: PLC0415  it takes half as long as all of `import runtime`

    entries = sorted(metadata.entry_points(group=DISPLAY_HOOK), key=lambda entry: entry.name)
    face: Face | None = entries[0].load() if entries else None
    return face
