"""Where time went while no page looked, as a page shows it: a text for each row of a plan. Made when a page asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from runtime import CommandRefused, Session, Stretch
from runtime.facts import SHARES
from sage_nb.time_cards import percents
from sage_nb.wire import Past

_STEPS: Final = 64
"""Into so many the time of a row is divided that stands for several tasks."""


def past_of(session: Session, names: Sequence[str], spans: Sequence[tuple[int, int]]) -> Past:
    """The past of each row; `spans` are which of `names` it is of: one, or several together."""
    try:
        found = session.stretches()
    except CommandRefused as refusal:
        return Past(rows=[""] * len(spans), until_s=0.0, note=str(refusal))
    ends = [each[-1].until_s for each in found.values() if each]
    rows = [_row(_of_row(found, names[first:after])) for first, after in spans]
    return Past(rows=rows, until_s=round(max(ends, default=0.0), 3), note="")


_Part = tuple[float, float, list[float], float | None]
"""From when, until when, the seconds of each share, and those on a processor."""


def _of_row(found: Mapping[str, Sequence[Stretch]], names: Sequence[str]) -> list[_Part]:
    parts = [
        (stretch.from_s, stretch.until_s, list(stretch.times.seconds), stretch.times.on_processor_s)
        for name in names
        for stretch in found.get(name, ())
    ]
    return parts if len(names) == 1 or not parts else _in_steps(parts)


def _in_steps(parts: Sequence[_Part]) -> list[_Part]:
    """Of several tasks: in equal steps, each with its part of what was in it, as if that had been even."""
    begin_s, end_s = min(part[0] for part in parts), max(part[1] for part in parts)
    step_s = max((end_s - begin_s) / _STEPS, 1e-6)
    sums = [[0.0] * len(SHARES) for _ in range(_STEPS)]
    on_sums = [0.0] * _STEPS
    for from_s, until_s, seconds, on_s in parts:
        first = int((from_s - begin_s) / step_s)
        for place in range(first, min(_STEPS, int((until_s - begin_s) / step_s) + 1)):
            within_s = min(until_s, begin_s + (place + 1) * step_s) - max(from_s, begin_s + place * step_s)
            if within_s > 0:
                share = within_s / (until_s - from_s)
                sums[place] = [sum_s + share * part_s for sum_s, part_s in zip(sums[place], seconds, strict=True)]
                on_sums[place] += share * (on_s or 0.0)
    knows = all(on_s is not None for *_, on_s in parts)
    steps = [(begin_s + place * step_s, begin_s + (place + 1) * step_s) for place in range(_STEPS)]
    pairs = zip(steps, sums, on_sums, strict=True)
    return [(from_s, until_s, seconds, on_s if knows else None) for (from_s, until_s), seconds, on_s in pairs]


def _row(parts: Sequence[_Part]) -> str:
    if not parts:
        return ""
    return "|".join([f"{parts[0][0]:.3f}", *map(_stretch, parts)])


def _stretch(part: _Part) -> str:
    _, until_s, seconds, on_s = part
    if (lasted_s := sum(seconds)) <= 0:
        return f"{until_s:.3f},"
    on = "" if on_s is None else round(100 * on_s / lasted_s)
    shares = percents(seconds, lasted_s)
    while not shares[-1]:
        shares.pop()
    return f"{until_s:.3f},{on},{','.join(map(str, shares))}"
