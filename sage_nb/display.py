"""What a session shows of itself in a notebook; `runtime` finds it through the entry point group `runtime.display`."""

from __future__ import annotations

import base64
from html import escape

from runtime import Session
from sage_nb.painter import svg_of
from sage_nb.picture import picture_of


def mimebundle(session: Session) -> dict[str, str]:
    """The session's picture: as SVG, and as HTML that shows the same SVG in places which strip a bare one."""
    picture = picture_of(session)
    svg = svg_of(picture)
    encoded = base64.b64encode(svg.encode()).decode("ascii")
    image = f'<img alt="{escape(picture.alt)}" src="data:image/svg+xml;base64,{encoded}">'
    return {"image/svg+xml": svg, "text/html": image}
