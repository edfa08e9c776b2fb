"""Bugs of packets that go to the first free instance."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

FREE, FEED, SENT = "communication/free_instances.py", "task/free_feed.py", "18_first_free"
FIRST = of(SENT, "test_no_packet_waits_while_an_instance_is_free")

OF_FIRST_FREE: Final[tuple[Mutant, ...]] = (
    one(
        "first free: whoever waits is not woken",
        FREE,
        "            writer.unpark()\n",
        "            pass\n",
        of(SENT, "test_every_packet_is_worked_once_and_in_order_per_producer_and_instance"),
    ),
    one(
        "first free: a producer looks before it says that it waits",
        FREE,
        'writer.park(may_go_on, "held back: all busy", ask=ask)',
        'ask(); self._free or writer.park(may_go_on, "held back: all busy")',
        of(SENT, "test_with_threads_that_are_changed_all_the_time_no_token_is_lost_or_given_twice"),
    ),
    one(
        "first free: any instance will do",
        FREE,
        "                return self._free.popleft()\n",
        "                return self._free[0]\n",
        FIRST,
    ),
    one(
        "first free: an instance is free while its packet is in work",
        FEED,
        "        values = super().take(count)\n",
        "        values = super().take(count)\n        self._give()\n",
        FIRST,
    ),
    one(
        "first free: an instance is free twice",
        FEED,
        "            self._instances.give(self._index)\n",
        "            self._instances.give(self._index)\n            self._instances.give(self._index)\n",
        FIRST,
    ),
    one(
        "first free: one that the hand has given a packet is still free",
        FEED,
        "            self._told -= self._instances.withdraw(self._index)\n",
        "            pass\n",
        of(SENT, "test_an_instance_with_a_packet_of_the_hand_in_work_is_not_free"),
    ),
    one(
        "first free: one that waits does not say that it is free",
        FEED,
        "News(self._is_free)",
        "News(lambda: not self._told and self._is_free())",
        of(SENT, "test_an_instance_is_free_again_after_a_packet_was_dropped_that_it_was_just_woken_for"),
    ),
    one(
        "first free: at a closed gate nobody is free",
        FEED,
        "        self._give()\n        return super().is_dry()\n",
        "        return super().is_dry()\n",
        of(SENT, "test_stepped_each_instance_gets_one_packet_and_the_next_waits_for_the_first_that_is_free"),
    ),
    one(
        "first free: a producer that nobody needs waits for ever",
        FREE,
        "return bool(self._free) or writer.unneeded",
        "return bool(self._free)",
        of(SENT, "test_a_producer_that_nobody_needs_any_more_ends_though_all_instances_are_busy"),
    ),
)
