"""A program as a user with a type checker writes it, in mypy's strict mode; tests run it, and plant mistakes in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, assert_type

import runtime
import sage_nb
from runtime.testing import Finding, explore


class Order(NamedTuple):
    """What is ordered, and how many."""

    thing: str
    number: int


class Orders(runtime.SourceFunction[Order]):
    """A source with a life of its own."""

    def run(self) -> Iterator[Order]:
        """Two orders."""
        yield Order("tea", 2)
        yield Order("milk", 1)


class Bill(runtime.Function[Order, tuple[str, int]]):
    """A function that asks a service."""

    def process(self, order: Order, /) -> tuple[str, int]:
        """Thing and price."""
        return order.thing, order.number * int(self.ctx.call_service("prices", order.thing))


class Prices:
    """A service."""

    def process(self, thing: str) -> int:
        """In cents."""
        return {"tea": 300, "milk": 120}[thing]


def thing_of(order: Order) -> str:
    """A key function."""
    return order.thing


def build(session: runtime.Session) -> runtime.Collected[tuple[str, int]]:
    """Write the graph."""
    session.service("prices", Prices)
    orders = assert_type(session.source(Orders(), name="orders"), runtime.Stream[Order])
    keyed = assert_type(orders.key_by(thing_of), runtime.KeyedStream[str, Order])
    totals = keyed.reduce(lambda total, order: total + order.number, initial=0, emit="end", parallelism=2)
    assert_type(totals, runtime.Stream[tuple[str, int]])
    bills = assert_type(orders.map(Bill(), on_error=runtime.Retry(2)), runtime.Stream[tuple[str, int]])
    lengths = assert_type(orders.map(lambda order: len(order.thing)), runtime.Stream[int])
    letters = assert_type(orders.flat_map(lambda order: order.thing), runtime.Stream[str])
    rows = assert_type(
        keyed.join(totals.key_by(lambda total: total[0]), lambda order, total: (order, total[1])),
        runtime.Stream[tuple[Order, int]],
    )
    both = assert_type(lengths.connect(letters).map(str, ord), runtime.Stream[str | int])
    both.union(rows.map(repr)).sink(repr)
    return assert_type(bills.collect(), runtime.Collected[tuple[str, int]])


def main() -> Counter[str]:
    """Run it, look into it."""
    paid: Counter[str] = Counter()
    with sage_nb.Session("typed", on_error="skip", seed=1) as session:
        bills = build(session)
        outcome = assert_type(session.run(timeout=60), runtime.Outcome)
        assert outcome.state == "completed"
        assert_type(session.snapshot()["orders"].lanes, tuple[runtime.LaneFacts, ...])
        assert_type(session.dead_letters[0:1], tuple[runtime.DeadLetter, ...])
        assert_type(session.peek("orders"), runtime.QueueView)
    for thing, cents in bills:
        paid[thing] += cents
    assert_type(explore(build, lambda session, bills: len(bills) == 2, seeds=2), Finding | None)
    return paid
