"""Finds functions that change a packet in place while others have it, too: a part of `runtime.testing`.

On threads a packet is passed on, not copied. Two consumers of a stream get the same object, as do all instances after a
broadcast, and whoever gets a reduced value that is then folded further in place.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from runtime.session import Session
from runtime.step import Step
from runtime.texts.preview import preview

Built = TypeVar("Built")

PATIENCE_S: Final = 20.0
_MOST_NAMED: Final = 5
_UNCHANGEABLE: Final = frozenset({int, float, complex, bool, str, bytes, type(None)})


class ChangedInPlace(AssertionError):
    """A function has changed a packet that others have, or send again one that it has changed. The message names it."""


def check_unchanged(
    build: Callable[[Session], Built],
    *,
    use: Callable[[Session], object] | None = None,
    seed: int | None = 0,
    **settings: Any,
) -> Built:
    """Run a graph, and raise `ChangedInPlace` if one of its functions changes a packet in place.

    `build(session)` writes the graph; what it returns is returned. `use(session)` is what is done with the started
    session, for graphs with inputs; without it the end is waited for. Digests of each packet are compared: when it was
    sent, and when it was worked, or sent again. What cannot be pickled has none, and is not looked at. All packets are
    kept until the end, so this is for small examples. Without a `seed` tasks run side by side, and who changes a packet
    may not be told for sure. Raises what the job raises.

    >>> def build(session):
    ...     return session.source([[3, 1, 2]]).map(lambda numbers: numbers.sort(), name="sorts").collect()
    >>> check_unchanged(build)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    runtime.testing.changes.ChangedInPlace: 'sorts' has changed its packet, now [1, 2, 3], in place; ...
    """
    with Session(seed=seed, **{"capacity": 1_000_000, **settings}) as session:
        built = build(session)
        session.start(paused=True)
        seen = _Seen()
        for operator in session.graph.operators:
            for task in session.graph.tasks(operator.name):
                session.tap(task, partial(seen.see, task)).__enter__()
        session.resume()
        session.wait(PATIENCE_S) if use is None else use(session)
    if seen.changes:
        more = len(seen.changes) - _MOST_NAMED
        raise ChangedInPlace(
            "; ".join(seen.changes[:_MOST_NAMED])
            + (f"; and {more} more" if more > 0 else "")
            + "; others have that very object: let the function make a new one (copy.copy, sorted() for sort(), a + b)"
        )
    return built


class _Seen:
    """What has been seen of packets: each with the digest that it had last."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self._digests: dict[int, tuple[Any, bytes]] = {}  # by id; the packets are kept, so that ids stay theirs

    def see(self, task: str, step: Step) -> None:
        """One step of a task is over."""
        for packet in step.packets:
            self._compare(packet.payload, f"{task!r} has changed its packet, now {{}}, in place")
        for _, packet in step.sent:
            self._compare(packet.payload, f"{task!r} has sent again an object that it has changed since, now {{}}")

    def _compare(self, payload: Any, text: str) -> None:
        digest = None if type(payload) in _UNCHANGEABLE else _digest(payload)
        if digest is None:
            return
        before = self._digests.get(id(payload))
        if before is not None and before[1] != digest:
            self.changes.append(text.format(preview(payload)))
        self._digests[id(payload)] = payload, digest


def _digest(payload: Any) -> bytes | None:
    try:
        return hashlib.sha256(pickle.dumps(payload, protocol=5)).digest()
    except Exception:  # noqa: BLE001  the border to user code
        return None
