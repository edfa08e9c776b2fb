"""Chains as a page shows them: cards that do not flicker, though a chain may be opened and closed often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from runtime.facts import ChainFacts
from sage_nb.texts import shown
from sage_nb.wire import ChainCard

STEADY_S: Final = 1.0
"""How long a card stays as it is, at least."""


class _Shown(NamedTuple):
    facts: ChainFacts
    since_s: float
    seen: ChainFacts  # at the last look


class ChainCards:
    """Keeps what was shown of each chain: it changes once two looks agree, and at most once in `STEADY_S`."""

    def __init__(self, row: Callable[[str], int]) -> None:
        self._row = row
        self._shown: dict[str, _Shown] = {}  # by the last of its tasks: the first ones may end before the others

    def cards(self, chains: Sequence[ChainFacts], at_s: float) -> list[ChainCard]:
        """What to show of `chains` now, `at_s` seconds after the start."""
        self._shown = {each.tasks[-1]: self._steady(each, at_s) for each in chains}
        cards = [
            ChainCard(
                rows=sorted({row for task in facts.tasks if (row := self._row(task)) >= 0}),
                opened_by=shown(facts.opened_by),
            )
            for facts, *_ in self._shown.values()
        ]
        return [card for card in cards if len(card["rows"]) > 1]

    def _steady(self, facts: ChainFacts, at_s: float) -> _Shown:
        before = self._shown.get(facts.tasks[-1])
        if before is None:
            return _Shown(facts, -STEADY_S, facts)
        if facts == before.facts or facts != before.seen or 0 <= at_s - before.since_s < STEADY_S:
            return before._replace(seen=facts)
        return _Shown(facts, at_s, facts)
