"""What a clever user writes by hand: a thread per step, which hand each other lists of packets through short queues.

It is quicker than a queue of packets, and gives up what that has: a packet waits for its list to be full, a bound
counts lists, and who looks into a queue sees lists.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final
from zlib import crc32

from benchmarks.peers import disjoint, run, step
from benchmarks.steps import Count, Sale, add_one, double, is_even

LENGTH: Final = 256  # packets in a list
DEPTH: Final = 8  # lists in a queue

Lists = queue.Queue[Any]  # of lists, then one None


def new_queue() -> Lists:
    """A short queue of lists."""
    return queue.Queue(DEPTH)


def feeding(values: Iterable[Any], target: Lists) -> None:
    """Put all values, in lists."""
    left = iter(values)
    while taken := list(islice(left, LENGTH)):
        target.put(taken)
    target.put(None)


def working(work: Callable[[list[Any]], list[Any]], source: Lists, target: Lists) -> None:
    """Put what `work` makes of each list."""
    for packets in iter(source.get, None):
        target.put(work(packets))
    target.put(None)


def consuming(work: Callable[[list[Any]], object], source: Lists) -> None:
    """Call `work` for each list."""
    for packets in iter(source.get, None):
        work(packets)


def line(packets: int) -> int:
    """Source → +1 → keep even → ×2 → count."""
    count = Count()
    first, second, third, fourth = (new_queue() for _ in range(4))

    def count_all(values: list[int]) -> None:
        for value in values:
            count.count(value)

    run(
        step(feeding, range(packets), first),
        step(working, lambda values: [add_one(value) for value in values], first, second),
        step(working, lambda values: [value for value in values if is_even(value)], second, third),
        step(working, lambda values: [double(value) for value in values], third, fourth),
        step(consuming, count_all, fourth),
    )
    return count.value


def word_count(lines: Sequence[str]) -> dict[str, int]:
    """Lines → words → how often each comes."""
    counts: dict[str, int] = {}
    first, second = new_queue(), new_queue()

    def count_all(words: list[str]) -> None:
        for word in words:
            counts[word] = counts.get(word, 0) + 1

    run(
        step(feeding, lines, first),
        step(working, lambda lines: [word for line in lines for word in line.split()], first, second),
        step(consuming, count_all, second),
    )
    return counts


def sums(sales: Sequence[Sale], instances: int) -> dict[str, int]:
    """Sales → the sum of each shop, in `instances` threads: a digest of the shop says in which."""
    queues = [new_queue() for _ in range(instances)]
    of_each: list[dict[str, int]] = [{} for _ in range(instances)]

    def dividing() -> None:
        left = iter(sales)
        while taken := list(islice(left, LENGTH)):
            parts: list[list[Sale]] = [[] for _ in range(instances)]
            for sale in taken:
                parts[crc32(sale[0].encode()) % instances].append(sale)
            for target, part in zip(queues, parts, strict=True):
                target.put(part)
        for target in queues:
            target.put(None)

    def add_all(found: dict[str, int], taken: list[Sale]) -> None:
        for shop, amount in taken:
            found[shop] = found.get(shop, 0) + amount

    def adding(source: Lists, found: dict[str, int]) -> None:
        consuming(lambda taken: add_all(found, taken), source)

    run(step(dividing), *(step(adding, *each) for each in zip(queues, of_each, strict=True)))
    return disjoint(of_each)
