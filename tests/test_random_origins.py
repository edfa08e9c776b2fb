"""Random graphs, traced: where each result comes from is what its value says, which carries its own history.

Every function of a drawn graph returns what it was given with its own name around it. So a result can be taken apart
into all that it was made of, and `why` has to say the same, on threads and under seeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime import Origin
from runtime.testing import PATIENCE_S

ITEMS: Final = 5
KEYS: Final = 2
LAST: Final = 10


class Stage(NamedTuple):
    """One operator: on top of which streams of those before it, and how many instances it has."""

    kind: str
    on: int
    with_: int
    parallelism: int
    policy: str


KINDS: Final = (
    *("map", "filter", "flat_map", "batches", "async", "flaky", "skips"),
    *("keyed", "union", "join", "outer", "both", "fold", "folds", "sends"),
)
stages = st.lists(
    st.builds(
        Stage,
        st.sampled_from(KINDS),
        st.integers(0, 9),
        st.integers(0, 9),
        st.integers(1, 2),
        st.sampled_from(["fail", "retry", "skip", "hold"]),
    ),
    min_size=1,
    max_size=5,
)


def key_of(value: Any) -> int:
    """The same for the same value in every run."""
    return sum(map(ord, repr(value))) % KEYS


def around(name: str) -> Callable[..., tuple[Any, ...]]:
    """What puts a name around what it is given."""
    return lambda *values: (name, *values)


class Sends(runtime.Function[Any, Any]):
    """Sends a packet by itself, in front of its result."""

    def __init__(self, name: str) -> None:
        self.work = around(name)

    def process(self, value: Any) -> Any:
        self.ctx.send_packet(self.work(value))
        return self.work(value)


def folded(name: str) -> Callable[[Any, Any], Any]:
    """What keeps the last values of a fold, and how many there were."""
    return lambda fold, value: (name, fold[1] + 1, (*fold[2], value)[-LAST:])


class Graph:
    """A drawn graph in a session of its own. `kinds`: what the operator of each name is."""

    def __init__(self, plan: list[Stage], **options: Any) -> None:
        self.session = runtime.Session(trace=True, capacity=4, **options)
        self.kinds: dict[str, str] = {}
        self.tried: set[str] = set()
        self.streams: list[Any] = []
        for number in range(2):
            name = f"source{number}"
            self.kinds[name] = "source"
            self.streams.append(self.session.source([(name, item) for item in range(ITEMS)], name=name))
        self.used: set[int] = set()
        for number, stage in enumerate(plan):
            self.streams.append(self.add(f"{stage.kind}{number}", stage))
        self.results = [
            stream.collect(name=f"result{index}") for index, stream in enumerate(self.streams) if index not in self.used
        ]

    def take(self, index: int) -> Any:
        """One of the streams so far."""
        index %= len(self.streams)
        self.used.add(index)
        return self.streams[index]

    def add(self, name: str, stage: Stage) -> Any:
        """The stream of one more operator."""
        kind, stream, work = stage.kind, self.take(stage.on), around(name)
        self.kinds[name] = kind
        policy: Any = runtime.Retry(1, backoff=0) if stage.policy == "retry" else stage.policy
        several: Any = {"name": name, "parallelism": stage.parallelism, "on_error": policy}
        if kind == "union":
            return stream.round_robin().union(self.take(stage.with_).round_robin()).map(work, **several)
        if kind in ("join", "outer"):
            other = self.take(stage.with_).key_by(key_of)
            how = "inner" if kind == "join" else "outer"
            return stream.key_by(key_of).join(other, work, how=how, **several)
        if kind == "both":
            other = self.take(stage.with_)
            both = stream.round_robin().connect(other.round_robin())
            return both.flat_map(lambda value: [work(value)] * 2, lambda value: [work(value)], **several)
        if kind in ("fold", "folds"):
            emit = "each" if kind == "fold" else "end"
            return stream.key_by(key_of).reduce(folded(name), initial=(name, 0, ()), emit=emit, **several)
        stream = stream.round_robin()
        if kind == "filter":
            return stream.filter(lambda value: key_of(value) == 0 or len(repr(value)) < 200, **several)
        if kind == "flat_map":
            return stream.flat_map(lambda value: [work(value)] * (key_of(value) + 1), **several)
        if kind == "batches":
            return stream.map_batches(lambda batch: list(map(work, batch)), size=3, within=0.001, **several)
        if kind == "async":
            return stream.map(later(work), ordered=stage.with_ % 2 == 0, **several)
        if kind == "keyed":
            return stream.key_by(key_of).map(work, **several)
        if kind == "sends":
            return stream.map(Sends(name), **several)
        if kind in ("flaky", "skips"):
            several["on_error"] = "skip" if kind == "skips" else runtime.Retry(1, backoff=0)
            return stream.map(self.failing(name, forever=kind == "skips"), **several)
        return stream.map(work, **several)

    def failing(self, name: str, *, forever: bool) -> Callable[[Any], Any]:
        """What raises for some values, for ever or once."""
        work = around(name)

        def fail(value: Any) -> Any:
            said = f"{name} {value!r}"
            if key_of(value) == 1 and (forever or said not in self.tried):
                self.tried.add(said)
                raise ValueError(said)
            return work(value)

        return fail

    def agree(self, origin: Origin, value: Any) -> None:
        """Whether `origin` says of a packet with this value what the value says."""
        name = origin.task.partition("#")[0]
        kind = self.kinds[name]
        assert origin.value == value or type(origin.value) not in (tuple, int)
        if kind == "source":
            assert (origin.how, value[0], origin.parents) == ("item", name, ())
            return
        assert origin.how == "made"
        parents: list[Any]
        before = 0
        if kind == "filter":
            parents = [value]
        elif kind in ("join", "outer"):
            parents = [row for row in value[1:] if row is not None]
        elif kind in ("fold", "folds"):
            _, (made_by, count, last) = value
            assert made_by == name
            parents, before = list(last), count - len(last)
        else:
            assert value[0] == name
            parents = [value[1]]
        assert origin.before == before
        assert len(origin.parents) == len(parents)
        for parent, each in zip(origin.parents, parents, strict=True):
            self.agree(parent, each)

    def check(self) -> None:
        """Run, and compare."""
        with self.session:
            self.session.run(PATIENCE_S)
            for result in self.results:
                for index in range(0, len(result), 1 + len(result) // 40):
                    self.agree(self.session.why(result, index), result[index])
            for letter in self.session.dead_letters[:10]:
                self.agree(self.session.why(letter), letter.packet)


def later(work: Callable[..., Any]) -> Callable[[Any], Any]:
    """The same after a while."""

    async def wait(value: Any) -> Any:
        await asyncio.sleep(0.001 * key_of(value))
        return work(value)

    return wait


@settings(deadline=None, max_examples=25)
@given(stages, st.integers(0, 1_000))
def test_what_results_come_from_is_what_their_values_say_under_seeds(plan: list[Stage], seed: int) -> None:
    Graph(plan, seed=seed).check()


@settings(deadline=None, max_examples=25)
@given(stages)
def test_what_results_come_from_is_what_their_values_say_on_threads(plan: list[Stage]) -> None:
    Graph(plan).check()
