"""Where time has gone, stretch by stretch, of what stopwatches remember. Knows no tasks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from runtime.facts import Past, Stretch, Times
from runtime.scheduling.stopwatch import MOST_PAST, between, less, summed


def stretches(past: Past, now_s: float) -> tuple[Stretch, ...]:
    """What the times were between two moments each, by a clock that says `now_s` at this moment."""
    pairs = pairwise(past)
    return tuple([Stretch(now_s - ago_s, now_s - to_s, less(new, old)) for (ago_s, old), (to_s, new) in pairs])


def together(pasts: Sequence[Past]) -> Past:
    """The past of several threads, as one, at moments of them all; the newest is among them."""
    if len(pasts) == 1:
        return pasts[0]
    moments = sorted({ago_s for past in pasts for ago_s, _ in past})
    every = -(-len(moments) // MOST_PAST) or 1
    chosen = {*moments[::every], *moments[-1:]}
    return tuple([(ago_s, summed([_stood(past, ago_s) for past in pasts])) for ago_s in sorted(chosen, reverse=True)])


def _stood(past: Past, ago_s: float) -> Times:
    """How one stood then, by what is known of moments before and after."""
    if not past or ago_s >= past[0][0]:
        return past[0][1] if past else Times()
    if ago_s <= past[-1][0]:
        return past[-1][1]
    after = bisect_left(past, -ago_s, key=lambda point: -point[0])
    (from_s, first), (until_s, last) = past[after - 1 : after + 1]
    return between(first, last, (from_s - ago_s) / (from_s - until_s))
