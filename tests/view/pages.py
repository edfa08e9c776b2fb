"""A page of a view without a browser: a comm that records what the kernel sends, and sends what a page would."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets
import pytest

from runtime.testing import PATIENCE_S
from sage_nb import values, view_hub
from sage_nb.view import Loaded

if hasattr(ipywidgets.Widget, "_repr_mimebundle_"):  # from ipywidgets 8 on
    import comm
    from comm.base_comm import BaseComm
    from ipywidgets.widgets.widget import _instances  # what its deprecated `Widget.widgets` returns

    _OPENER: Any = (comm, "create_comm")
else:
    from tests.view.comms_of_old import BaseComm, _instances  # type: ignore[assignment]

    _OPENER = (ipywidgets.widgets.widget, "Comm")


def open_widgets() -> set[str]:
    """The ids of all widgets that have not been closed."""
    return set(_instances)


def record_comms(monkeypatch: pytest.MonkeyPatch, kind: type[RecordingComm] | None = None) -> None:
    """Let widgets open comms of this kind."""
    monkeypatch.setattr(_OPENER[0], _OPENER[1], kind or RecordingComm)


def close_kept() -> None:
    """Close the views that closed sessions have kept."""
    while view_hub._kept:
        view_hub._kept.popleft().close_views()
    while values._kept:
        values._kept.popitem()[1][1].close()


class RecordingComm(BaseComm):
    """What `ipywidgets` opens for each widget, with nobody at the other end."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.news = threading.Condition()  # guards all below
        self.custom: list[Any] = []
        self.beats: list[Any] = []
        self.states: list[dict[str, Any]] = []
        self.closed = False
        super().__init__(*args, **named)

    def publish_msg(self, msg_type: str, data: Any = None, *args: Any, **named: Any) -> None:
        """Record a message; it must be one that can be sent."""
        json.dumps(data).encode("utf-8")
        with self.news:
            if msg_type == "comm_close":
                self.closed = True
            elif data and data.get("method") == "custom":
                kept = self.beats if "beat" in data["content"] else self.custom
                kept.append(data["content"])
            elif data and "state" in data:
                self.states.append(data["state"])
            self.news.notify_all()


class Page:
    """One page that shows `view`."""

    def __init__(self, view: Loaded, name: str = "page") -> None:
        self.view, self.name = view, name
        self._number = 0

    @property
    def comm(self) -> RecordingComm:
        """The widget's comm."""
        assert isinstance(self.view.comm, RecordingComm)
        return self.view.comm

    def mount(self) -> Page:
        """Show the view."""
        self.tell("mount", view=self.name)
        return self

    def unmount(self) -> None:
        """Show it no more."""
        self.tell("unmount", view=self.name)

    def tell(self, cmd: str, **args: Any) -> str:
        """Send a message; its id."""
        self._number += 1
        message = {"cmd": cmd, "args": args, "id": f"{self.name}-{self._number}"}
        self.comm.handle_msg({"content": {"data": {"method": "custom", "content": message}}, "buffers": []})
        return message["id"]  # type: ignore[return-value]

    def ask(self, cmd: str, **args: Any) -> Any:
        """Send a command and wait for its acknowledgement."""
        number, comm = self.tell(cmd, **args), self.comm
        with comm.news:
            assert comm.news.wait_for(lambda: any(each.get("ack") == number for each in comm.custom), PATIENCE_S), cmd
            return next(each for each in comm.custom if each.get("ack") == number)

    def order(self, cmd: str, **args: Any) -> Any:
        """Send a command that must be carried out."""
        ack = self.ask(cmd, **args)
        assert ack["ok"], ack
        return ack

    def frames(self) -> list[Any]:
        """All frames so far, the one that the view was made with first."""
        return [json.loads(state["frame"]) for state in list(self.comm.states) if "frame" in state]

    def wait_for_frame(self, wanted: Callable[[Any], object]) -> Any:
        """The first frame that is as wanted, among those that came and those that will."""
        with self.comm.news:
            assert self.comm.news.wait_for(lambda: any(map(wanted, self.frames())), PATIENCE_S), self.frames()[-1:]
        return next(filter(wanted, self.frames()))
