"""What a session shows of itself in a notebook; `runtime` finds it as a `Face`, by the group `runtime.display`."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

from runtime import Session
from sage_nb.painter import svg_of
from sage_nb.picture import picture_of


def mimebundle(session: Session) -> dict[str, Any]:
    """The session's picture: as SVG, and as HTML that shows the same SVG in places which strip a bare one."""
    return still(session)


def display(session: Session) -> bool:
    return False


def dashboard(session: Session, view: str) -> object:
    raise NotImplementedError


def svg(session: Session) -> str:
    """The picture as SVG."""
    return svg_of(picture_of(session))


def still(session: Session) -> dict[str, str]:
    picture = picture_of(session)
    text = svg_of(picture)
    encoded = base64.b64encode(text.encode()).decode("ascii")
    image = f'<img alt="{escape(picture.alt)}" src="data:image/svg+xml;base64,{encoded}">'
    return {"image/svg+xml": text, "text/html": image}
