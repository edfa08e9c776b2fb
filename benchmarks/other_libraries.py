"""The same jobs in other libraries: each as its own documentation writes it, and as a user writes it who wants speed.

They are imported where they are used: whoever measures may not have all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from itertools import islice
from typing import Any, Final

from benchmarks.steps import Count, add_one, add_up, double, is_even, same

OWN_BATCH: Final = 1024  # of the source of one's own

# ── bytewax, on one worker ──


def testing_source(values: Sequence[Any], batch: int) -> Any:
    """The source of its documentation, which looks at each item in Python."""
    return import_module("bytewax.testing").TestingSource(values, batch)


def own_source(values: Iterable[Any]) -> Any:
    """A source of one's own, which gives out lists."""
    inputs: Any = import_module("bytewax.inputs")

    class Partition(inputs.StatefulSourcePartition):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(values)

        def next_batch(self) -> list[Any]:
            taken = list(islice(self.left, OWN_BATCH))
            if not taken:
                raise StopIteration
            return taken

        def snapshot(self) -> None:
            return None

    class Source(inputs.FixedPartitionedSource):  # type: ignore[misc]
        def list_parts(self) -> list[str]:
            return ["all"]

        def build_part(self, *_: Any) -> Partition:
            return Partition()

    return Source()


def _bytewax(source: Any, add_steps: Callable[[Any, Any], Any]) -> list[Any]:
    """Run the steps on what comes from `source`."""
    operators, testing = import_module("bytewax.operators"), import_module("bytewax.testing")
    found: list[Any] = []
    flow = import_module("bytewax.dataflow").Dataflow("flow")
    operators.output("found", add_steps(operators, operators.input("in", flow, source)), testing.TestingSink(found))
    testing.run_main(flow)
    return found


def bytewax_line(source: Any) -> int:
    """Source → +1 → keep even → ×2 → count."""

    def steps(operators: Any, numbers: Any) -> Any:
        even = operators.filter("even", operators.map("add", numbers, add_one), is_even)
        return operators.map("double", even, double)

    return len(_bytewax(source, steps))


def bytewax_word_count(source: Any) -> dict[str, int]:
    """Lines → words → how often each comes."""

    def steps(operators: Any, lines: Any) -> Any:
        return operators.count_final("count", operators.flat_map("split", lines, str.split), same)

    return dict(_bytewax(source, steps))


def bytewax_sums(source: Any) -> dict[str, int]:
    """Sales → the sum of each shop."""

    def steps(operators: Any, sales: Any) -> Any:
        return operators.fold_final("sum", sales, int, add_up)

    return dict(_bytewax(source, steps))


# ── others ──


def reactivex_line(packets: int) -> int:
    """The line in reactivex, all of it on the caller's thread."""
    reactivex, ops = import_module("reactivex"), import_module("reactivex.operators")
    count = Count()
    steps = (ops.map(add_one), ops.filter(is_even), ops.map(double))
    reactivex.from_iterable(range(packets)).pipe(*steps).subscribe(count.count)
    return count.value


def streamz_line(packets: int) -> int:
    """The line in streamz, called synchronously."""
    count = Count()
    source = import_module("streamz").Stream()
    source.map(add_one).filter(is_even).map(double).sink(count.count)
    for number in range(packets):
        source.emit(number)
    return count.value


def ray_line(packets: int) -> int:
    """The line as four Ray actors, which call each other for each packet. Ray runs already."""
    ray: Any = import_module("ray")

    class Step:
        def __init__(self, function: Callable[[int], int], keeps: Callable[[int], bool], following: Any) -> None:
            self.function, self.keeps, self.following, self.count = function, keeps, following, 0

        def process(self, value: int) -> None:
            self.count += 1
            if self.following is not None and self.keeps(value):
                self.following.process.remote(self.function(value))

        def end(self) -> int:
            """What the last one has counted: calls between two actors keep their order, so this one comes last."""
            return self.count if self.following is None else ray.get(self.following.end.remote())

    actor = ray.remote(Step)
    following = None
    for function, keeps in ((abs, _always), (double, _always), (abs, is_even), (add_one, _always)):
        following = actor.options(num_cpus=0).remote(function, keeps, following)
    assert following is not None
    for number in range(packets):
        following.process.remote(number)
    return int(ray.get(following.end.remote()))


def _always(_: int) -> bool:
    return True
