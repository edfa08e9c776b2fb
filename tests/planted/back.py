"""Bugs of going back: what is kept of a turn, what is put back, and in which order."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

KINDS, IMAGE, TRAFFIC, TURN = "back/kinds.py", "back/image.py", "back/traffic.py", "back/turn.py"
JOURNAL, LANE, JOIN, ROUTER = (
    "back/journal.py",
    "communication/lane.py",
    "operators/joined.py",
    "communication/router.py",
)
BACK = of("22_back", "test_after_back_all_is_as_it_was_before_each_step_and_going_on_gives_the_same")

OF_BACK: Final[tuple[Mutant, ...]] = (
    one(
        "back: goto goes past its turn",
        "scheduling/seeded.py",
        "if self.freed or (self._last is not None and self.turns >= self._last):",
        "if self.freed or (self._last is not None and self.turns > self._last + 99):",
        of("22_back", "test_under_a_seed_any_turn_is_reached_by_running_again"),
    ),
    one(
        "back: state is shared with the remembered step",
        KINDS,
        "_DICT: Final = Kind(dict.copy",
        "_DICT: Final = Kind(lambda own: own",
        BACK,
    ),
    one("back: a payload changed in place is not put back", TURN, "            image.values(payloads)\n", "", BACK),
    one(
        "back: a stop barrier is not taken back",
        LANE,
        "            self.signals.extendleft(reversed(signals))\n",
        "",
        BACK,
    ),
    one(
        "back: who has ended is forgotten",
        "task/feed.py",
        "for part in (self._alignment, self.inbox,",
        "for part in (self.inbox,",
        BACK,
    ),
    one(
        "back: the other side of a join is forgotten",
        JOIN,
        "for side in self._sides:\n            keeping",
        "for side in self._sides[:1]:\n            keeping",
        BACK,
    ),
    one(
        "back: turns of a router are not given back",
        ROUTER,
        "islice(turns, -sent_here % len(lanes))",
        "()",
        BACK,
    ),
    one(
        "back: a signal that was sent stays",
        LANE,
        "for _ in range(signals):\n                self.closed",
        "for _ in range(0):\n                self.closed",
        BACK,
    ),
    one("back: results stay collected", IMAGE, "    del items[length:]", "    pass", BACK),
    one("back: a task that has ended stays so", TURN, "            self.task.revive()", "            pass", BACK),
    one(
        "back: what was drawn is lost",
        "operators/source.py",
        "chain(self._drawn, self._source.iterator)",
        "self._source.iterator",
        BACK,
    ),
    one(
        "back: a turn that overlaps stays",
        JOURNAL,
        "(turn.ended is None or turn.ended > number)",
        "False",
        of("22_back", "test_a_packet_that_is_half_sent_is_not_gone_back_over"),
    ),
    one(
        "back: numbers of packets are lost",
        LANE,
        "self.order = Order([*numbers, *others], self.taken)",
        "pass",
        of("22_back", "test_edits_and_steps_stand_in_one_list"),
    ),
)
