"""How a session shows itself: as text by itself, and through a face, another package that offers more. Knows none.

A face is a module, or any object, with the members of `Face`, offered under the entry point group `runtime.display`.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from runtime.graph import ExecutionGraph
from runtime.python.installing import install_command

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


class Shown(ABC):
    """The part of a session that shows it."""

    name: str

    @property
    @abstractmethod
    def graph(self) -> ExecutionGraph:
        """The graph as it is written so far; of a run, the one that runs."""

    def dashboard(self, view: View = "graph") -> object:
        """The session as a live view, steerable by mouse and keyboard: as graph or as table first.

        A widget, for a notebook; a cell that ends in the session itself shows the same. Raises `ImportError` where
        nothing that draws is installed, `ValueError` for another view.
        """
        if view not in ("graph", "table"):
            raise ValueError(f"view is {view!r}; it must be 'graph' or 'table'")
        return self._require_face().dashboard(self._self(), view)

    def to_svg(self, path: str | Path) -> None:
        """Write the picture of the graph, and of its run once that has been waited for, as SVG into a file.

        Raises `ImportError` where nothing that draws is installed, and what writing raises.
        """
        Path(path).write_text(self._require_face().svg(self._self()), encoding="utf-8")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": self.one_line()}
        try:
            if (face := _face()) is not None:
                bundle |= face.mimebundle(self._self())
        except Exception as error:  # noqa: BLE001  the border to whoever draws: the text is there in any case
            self._warn(error)
        return bundle

    def _ipython_display_(self) -> None:
        try:
            if (face := _face()) is not None and face.display(self._self()):
                return
        except Exception as error:  # noqa: BLE001  the border to whoever draws: the text is there in any case
            self._warn(error)
        raise NotImplementedError  # IPython's way to say: ask for the mime bundle

    def one_line(self) -> str:
        """The same before, during and after a run, so that a notebook can keep it."""
        graph = self.graph
        parts = [
            _number(len(graph.operators), "operator"),
            _number(sum(each.parallelism for each in graph.operators), "task"),
        ]
        parts += [_number(len(graph.service_nodes), "service")] if graph.service_nodes else []
        return f"Session({self.name!r}: {', '.join(parts)})"

    def _require_face(self) -> Face:
        face = _face()
        if face is None:
            raise ImportError(f"nothing that draws sessions is installed: {install_command()}")
        return face

    def _warn(self, error: Exception) -> None:
        warnings.warn(f"{self.name!r} could not be drawn: {error!r}", RuntimeWarning, stacklevel=3)

    @abstractmethod
    def _self(self) -> Session:
        """This session."""


@cache
def _face() -> Face | None:
    """The face that is installed, if there is one; of several, the first by name."""
    entries = sorted(metadata.entry_points(group=DISPLAY_HOOK), key=lambda entry: entry.name)
    face: Face | None = entries[0].load() if entries else None
    return face


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
