"""Where the time of the last second went, as a page shows it: a short text, made anew a few times a second at most."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Final

from runtime import Snapshot, Times

LEAST_S: Final = 0.25
"""How long the text stays as it is, at least; longer the more tasks there are."""

_FOR_EACH_S: Final = 0.005


class TimeCards:
    """Keeps the text that was made last. `spans` are which of `names` each row is of: one, or several together."""

    def __init__(self, names: Sequence[str], spans: Sequence[tuple[int, int]]) -> None:
        self._names, self._spans = names, spans
        self._text, self._due_s = "", 0.0
        self._last: object = None

    def text(self, snapshot: Snapshot) -> str:
        """For each row: packets per second, how many % were on a processor, then the % of `runtime.facts.SHARES`."""
        if (now_s := monotonic()) < self._due_s and snapshot.state == self._last:
            return self._text
        self._due_s, self._last = now_s + max(LEAST_S, _FOR_EACH_S * len(self._names)), snapshot.state
        lately = snapshot.lately
        times = [lately.get(name, Times()) for name in self._names]
        self._text = ";".join([_row(times[first:end]) for first, end in self._spans])
        return self._text


def _row(times: Sequence[Times]) -> str:
    lasted_s = sum([each.lasted_s for each in times])
    if lasted_s <= 0:
        return ""
    on_s = [each.on_processor_s for each in times]
    on = "" if None in on_s else round(100 * sum(filter(None, on_s)) / lasted_s)
    seconds = [sum(column) for column in zip(*(each.seconds for each in times), strict=True)]
    shares = ",".join(map(str, percents(seconds, lasted_s)))
    return f"{sum([each.per_s for each in times]):.4g},{on},{shares}"


def percents(seconds: Sequence[float], whole_s: float) -> list[int]:
    """Whole per cents that add up to 100: what rounding has taken goes to those that have lost the most by it."""
    exact = [100 * each / whole_s for each in seconds]
    found = [int(each) for each in exact]
    by_rest = sorted(range(len(exact)), key=lambda place: found[place] - exact[place])
    for place in by_rest[: 100 - sum(found)]:
        found[place] += 1
    return found
