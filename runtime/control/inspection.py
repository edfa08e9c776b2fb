"""Inspection: what waits, what passes, and what is remembered, looked at without changing it. Any thread may look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import Any

from runtime.control.breakpoints import Tap
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import error_text
from runtime.step import QueueView, Step


class Inspection:
    """Looks into one run."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers) -> None:
        self._dispatcher, self._workers = dispatcher, workers
        self._taps: dict[str, list[Callable[[Step], None]]] = {}

    def peek(self, name: str, first: int, last: int) -> QueueView:
        """The packets that wait for a task, or for all tasks of an operator, one after the other."""
        views = [handle.control.peek(first, last) for handle in self._workers.find(name)]
        if len(views) == 1:
            return views[0]
        depth, capacity = sum(view.depth for view in views), sum(view.capacity for view in views)
        # Of a queue that was not shown in full, its own first ones fill up the first here, and its last ones the last.
        heads = [packet for view in views for packet in view[: view.left_out]]
        tails = [packet for view in views for packet in (view[view.left_out :] or view)]
        packets, left_out = heads, None
        starts = accumulate((view.depth for view in views), initial=0)
        signals = [
            replace(each, index=start + each.index)
            for start, view in zip(starts, views, strict=False)
            for each in view.signals
        ]
        if depth > first + last:
            packets, left_out = heads[:first] + tails[max(len(tails) - last, 0) :], first
        several = views[0].several_inputs
        under_way = [packet for view in views for packet in view.open]
        return QueueView(
            name,
            packets,
            depth,
            capacity,
            signals=signals,
            left_out=left_out,
            several_inputs=several,
            open=under_way,
        )

    def tap(self, name: str, see: Callable[[Step], None] | None) -> Tap:
        """What collects the packets that pass, or has `see` called with each."""
        tasks = [handle.name for handle in self._workers.find(name)]
        see = None if see is None else self._guarded(name, see)

        def show(see: Callable[[Step], None], wanted: bool) -> None:
            for task in tasks:
                others = [each for each in self._taps.get(task, ()) if each is not see]
                taps = self._taps[task] = [*others, see] if wanted else others
                self._workers.handles[task].control.set_tap(_to_all(taps) if taps else None)

        return Tap(name, lambda see, wanted: self._workers.do(lambda: show(see, wanted)), see)

    def _guarded(self, name: str, see: Callable[[Step], None]) -> Callable[[Step], None]:
        """`see` behind the border to user code: once it has raised, that is told, and it is called no more."""
        broken = False

        def tell(step: Step) -> None:
            nonlocal broken
            if broken:
                return
            try:
                see(step)
            except BaseException as error:  # noqa: BLE001  the border to user code, on the task's own thread
                broken = True
                self._dispatcher.warned(name, f"a tap raised {error_text(error)}, and sees nothing any more")

        return tell

    def state(self, name: str) -> Any:
        """What a task remembers; of an operator with several, by key where it is keyed, else by task."""
        states = {handle.name: handle.control.ask("state") for handle in self._workers.find(name)}
        if len(states) == 1:
            return next(iter(states.values()))
        if self._workers.is_keyed(name):
            return {key: value for state in states.values() for key, value in state.items()}
        return states


def _to_all(taps: list[Callable[[Step], None]]) -> Callable[[Step], None]:
    def tell(step: Step) -> None:
        for tap in taps:
            tap(step)

    return tell
