"""Plans run on threads and compared with what is expected. `python -m tests.random_graphs "Plan(…)"` replays one.

Packets are signed by the task that made them and numbered, so that every consumer can check order per producer; and
each function now and then looks at the depth of all queues.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import runtime
from runtime.testing import PATIENCE_S, check_bounded
from tests.graph_plans import (
    Changes,
    Item,
    Plan,
    Planned,
    Slow,
    Source,
    Stage,
    Trouble,
    co_mapped,
    everything,
    expected,
    fully_needed,
    item_value,
    joined,
    key_of,
    mapped,
    merged,
    multiplied,
    opened,
    passes,
    signatures,
)

__all__ = ["Plan", "Source", "Stage", "Trouble", "run"]

RUNS: Final = 300  # how often a replay runs its plan; the threads do it differently each time


class Run:
    """One run of a plan in a session of its own."""

    def __init__(self, plan: Plan, **settings: Any) -> None:
        self.plan = plan
        self.struck = False  # whether the trouble has come
        self.session = runtime.Session(capacity=3, on_error=policy_of(plan), **settings)
        self.helpers: list[threading.Thread] = []
        self.raised = 0
        self.signed = signatures(plan)
        self.workers: list[Worker] = []
        self.streams: list[runtime.Stream[Any]] = []
        for node, source in enumerate(plan.sources):
            self.streams.append(self._source(node, source))
        for node, stage in enumerate(plan.stages, len(plan.sources)):
            self.streams.append(self._stage(node, stage))
        self.results = {node: self.streams[node].collect(name=f"end{node}") for node in plan.ends()}

    def _source(self, node: int, source: Source) -> runtime.Stream[Any]:
        worker = self.worker(node, source.slow, {})
        self.workers.append(worker)
        if source.generator:
            return self.session.source(
                lambda: worker.numbers(source.items), name=f"n{node}", parallelism=source.parallelism
            )
        p = source.parallelism
        items = [Item((node, place % p), place // p, item_value(place)) for place in range(source.items)]
        return self.session.source(items, name=f"n{node}", parallelism=p)

    def _stage(self, node: int, stage: Stage) -> runtime.Stream[Any]:
        worker = self.worker(node, stage.slow, merged(self.signed, stage.ways_in))
        self.workers.append(worker)
        edges = {end[0]: self._edge(stage, *end) for end in zip(stage.inputs, stage.strategies, strict=True)}
        stream, *second = (self._union([edges[node] for node in side]) for side in stage.sides if side)
        function: Any = worker.function(stage)
        if stage.as_function:
            function = worker.as_function(function)
        settings: dict[str, Any] = {"name": f"n{node}", "capacity": stage.capacity, **self.settings(node)}
        if stage.kind == "take":
            return stream.take(stage.number, **settings)
        if second:
            return self._both(stage, stream, second[0], worker, {**settings, "parallelism": stage.parallelism})
        if stage.kind in ("reduce", "fold"):
            settings |= {"initial": Item("", 0, 0), "emit": "end" if stage.at_end else "each"}
        if stage.kind != "fold":
            settings["parallelism"] = stage.parallelism
        if stage.parallelism > 1:  # instances are told apart by their threads; a chain works several by one
            settings["chain"] = False
        method = getattr(stream, "reduce" if stage.kind == "fold" else stage.kind)
        made: runtime.Stream[Any] = method(function, **settings)
        return made

    @staticmethod
    def _union(streams: list[runtime.Stream[Any]]) -> runtime.Stream[Any]:
        return streams[0].union(*streams[1:])

    @staticmethod
    def _both(stage: Stage, first: Any, second: Any, worker: Worker, settings: dict[str, Any]) -> runtime.Stream[Any]:
        functions: list[Any] = [worker.function(stage), worker.second_function(stage)]
        if stage.as_function:
            functions = [worker.as_function(function) for function in functions]
        made: runtime.Stream[Any] = (
            first.join(second, functions[0], stage.how, **settings)
            if stage.kind == "join"
            else first.connect(second).map(*functions, **settings)
        )
        return made

    def _edge(self, stage: Stage, node: int, strategy: str) -> runtime.Stream[Any]:
        stream = self.streams[node]
        if strategy == "hash":
            return stream.key_by(lambda payload: key_of(stage, opened(payload).value))
        return stream.broadcast() if strategy == "broadcast" else stream.round_robin()

    def worker(self, node: int, slow: Slow, in_order: dict[int, bool]) -> Worker:
        return Worker(self, node, slow, in_order)

    def settings(self, node: int) -> dict[str, Any]:
        """What else the operator of a stage is given."""
        return {}

    def trouble(self, node: int, number: int) -> None:
        """Called by the function of `node` at its packet `number`."""
        trouble = self.plan.trouble
        if trouble is None or (trouble.node, trouble.at) != (node, number):
            return
        self.struck = True
        if trouble.what in ("raise", "skip", "retry"):
            self.raised += 1
            raise Planned(f"packet {number} of node {node}")
        command = self.session.stop if trouble.what == "stop" else self.session.cancel
        if trouble.from_another_thread:
            self.helpers.append(threading.Thread(target=command))
            self.helpers[-1].start()
        else:
            command()

    def run(self) -> None:
        """Run, and raise `AssertionError` where it does not come out as the oracle says."""
        with self.session:
            self.session.start()
            try:
                self.session.wait(PATIENCE_S)
            except runtime.TaskFailed as failure:
                if not isinstance(failure.__cause__, Planned):
                    raise
            except BaseException:
                self.session.close()  # else leaving the block would wait for what did not end
                raise
            finally:
                for helper in self.helpers:
                    helper.join()
            self.check()

    def check(self) -> None:
        plan, session = self.plan, self.session
        outcome, snapshot = session.outcome, session.snapshot()
        assert outcome is not None
        check_bounded(snapshot)
        assert sorted(outcome.order) == sorted([*snapshot.tasks, *snapshot.services]), "each task and service ends once"
        sources = [
            [snapshot[task].processed for task in session.graph.tasks(f"n{n}")] for n in range(len(plan.sources))
        ]
        assert outcome.packets_in == sum(map(sum, sources))
        assert outcome.packets_out == sum(len(result) for result in self.results.values())
        worked = sum(task.processed + task.depth for task in snapshot if task.kind != "source")
        assert sum(task.emitted for task in snapshot) == worked, "what was sent is worked or still there"
        assert outcome.dropped >= snapshot.queued
        self._check_ending(outcome.state)
        well = outcome.state in ("completed", "stopped")
        if well:
            assert (outcome.dropped, snapshot.queued, outcome.errors) == (0, 0, session.dead_letters.total)
        taken, sent = expected(plan, sources, self.changes(self.skipped(), well=well))
        for node, result in self.results.items():
            self._check_order(node, result)
            got = Counter(opened(payload).value for payload in result)
            own = plan.nodes[node]
            if isinstance(own, Stage) and own.kind == "take":
                assert got <= taken[node]
                assert len(result) == min(own.number, taken[node].total()) or not well
            elif well:
                assert got == sent[node], f"node {node}: {got - sent[node]} too many, {sent[node] - got} missing"
            else:
                assert got <= sent[node], f"node {node}: {got - sent[node]} too many"
        if outcome.state == "completed":
            self._check_all_was_drawn(sources)

    def skipped(self) -> dict[int, Counter[int]]:
        """What each node has skipped: by the plan's error, and no other."""
        skipped: dict[int, Counter[int]] = {}
        for letter in self.session.dead_letters:
            if not isinstance(letter.error, Planned):
                raise letter.error
            if letter.packet is not runtime.NO_PACKET:
                node = int(letter.task.removeprefix("n").partition("#")[0])
                skipped.setdefault(node, Counter())[opened(letter.packet).value] += 1
        return skipped

    def changes(self, skipped: dict[int, Counter[int]], *, well: bool) -> Changes:
        """What is expected beside the functions of the plan; `well`: nothing was dropped."""
        return Changes(skipped)

    def _check_order(self, node: int, result: Iterable[Any]) -> None:
        last: dict[Any, int] = {}
        for maker, place, _ in map(opened, result):
            if self.signed[node].get(maker[0]):
                assert last.get(maker, -1) < place, f"order of {maker} at the end of node {node}"
            last[maker] = place

    def _check_ending(self, state: str) -> None:
        plan, trouble = self.plan, self.plan.trouble
        if trouble is None:
            assert state == "completed"
            return
        if trouble.what in ("skip", "retry"):
            self._check_policy(trouble)
        endings = {
            "raise": "failed",
            "stop": "stopped",
            "cancel": "cancelled",
            "skip": "completed",
            "retry": "completed",
        }
        ending = endings[trouble.what]
        assert state in ("completed", ending)
        if not self.struck:
            assert state == "completed", "what never came did its trouble"
        elif all(fully_needed(plan)) and not trouble.from_another_thread and trouble.what != "stop":
            assert state == ending, "the trouble came and was not heard"

    def _check_policy(self, trouble: Trouble) -> None:
        """The error was raised once: then it was skipped, or tried again (but a generator never is)."""
        letters, retries = self.session.dead_letters.total, sum(task.retries for task in self.session.snapshot())
        tried_again = trouble.what == "retry" and trouble.node >= len(self.plan.sources)
        assert (letters, retries) in ((0, 0), (0, 1) if tried_again else (1, 0))
        assert letters + retries == self.raised

    def _check_all_was_drawn(self, sources: list[list[int]]) -> None:
        needed = fully_needed(self.plan)
        for node, (source, drawn) in enumerate(zip(self.plan.sources, sources, strict=True)):
            ended_by_error = self.raised and self.plan.trouble is not None and self.plan.trouble.node == node
            if needed[node] and not ended_by_error and (self.plan.trouble is None or self.plan.trouble.what != "stop"):
                assert drawn == [everything(source, index) for index in range(source.parallelism)]


def policy_of(plan: Plan) -> Any:
    """The session's policy. Under `retry` the second attempt always succeeds, if there is one."""
    what = plan.trouble.what if plan.trouble is not None else ""
    return {"skip": "skip", "retry": runtime.Retry(1, then="skip")}.get(what, "fail")


class Instance(NamedTuple):
    """What one instance of a node remembers: how it signs, and which place it saw last of each signer."""

    signature: tuple[int, int]
    last: dict[Any, int]
    places: Iterator[int]


class Worker:
    """The user functions of one node, shared by its instances, which are told apart by what their threads remember."""

    def __init__(self, run: Run, node: int, slow: Slow, in_order: dict[int, bool]) -> None:
        self.run, self.node, self.slow = run, node, slow
        self._ordered = {signer for signer, ordered in in_order.items() if ordered}
        self._numbers = itertools.count()
        self._instances = itertools.count()
        self._memory = threading.local()  # not by the thread's number: one that has ended leaves its to the next

    def instance(self) -> Instance:
        if not hasattr(self._memory, "instance"):
            self._memory.instance = Instance((self.node, next(self._instances)), {}, itertools.count())
        instance: Instance = self._memory.instance
        return instance

    def signed(self, value: int) -> Item:
        instance = self.instance()
        return Item(instance.signature, next(instance.places), value)

    def numbers(self, count: int) -> Iterator[Item]:
        for place in range(count):
            self.act()
            yield self.signed(item_value(place))

    def act(self) -> None:
        """What every function does beside its work."""
        number = next(self._numbers)
        self.run.trouble(self.node, number)
        if self.slow == "busy":
            sum(range(300))
        elif self.slow == "yield":
            time.sleep(0)
        elif self.slow == "sleep" and number % 4 == 0:
            time.sleep(0.000_5)
        if number % 16 == 3:
            check_bounded(self.run.session.snapshot())

    def look(self, payload: Any) -> int:
        self.act()
        maker, place, value = opened(payload)
        if maker[0] in self._ordered:
            last = self.instance().last
            assert last.get(maker, -1) < place, f"order of {maker} at node {self.node}"
            last[maker] = place
        return value

    def as_function(self, function: Callable[..., Any]) -> AsFunction:
        return AsFunction(function)

    def function(self, stage: Stage) -> Callable[..., Any]:
        functions: dict[str, Callable[..., Any]] = {
            "map": lambda payload: self.signed(mapped(stage, self.look(payload))),
            "filter": lambda payload: passes(stage, self.look(payload)),
            "flat_map": lambda payload: map(self.signed, multiplied(stage, self.look(payload))),
            "reduce": self._count,
            "fold": self._count,
            "take": self.look,
            "co_map": lambda payload: self.signed(mapped(stage, self.look(payload))),
            "join": self._merge,
        }
        return functions[stage.kind]

    def second_function(self, stage: Stage) -> Callable[..., Any]:
        """For the second input of a co-map."""
        return lambda payload: self.signed(co_mapped(stage, self.look(payload)))

    def _merge(self, left: Any, right: Any) -> Item:
        self.act()
        return self.signed(joined(*(None if payload is None else opened(payload).value for payload in (left, right))))

    def _count(self, before: Item, payload: Any) -> Item:
        self.look(payload)
        return self.signed(before.value + 1)


class AsFunction(runtime.Function[Any, Any]):
    """The same function as an object; instances have copies that share the worker."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __deepcopy__(self, memo: object) -> AsFunction:
        return AsFunction(self.function)

    def process(self, *values: Any) -> Any:
        return self.function(*values)


def run(plan: Plan) -> None:
    """Run a plan once, and compare. What is wrong carries the line that replays it."""
    try:
        Run(plan).run()
    except BaseException as error:
        error.add_note(f"replay: {sys.executable} -m tests.random_graphs {str(plan)!r}")
        raise


if __name__ == "__main__":
    for _ in range(RUNS):
        run(eval(sys.argv[1]))
