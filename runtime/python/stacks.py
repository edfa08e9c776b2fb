"""Where a thread stands: its stack, read from another thread, by value. Reads no variables."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Final, NamedTuple

_OURS: Final = (str(Path(__file__).parents[1]), threading.__file__, "<sage")


class Place(NamedTuple):
    """A line of a function that is at work."""

    function: str
    file: str
    line: int


Stack = tuple[Place, ...]
"""From the first function that is not the engine's to the innermost one. If there is none, one place of the engine."""


def stack_of(ident: int | None) -> Stack | None:
    """Where the thread of this identity is now; None: it is gone."""
    frame = None if ident is None else sys._current_frames().get(ident)
    if frame is None:
        return None
    places: list[Place] = []
    while frame is not None:
        code = frame.f_code
        places.append(Place(code.co_qualname, code.co_filename, frame.f_lineno or code.co_firstlineno))
        frame = frame.f_back
    places.reverse()
    first = next((number for number, place in enumerate(places) if not place.file.startswith(_OURS)), None)
    return (Place("(the engine)", *places[-1][1:]),) if first is None else tuple(places[first:])
