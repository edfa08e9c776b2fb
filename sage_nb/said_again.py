"""The Python that does again what was done to a run by hand, made of its records: *copy as cell*. Knows no page."""

from __future__ import annotations

from typing import Any, Final

from runtime import Packet, Session
from runtime.control.records import Record
from runtime.session.session import records_of
from runtime.texts.literal import literal_of
from sage_nb.python import Source

_SHOWN: Final = 100
"""How many packets `peek` shows, if it is not asked for more."""


def change_of(session: Session, name: str, packet: Packet, value: Source | None = None) -> str:
    """The line that does again what was done last, under this name, to a packet. Empty if it was undone meanwhile.

    `value` is the Python that made the new value, where that is more than a literal.
    """
    done = [
        each
        for each in records_of(session)
        if (each.name, each.where, each.place) == (name, packet.task, packet.place) and each.index is not None
    ]
    return line_of(done[-1], value) if done else ""


def inject_of(session: Session, target: str, value: Any, source: Source | None = None) -> str:
    """The line that puts such a value in again. Empty if that was undone meanwhile."""
    begins = (repr(target), literal_of(value))
    done = [each for each in records_of(session) if each.name == "inject" and each.given[:2] == begins]
    return line_of(done[-1], source) if done else ""


def line_of(record: Record, value: Source | None = None) -> str:
    """The line that does an inject, edit, drop or move again; `value` makes the value of the first two.

    Without one it is empty if the value is too long, or no literal.
    """
    given: list[str | None] = list(record.given)
    if value is not None:
        given[1 if record.name == "inject" else 0] = value.text
    if record.name == "inject":
        given[2:] = [] if given[2] == "None" else [f"input={given[2]}"]
    else:
        given = [_place(record), *given]
    if record.name == "move":
        given[1] = f"to={given[1]}"
    known = [each for each in given if each is not None]
    return f"session.{record.name}({', '.join(known)})" if len(known) == len(given) else ""


def _place(record: Record) -> str:
    """What finds the packet that a record is about."""
    index = record.index or 0
    if index < _SHOWN:
        return f"session.peek({record.where!r})[{index}]"
    return f"session.peek({record.where!r}, {index + 1})[-1]"
