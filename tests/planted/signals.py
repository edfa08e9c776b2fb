"""Bugs of signals: of their places in lanes, near and far, of what counts, and of what the hand does around them."""

from __future__ import annotations

from typing import Final

from tests.planted.records import SWITCH, Change, Mutant, one

LANE, INBOX, FAR_LANE = "communication/lane.py", "communication/inbox.py", "remote/remote_lane.py"
FEED, ALIGNMENT, BASE, TASK_CONTROL = "task/feed.py", "task/alignment.py", "task/base_task.py", "task/control.py"
SIGNALS = "promises/test_05_signals.py::"
PLACES = "stress/test_signals.py::test_signals_keep_their_places_at_full_speed"
LONG = "stress/test_signals.py::test_signals_keep_their_places_in_long_runs"
NOTHING_BEHIND = f"{SIGNALS}test_nothing_behind_an_aligned_signal_is_taken_before_all_lanes_have_brought_it"
ENDED = f"{SIGNALS}test_a_lane_that_has_ended_counts_as_having_brought_what_is_aligned"
RISES = f"{SIGNALS}test_the_least_counts_once_every_lane_has_brought_one_and_rises"
EDITED = f"{SIGNALS}test_any_edits_leave_each_signal_in_its_place_and_undo_is_their_reverse"
HEARS = f"{SIGNALS}test_an_operator_hears_a_signal_that_counts_between_the_packets_where_it_stands"
FAR_PLACES = "test_remote_lanes.py::test_signals_arrive_in_their_places_whenever_packets_are_packed_and_worked"
OVERTAKES = "test_remote_lanes.py::test_the_end_waits_for_a_signal_that_was_put_after_the_last_look"
BROKEN = "test_remote_lanes.py::test_the_end_leaves_after_a_lane_has_broken_before_a_signal"
EARLY = "append((max(0, self.arrived() - 1), signal))"
BEFORE = "append((self.taken, signal))"
LEAVES = "del self.items[:count]\n        self.taken"
LEAVES_SLOWLY = f"del self.items[:count]\n        {SWITCH}\n        self.taken"
BREAK = f"{SIGNALS}test_what_stands_behind_a_signal_is_neither_looked_at_nor_taken"
TOLD = f"{SIGNALS}test_a_stop_signal_is_told_as_one_while_its_turn_is_not_over"
PUTS = "with self._marking:\n            self.signals.append("
SAYS = "self.closed = signal.is_last\n        self.inbox.hear_signal()"
LOOKS = (
    "self._signalled = False\n        for lane in self._open:\n            if lane.signals:\n"
    "                self._signalled = True"
)
FOUND = f"found = any(lane.signals for lane in self._open)\n        {SWITCH}\n        self._signalled = found"
CLEARED_LATE = f"{FOUND}\n        for lane in self._open:\n            if lane.signals:"
SIGNALLED = "self._signalled = True\n        if self.asleep:"

IN_BAND: Final[tuple[Mutant, ...]] = (
    one(
        "signal: a batch reaches over it", INBOX, "if lane.signals and not (part :=", "if not (part := part or", PLACES
    ),
    one("signal: stands before the last packet", LANE, "append((self.arrived(), signal))", EARLY, PLACES),
    one("signal: stands before what its task has made", LANE, "append((self.arrived(), signal))", BEFORE, PLACES),
    one("signal: does not ring", INBOX, SIGNALLED, SIGNALLED.replace("self.asleep", "False"), PLACES),
    Mutant(
        "signal: counted while packets leave (with a switch)",
        (
            Change(LANE, LEAVES, LEAVES_SLOWLY),
            Change(
                LANE,
                "if taken == self.leaving:\n                return taken +",
                "if True:\n                return taken +",
            ),
        ),
        (PLACES, LONG),
    ),
    one("(that switch alone, while packets leave)", LANE, LEAVES, LEAVES_SLOWLY, PLACES, LONG, harmless=True),
    Mutant(
        "signal: looked for before the copy (with a switch)",
        (
            Change(
                INBOX,
                "part = lane.items[: count - len(batch)]",
                f"before = list(lane.signals); {SWITCH}; part = lane.items[: count - len(batch)]",
            ),
            Change(INBOX, "if lane.signals and not (part :=", "if before and not (part :="),
        ),
        (PLACES, LONG),
    ),
    one("signal: aligned lane is not held", FEED, "self.inbox.hold(lane)", "pass", NOTHING_BEHIND),
    one("signal: held lanes are not let go", FEED, "self.inbox.let_go()", "pass", NOTHING_BEHIND),
    one(
        "signal: an ended lane holds up the others",
        FEED,
        "counted = self._alignment.end(lane, stop)",
        "counted = self._alignment.end(lane, stop)[:0]",
        ENDED,
    ),
    one("signal: the first counts, not the least", ALIGNMENT, "least = min(", "least = max(", RISES),
    one("signal: handed on though it has not risen", ALIGNMENT, "not before < least", "False", RISES),
    one(
        "signal: counts before all have brought one",
        ALIGNMENT,
        "if not last or len(last) < len(self._open):",
        "if not last:",
        RISES,
    ),
    Mutant(
        "signal: said before it is put (with a switch)",
        (
            Change(LANE, PUTS, f"self.inbox.hear_signal()\n        {SWITCH}\n        {PUTS}"),
            Change(LANE, SAYS, "self.closed = signal.is_last"),
        ),
        (PLACES, LONG),
    ),
    one("signal: forgotten while it is looked for (switch)", INBOX, LOOKS, CLEARED_LATE, PLACES, LONG),
    one(
        "signal: a stop is told as one once it is over",
        "step.py",
        "if how in _ENDINGS",
        'if self.result == "stop"',
        TOLD,
    ),
    one("signal: not handed on", BASE, "self._router.send_signal(counted)", "pass", PLACES),
    one("signal: moves with what is dropped", LANE, "self._renumber(self.signals_before(index), 1)", "pass", EDITED),
    one("signal: moves with what is put back", LANE, "self._renumber(signals, -1)", "pass", EDITED),
    one(
        "signal: a packet is moved over it",
        TASK_CONTROL,
        "if lane.signals_before(index) != lane.signals_before(to):",
        "if False:",
        EDITED,
    ),
    one(
        "signal: the operator does not hear it",
        BASE,
        "self._send_between(self.operator.signalled(counted, None))",
        "pass",
        HEARS,
    ),
    one(
        "signal: a breakpoint looks behind it",
        INBOX,
        "if lane.items and not lane.has_signal_next():",
        "if lane.items:",
        BREAK,
    ),
    one("far signal: a parcel reaches over it", FAR_LANE, "return items[:before]", "return items", FAR_PLACES),
    one("far signal: the stop signal overtakes it", FAR_LANE, "or len(lane.signals) > self.has_end()", "", OVERTAKES),
    one(
        "far signal: stuck behind what could not travel", FAR_LANE, "lane.broken is None and (before", "(before", BROKEN
    ),
)
