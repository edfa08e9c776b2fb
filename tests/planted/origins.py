"""Bugs of origins: what a result is said to come from."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

MADE, MEMORY = "origins/made.py", "origins/memory.py"
WHY = "23_why"
ROWS = of(WHY, "test_a_pair_of_a_join_comes_from_both_rows")
UNDER_POLICIES = of(WHY, "test_a_join_knows_its_rows_under_every_policy_and_what_its_function_sends_itself")
FOLDS = of(WHY, "test_a_folded_value_names_its_last_ten_packets_and_how_many_were_before")
BY_HAND = of(WHY, "test_what_was_put_in_edited_and_retried_by_hand_is_said_to_be")
AS_THEY_WERE = of(WHY, "test_values_are_told_as_they_were_when_they_were_made")
FORGOTTEN = of(WHY, "test_what_is_forgotten_is_said_to_be")
SO_FAR = of(WHY, "test_a_value_that_is_folded_so_far_comes_from_the_packets_so_far")

OF_ORIGINS: Final[tuple[Mutant, ...]] = (
    one(
        "origin: a join's other side is forgotten",
        MEMORY,
        "        self._made.meet(self._packets.get(key, ()), self._number)\n",
        "",
        ROWS,
    ),
    one(
        "origin: all results that are held back are made of what the last one is",
        "communication/send_plan.py",
        "            if made_of and tracer is not None:\n",
        "            if not made_of and tracer is not None and made_of:\n",
        UNDER_POLICIES,
    ),
    one(
        "origin: nobody counts what was folded before",
        MEMORY,
        "        return last, count - len(last)\n",
        "        return last, 0\n",
        FOLDS,
    ),
    one(
        "origin: a fold is made of its last packet",
        MEMORY,
        "        self._made.made_of(self._of(key))\n\n",
        "\n",
        SO_FAR,
    ),
    one("origin: an edit is not said", "communication/element.py", ", edited=True)", ")", BY_HAND),
    one(
        "origin: a letter that is retried comes from nowhere",
        "communication/element.py",
        "                tracer.made.draw(element.packet)\n",
        "",
        BY_HAND,
    ),
    one(
        "origin: values are kept as they are by now",
        MADE,
        "            value, size = kept(value)\n",
        "            size = kept(value)[1]\n",
        AS_THEY_WERE,
    ),
    one(
        "origin: a run that does not repeat is believed",
        "session/again.py",
        "    if preview(before) != preview(again):\n",
        "    if not again:\n",
        of(WHY, "test_a_run_that_does_not_repeat_is_not_explained"),
    ),
    one(
        "test: it asserts no results",
        "session/written.py",
        "                lines.append(self._result(node, result))\n",
        "                self._result(node, result)\n",
        "test_written.py::test_it_passes_as_it_stands_and_fails_when_a_function_is_broken[seeded]",
    ),
    one(
        "test: what was replaced while a packet was held stays as it was",
        "session/lived.py",
        "                found[-1].append(replaces[operator, event.text])\n",
        "",
        "test_written.py::test_it_passes_as_it_stands_and_fails_when_a_function_is_broken[seeded]",
    ),
    one(
        "origin: nothing is forgotten",
        MADE,
        "        if self._bytes > self._most_bytes:\n",
        "        if not self._most_bytes:\n",
        FORGOTTEN,
    ),
)
