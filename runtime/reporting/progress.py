"""Waiting for the end of a run with progress bars. Brings in tqdm only when one is asked for."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from contextlib import ExitStack
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from runtime.facts import Outcome

if TYPE_CHECKING:
    from runtime.session import Session

_LOOK_S: Final = 0.1


def wait_with_progress(session: Session, timeout_s: float | None) -> Outcome:
    """`session.wait(timeout_s)`, with a bar for each source and for each end of the graph while it waits.

    A source of known length has a total. Raises what `wait` raises, and `ImportError` without tqdm.
    """
    deadline_s = None if timeout_s is None else monotonic() + timeout_s
    with ExitStack() as stack:
        bars = _bars(session, stack)
        try:
            while True:
                _show(session, bars)
                left_s = _LOOK_S if deadline_s is None else min(_LOOK_S, deadline_s - monotonic())
                try:
                    return session.wait(max(left_s, 0.0))
                except TimeoutError:
                    if deadline_s is not None and monotonic() >= deadline_s:
                        raise
        finally:
            _show(session, bars)


def _bars(session: Session, stack: ExitStack) -> Mapping[str, Any]:
    """A bar for each source and each end, by operator."""
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415  only for those who ask for it
    except ImportError as error:
        raise ImportError("wait(progress=True) needs tqdm: pip install tqdm") from error

    class Bar(tqdm):  # type: ignore[type-arg]  # generic in its stubs only
        monitor_interval = 0  # no thread that watches bars: it would stay when they have gone

    graph = session.graph
    return {
        node.name: stack.enter_context(
            Bar(desc=node.name, total=None if node.traits.has_queue else _length(node.function), unit=" packets")
        )
        for node in graph.operators
        if node.traits.is_start or node.traits.is_end
    }


def _show(session: Session, bars: Mapping[str, Any]) -> None:
    snapshot, graph = session.snapshot(), session.graph
    for name, bar in bars.items():
        tasks = (snapshot.tasks[task] for task in graph.tasks(name) if task in snapshot.tasks)
        bar.update(sum(task.processed for task in tasks) - bar.n)


def _length(source: object) -> int | None:
    """How many items a source will make, if its own `len` says so."""
    try:
        return operator.length_hint(source, -1) if hasattr(type(source), "__len__") else None
    except (Exception, SystemExit):  # noqa: BLE001  the border to user code: a bar without a total will do
        return None
