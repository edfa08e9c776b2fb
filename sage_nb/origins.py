"""Where a packet comes from, for a page: in words, and what was at each box on the way."""

from __future__ import annotations

from typing import Final

from runtime import Origin, Session
from runtime.texts.preview import preview
from sage_nb.texts import shown
from sage_nb.wire import OriginCard, OriginPlace

MOST_CHARACTERS: Final = 20_000
_KNOWN: Final = ("item", "made", "retried")


def why_not(session: Session) -> str:
    """Why a page cannot ask where something of a session comes from; empty if it can."""
    return "" if session.graph.traced else "only a session with trace=True remembers where packets come from"


def origin_card(origin: Origin) -> OriginCard:
    """All of it as text, and of each task on the way the value that is nearest; how many more there are."""
    places: dict[str, OriginPlace] = {}
    for each in origin.walk():
        if each.how not in _KNOWN:
            continue
        if each.task in places:
            places[each.task]["more"] += 1
        else:
            places[each.task] = OriginPlace(task=each.task, text=shown(preview(each.value)), more=0)
    text = "\n".join(map(shown, repr(origin).splitlines()))
    return OriginCard(text=text[:MOST_CHARACTERS], places=list(places.values()))
