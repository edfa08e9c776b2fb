"""Who calls which service, as a page is told: in all, and in the last second; by operator where rows are operators."""

from __future__ import annotations

import runtime
from runtime.testing import PATIENCE_S
from sage_nb.call_cards import CallCards
from sage_nb.frame import Framer
from sage_nb.plan import plan_of
from tests.services import Calling, Echo, relay

ROWS = {"count": 0, "clock": 1, "cache": 2}


def services(**callers: dict[str, int]) -> dict[str, runtime.ServiceFacts]:
    return {
        name: runtime.ServiceFacts(name, "idle", 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, None, tuple(found.items()))
        for name, found in callers.items()
    }


def looks(*at: tuple[float, int], runs: bool = True) -> list[float]:
    """The rates that are shown when so many calls have come by then."""
    cards = CallCards(lambda name: ROWS.get(name, -1))
    return [
        card["per_s"] for at_s, calls in at for card in cards.cards(services(clock={"count": calls}), at_s, runs=runs)
    ]


def test_a_rate_is_the_mean_of_the_last_second() -> None:
    steady = looks(*((number / 10, 5 * number) for number in range(30)))
    assert steady[0] == 0
    assert set(steady[1:]) == {50}
    assert looks(*((number / 10, min(number, 10)) for number in range(31)))[-1] == 0
    assert looks((0.0, 0), (1.0, 3)) == [0, 3.0]
    assert looks((0.0, 0), (0.5, 1), (1.0, 1), (1.5, 1), (2.0, 1)) == [0, 2.0, 1.0, 0.0, 0.0]


def test_after_nobody_has_looked_for_long_a_rate_begins_anew() -> None:
    assert looks((0.0, 0), (60.0, 6_000), (60.5, 6_100)) == [0, 0, 200]


def test_when_nothing_runs_there_is_no_rate() -> None:
    assert looks((0.0, 0), (0.1, 100), runs=False) == [0, 0]


def test_the_hand_and_services_are_callers_too() -> None:
    cards = CallCards(lambda name: ROWS.get(name, -1))
    found = cards.cards(services(clock={"hand": 1, "cache": 2, "count": 3}, cache={"count": 4}), 0.0, runs=True)
    assert [(card["service"], card["caller"], card["calls"]) for card in found] == [
        (1, -1, 1), (1, 0, 3), (1, 2, 2), (2, 0, 4),
    ]  # fmt: skip


def test_a_frame_tells_who_has_called_and_sums_up_where_rows_are_operators() -> None:
    for parallelism in (3, 201):
        with runtime.Session("calls") as session:
            session.service("echo", Echo)
            session.service("relay", relay("echo"))
            asked = session.source(range(402)).map(Calling("relay"), name="asks", parallelism=parallelism)
            asked.collect()
            session.run(PATIENCE_S)
            plan = plan_of(session, 1)
            frame = Framer(session, plan).frame(session.snapshot(), session, (), ())
            assert frame is not None
            names = [row["name"] for row in plan["rows"]]
            who = [(names[each["service"]], names[each["caller"]], each["calls"]) for each in frame["calls"]]
            by_task = [("relay", f"asks#{number}", 134) for number in range(3)]
            tasks = by_task if parallelism == 3 else [("relay", "asks", 402)]
            assert who == [("echo", "relay", 402), *tasks]
