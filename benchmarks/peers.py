"""What a user would write instead: plain loops, and a thread per step with a queue between, None as the end.

Each takes `new_queue`, so that the same code runs on `queue.Queue(1024)` and on the unbounded `queue.SimpleQueue`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import pairwise
from queue import Queue
from typing import Any, Self
from zlib import crc32

from benchmarks.harness import check
from benchmarks.steps import Count, Row, Sale, add_one, double, is_even, key_of, lower, merge, nap

NewQueue = Callable[[], Any]


def run(*threads: threading.Thread) -> None:
    """Start all, join all."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def step(function: Callable[..., None], *arguments: Any) -> threading.Thread:
    """A thread for one step."""
    return threading.Thread(target=function, args=arguments)


def feed(values: Iterable[Any], target: Any, ends: int = 1) -> None:
    """Put all values, then a None for each of those who read."""
    for value in values:
        target.put(value)
    for _ in range(ends):
        target.put(None)


def feed_all(values: Iterable[Any], targets: Sequence[Any]) -> None:
    """Put each value into every queue."""
    for value in values:
        for target in targets:
            target.put(value)
    for target in targets:
        target.put(None)


def mapping(function: Callable[[Any], Any], source: Any, target: Any) -> None:
    """Put what `function` returns."""
    for value in iter(source.get, None):
        target.put(function(value))
    target.put(None)


def flat_mapping(function: Callable[[Any], Iterable[Any]], source: Any, target: Any) -> None:
    """Put each result of `function`."""
    for value in iter(source.get, None):
        for result in function(value):
            target.put(result)
    target.put(None)


def filtering(function: Callable[[Any], object], source: Any, target: Any) -> None:
    """Put the values for which `function` returns something true."""
    for value in iter(source.get, None):
        if function(value):
            target.put(value)
    target.put(None)


def consuming(function: Callable[[Any], object], source: Any, ends: int = 1) -> None:
    """Call `function` until `ends` producers have ended."""
    for _ in range(ends):
        for value in iter(source.get, None):
            function(value)


Stage = tuple[Callable[[Any, Any, Any], None], Callable[[Any], Any]]
"""`mapping`, `flat_mapping` or `filtering`, and with which function."""


def line(new_queue: NewQueue, values: Iterable[Any], stages: Sequence[Stage], sink: Callable[[Any], object]) -> None:
    """All values through all stages into the sink, a thread for each."""
    queues = [new_queue() for _ in range(len(stages) + 1)]
    run(
        step(feed, values, queues[0]),
        *(step(how, function, *pair) for (how, function), pair in zip(stages, pairwise(queues), strict=True)),
        step(consuming, sink, queues[-1]),
    )


# ── source → +1 → keep even → ×2 → count ──


def line_loop(packets: int) -> int:
    """The line without threads."""
    count = Count()
    for number in range(packets):
        value = add_one(number)
        if is_even(value):
            count.count(double(value))
    return count.value


def line_threads(new_queue: NewQueue, packets: int) -> int:
    """The line with threads and queues."""
    count = Count()
    first, second, third, fourth = (new_queue() for _ in range(4))
    run(
        step(feed, range(packets), first),
        step(mapping, add_one, first, second),
        step(filtering, is_even, second, third),
        step(mapping, double, third, fourth),
        step(consuming, count.count, fourth),
    )
    return count.value


def maps_steps(
    new_queue: NewQueue, packets: int, maps: int, sink: Callable[[Any], object]
) -> Sequence[threading.Thread]:
    """The threads of a line of equal maps."""
    queues = [new_queue() for _ in range(maps + 1)]
    return [
        step(feed, range(packets), queues[0]),
        *(step(mapping, add_one, *pair) for pair in pairwise(queues)),
        step(consuming, sink, queues[-1]),
    ]


def maps_threads(new_queue: NewQueue, packets: int, maps: int) -> int:
    """A line of equal maps."""
    count = Count()
    run(*maps_steps(new_queue, packets, maps, count.count))
    return count.value


# ── lines → words → how often each comes ──


def word_count_loop(lines: Iterable[str]) -> dict[str, int]:
    """The words without threads."""
    counts: dict[str, int] = {}
    for line in lines:
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
    return counts


def word_count_threads(new_queue: NewQueue, lines: Iterable[str]) -> dict[str, int]:
    """The words with threads and queues."""
    counts: dict[str, int] = {}
    first, second = new_queue(), new_queue()

    def split() -> None:
        for line in iter(first.get, None):
            for word in line.split():
                second.put(word)
        second.put(None)

    def count() -> None:
        for word in iter(second.get, None):
            counts[word] = counts.get(word, 0) + 1

    run(step(feed, lines, first), step(split), step(count))
    return counts


# ── keyed, broadcast ──


def keyed_loop(words: Sequence[str], each: int) -> list[str]:
    """Count words; return them as each has come `each` times."""
    counts: dict[str, int] = {}
    complete: list[str] = []
    count_words(words, each, counts, complete)
    return complete


def count_words(words: Iterable[str], each: int, counts: dict[str, int], complete: list[str]) -> None:
    """Count words in one dict, note who is complete."""
    for word in words:
        seen = counts[word] = counts.get(word, 0) + 1
        if seen == each:
            complete.append(word)


def keyed_threads(new_queue: NewQueue, words: Sequence[str], each: int, instances: int, maps: int = 0) -> list[str]:
    """Count words in one of `instances` threads each, with a dict per thread; a digest of the word says in which.

    Before that, the words go through `maps` threads that make them lower case.
    """
    complete: list[str] = []
    queues = [new_queue() for _ in range(instances)]

    befores = [new_queue() for _ in range(maps)]

    def send(words: Iterable[str]) -> None:
        for word in words:
            queues[crc32(word.encode()) % instances].put(word)
        for queue in queues:
            queue.put(None)

    def count(queue: Any) -> None:
        count_words(iter(queue.get, None), each, {}, complete)

    if befores:
        ways = [step(feed, words, befores[0])]
        ways += [step(mapping, lower, *pair) for pair in pairwise(befores)]
        ways.append(step(lambda: send(map(lower, iter(befores[-1].get, None)))))
    else:
        ways = [step(send, words)]
    run(*ways, *(step(count, queue) for queue in queues))
    return complete


def sums_loop(sales: Iterable[Sale]) -> dict[str, int]:
    """The sum of each shop, without threads."""
    found: dict[str, int] = {}
    for shop, amount in sales:
        found[shop] = found.get(shop, 0) + amount
    return found


def sums_threads(new_queue: NewQueue, sales: Iterable[Sale], instances: int) -> dict[str, int]:
    """The sums in `instances` threads, with a dict each; a digest of the shop says in which."""
    queues = [new_queue() for _ in range(instances)]
    of_each: list[dict[str, int]] = [{} for _ in range(instances)]

    def divide() -> None:
        for sale in sales:
            queues[crc32(sale[0].encode()) % instances].put(sale)
        for queue in queues:
            queue.put(None)

    def add(source: Any, found: dict[str, int]) -> None:
        for shop, amount in iter(source.get, None):
            found[shop] = found.get(shop, 0) + amount

    run(step(divide), *(step(add, *each) for each in zip(queues, of_each, strict=True)))
    return disjoint(of_each)


def disjoint(of_each: Sequence[dict[str, int]]) -> dict[str, int]:
    """What all instances have found, none of which may have what another one has."""
    found = {shop: amount for of_one in of_each for shop, amount in of_one.items()}
    check("keys of all instances", sum(map(len, of_each)), len(found))
    return found


def broadcast_loop(packets: int, branches: int) -> int:
    """Every packet through each branch, all counted."""
    count = Count()
    for value in range(packets):
        for _ in range(branches):
            count.count(add_one(value))
    return count.value


def broadcast_threads(new_queue: NewQueue, packets: int, branches: int) -> int:
    """Every packet to each of `branches` threads, their results united in one queue."""
    count = Count()
    queues = [new_queue() for _ in range(branches)]
    united = new_queue()
    run(
        step(feed_all, range(packets), queues),
        *(step(mapping, add_one, queue, united) for queue in queues),
        step(consuming, count.count, united, branches),
    )
    return count.value


# ── waiting ──


def naps_threads(new_queue: NewQueue, packets: int, instances: int) -> int:
    """`instances` threads that sleep for each packet, fed from one queue."""
    count = Count()
    first, second = new_queue(), new_queue()
    run(
        step(feed, range(packets), first, instances),
        *(step(mapping, nap, first, second) for _ in range(instances)),
        step(consuming, count.count, second, instances),
    )
    return count.value


def bare_threads(count: int) -> None:
    """Start threads that do nothing but wait until all are there, then join them."""
    everybody_there = threading.Event()
    threads = [threading.Thread(target=everybody_there.wait, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    everybody_there.set()
    for thread in threads:
        thread.join()


# ── a service ──


class Served:
    """An object whose methods are called on a thread of its own: a bounded queue of requests, a Future for each."""

    def __init__(self, instance: Any) -> None:
        self._instance = instance
        self._requests: Queue[tuple[Future[Any], str, tuple[Any, ...]] | None] = Queue(1024)
        self._thread = step(self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.put(None)
        self._thread.join()

    def submit(self, method: str, *args: Any) -> Future[Any]:
        """Call, and return the future of the answer."""
        future: Future[Any] = Future()
        self._requests.put((future, method, args))
        return future

    def call(self, method: str, timeout_s: float, *args: Any) -> Any:
        """Call, and wait for the answer."""
        future: Future[Any] = Future()
        self._requests.put((future, method, args))
        return future.result(timeout_s)

    def _serve(self) -> None:
        for future, method, args in iter(self._requests.get, None):
            try:
                future.set_result(getattr(self._instance, method)(*args))
            except Exception as error:  # noqa: BLE001  the border to the object: the caller hears it
                future.set_exception(error)


# ── a join ──


def join_threads(left: Iterable[Row], right: Iterable[Row]) -> int:
    """Merge the rows of equal keys: two sources into one queue, a thread with a dict per side, a thread that counts."""
    rows: Queue[tuple[int, Row] | None] = Queue(1024)
    merged: Queue[Row | None] = Queue(1024)
    count = Count()

    def join() -> None:
        seen: tuple[dict[int, list[Row]], dict[int, list[Row]]] = ({}, {})
        for _ in range(2):
            for side, row in iter(rows.get, None):
                key = key_of(row)
                seen[side].setdefault(key, []).append(row)
                for other in seen[1 - side].get(key, ()):
                    merged.put(merge(other, row) if side else merge(row, other))
        merged.put(None)

    run(
        step(feed, ((0, row) for row in left), rows),
        step(feed, ((1, row) for row in right), rows),
        step(join),
        step(consuming, count.count, merged),
    )
    return count.value
