"""Where the results of one packet go, before any of them has gone: so that all of them go, or none.

For tasks whose policy is not `fail`, and for all while they are seen or traced; the others send each result as it is
made. Only a key function can fail here, and a result that cannot travel, so these are asked first: what is decided in
turn has then not moved on for results that are never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from runtime.communication.connection import Output
from runtime.communication.lane import Lane
from runtime.errors import Cancelled, Unneeded
from runtime.origins.made import Of

if TYPE_CHECKING:
    from runtime.communication.router import Router

T = TypeVar("T")
Puts = Iterable[tuple[Lane, Any]]
_Places = list[tuple[Lane, Any]]
_Way = Callable[[Any], _Places]  # what one result becomes on one edge


class SendPlan:
    """The outgoing side of one task, packet by packet, beside its router. Used by that task's thread alone."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._keyed = [self._by_key(output.key, lanes) for output, lanes, _ in router.ways if output.key is not None]
        self._others = [_way(output, lanes, turns) for output, lanes, turns in router.ways if output.key is None]
        self._watcher: Callable[[Lane, Any], None] | None = None  # sees what is put, just before
        # Raises for what cannot get to a reader; of one platform all lanes ask the same.
        self.check = next((lane.check for lane in router.lanes if lane.check is not None), None)
        # Of each lane: what lies in it, whose queue it is of, and its number there.
        self.targets = {
            id(lane): (output.format, connection.queue.task, connection.lane + 1)
            for output, lanes, _ in router.ways
            for connection, lane in zip(output.connections, lanes, strict=True)
        }

    def watch(self, watcher: Callable[[Lane, Any], None] | None) -> None:
        """Let `watcher` see all that is put from now on, just before it is; None: nobody does."""
        self._watcher = watcher

    def puts(self, results: Sequence[Any], made_of: Sequence[Of] = ()) -> Puts:
        """What has to be put where, in order for each lane. `made_of`: in a traced job, of which packets each result.

        Raises what a key function raises, `UnstableKey`, and `NotSendable`. Between two of many results a cancel is
        heard, as Cancelled.
        """
        if self.check is not None:
            self._asked(self.check, results)
        return self._in_order(results, made_of, [self._asked(way, results) for way in self._keyed])

    def _asked(self, ask: Callable[[Any], T], results: Sequence[Any]) -> list[T]:
        """What `ask` says to each result, which may be very many and take its time."""
        if len(results) == 1:
            return [ask(results[0])]
        answers, writer = [], self._router.writer
        for result in results:
            if writer.cancelled or writer.unneeded:
                raise Cancelled if writer.cancelled else Unneeded
            answers.append(ask(result))
        return answers

    def _in_order(
        self, results: Sequence[Any], made_of: Sequence[Of], keyed: list[list[_Places]]
    ) -> Iterator[tuple[Lane, Any]]:
        """Result by result; where those go that need no key is decided only when they go: nothing can fail there."""
        tracer = self._router.tracer
        for number, result in enumerate(results):
            if made_of and tracer is not None:
                tracer.made.made_of(made_of[number])
            for places in keyed:
                yield from places[number]
            for way in self._others:
                yield from way(result)

    def send_one(self, result: Any) -> None:
        """Put one result where it belongs. Raises as `puts` and `send`."""
        self.send(self.puts((result,)))

    def send(self, puts: Puts) -> None:
        """Put everything where it belongs, waiting for room. Raises Cancelled; the rest then counts as refused."""
        rest, watcher, tracer = iter(puts), self._watcher, self._router.tracer
        for lane, element in rest:
            item = element
            if tracer is not None:
                format, task, _ = self.targets[id(lane)]
                item = format.carried(tracer, element, task, lane.input, lane.producer)
            try:
                if watcher is not None:
                    watcher(lane, item)
                lane.put(item)
            except Unneeded:
                if tracer is not None:
                    tracer.take_back(item)
                raise
            except Cancelled:  # the lane has counted this one
                for missed, _ in rest:
                    missed.refuse()
                raise

    def _by_key(self, key_of: Callable[[Any], Any], lanes: list[Lane]) -> _Way:
        router, find = self._router, self._router.partition(lanes).find

        def way(result: Any) -> _Places:
            try:
                key = key_of(result)
                return [(find(key), (key, result))]
            except BaseException:
                router.blame(result)
                raise

        return way


def _way(output: Output, lanes: list[Lane], turns: Iterator[Lane]) -> _Way:
    if output.strategy == "broadcast":
        return lambda result: [(lane, result) for lane in lanes]
    return lambda result: [(next(turns), result)]
