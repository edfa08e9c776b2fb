"""Bugs in what a page asks, and in what it is shown of a question on its way."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, one

ASKING, WAYS, VIEW = "../sage_nb/asking.py", "../sage_nb/ways.py", "view/test_asking.py::"

OF_ASKING: Final[tuple[Mutant, ...]] = (
    one(
        "asking in a view: gates stay closed after the answer",
        ASKING,
        "                if self._closed:\n                    self._session.resume(*self._closed)",
        "                pass",
        f"{VIEW}test_what_is_watched_goes_from_box_to_box_with_value_and_time_at_each",
        f"{VIEW}test_a_question_that_is_left_leaves_no_gate_closed_and_no_thread",
    ),
    one(
        "asking in a view: gates that were closed before are opened, too",
        ASKING,
        "if task not in held)",
        "if task)",
        f"{VIEW}test_what_lies_before_it_goes_first_and_is_said_to_be_another",
    ),
    one(
        "asking in a view: what is made of another packet is taken for its own",
        ASKING,
        'if is_of_it and step.result == "done":',
        'if step.result == "done":',
        f"{VIEW}test_what_lies_before_it_goes_first_and_is_said_to_be_another",
    ),
    one(
        "asking in a view: who waits for room is stepped, and not whom it waits for",
        ASKING,
        'self._full = step.sent[-1][0] if step.result == "held_back" and step.sent else None',
        "self._full = None",
        f"{VIEW}test_what_is_in_a_batch_a_call_or_waits_for_room_is_stepped_to_its_end",
    ),
    one(
        "asking in a view: with all replies only the way to a reply is closed",
        WAYS,
        "    if not many:\n",
        "    if True:\n",
        f"{VIEW}test_with_many_it_is_watched_until_no_packet_of_it_is_left_anywhere",
    ),
    one(
        "asking in a view: it is watched on after nobody looks",
        "../sage_nb/commands.py",
        "        self._asking.close()\n",
        "",
        f"{VIEW}test_a_question_that_is_left_leaves_no_gate_closed_and_no_thread",
    ),
)
