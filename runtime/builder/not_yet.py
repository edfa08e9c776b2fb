"""What other systems' streams have and ours does not yet: said by name, with the way round it. It knows no stream."""

from __future__ import annotations

from typing import Final

_WINDOWS: Final = (
    "there is no event time yet; put the window into the key: key_by(lambda row: (row.user, row.second // 60)), then "
    'reduce(…, emit="end")'
)
_CHECKPOINTS: Final = (
    "nothing outlives the process yet; let a sink of your own write down what is to be kept, and a source of your own "
    "begin after it"
)
_WAYS_ROUND: Final = {
    **dict.fromkeys(("window", "timestamps", "arrival_times", "watermarks", "late"), _WINDOWS),
    **dict.fromkeys(("checkpoint", "checkpoints", "save", "restore"), _CHECKPOINTS),
}
NOT_YET: Final = frozenset(_WAYS_ROUND)
"""The names of which a stream says what to do instead."""


def missing(instance: object, name: str) -> AttributeError:
    """What is raised for an attribute that is not there, as for every object; for `NOT_YET` it names a way round."""
    text = f"{type(instance).__name__!r} object has no attribute {name!r}"
    if name in _WAYS_ROUND:  # no name and no object: Python would guess at another name
        return AttributeError(f"{text}: {_WAYS_ROUND[name]}")
    return AttributeError(text, name=name, obj=instance)
