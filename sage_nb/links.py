"""What the hub has of a page: a link to it, by which it hears messages and sends them. No widget, no kernel.

In a notebook the link is a widget (`sage_nb.view`). In a page that has Python in its own tab it hands messages over
directly (`sage_nb.tab`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from sage_nb.wire import Frame, Plan

Hear = Callable[[Any, Any, Any], object]
"""Called with the link, a message of its page, and buffers, of which there are none."""


class Link(Protocol):
    """A way to the pages that show one thing."""

    def on_msg(self, hear: Hear) -> None:
        """Have `hear` called with each message of a page."""

    def send(self, content: Any) -> None:
        """Send a message to all its pages."""

    def send_page(self) -> None:
        """Send script and style, for a page that has none yet."""

    def close(self) -> None:
        """Close it; what its pages show stays as it is."""


class ViewLink(Link, Protocol):
    """A way to the pages that show a session's view."""

    parts: list[str]
    plan: Any

    def show(self, plan: Plan, frame: Frame) -> None:
        """Show another graph, or another run of it."""

    def show_plan(self, plan: Plan) -> None:
        """Show another graph; its first frame follows."""

    def show_frame(self, text: str) -> None:
        """Show the next frame, as `text_of` writes it."""


def text_of(frame: Frame) -> str:
    """A frame as a view's page reads it."""
    return json.dumps(frame, separators=(",", ":"))
