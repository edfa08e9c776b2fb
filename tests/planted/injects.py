"""Bugs of what is put in by hand and taken back: that it is noted in one step, found by its number, and all or none."""

from __future__ import annotations

from typing import Final

from tests.planted.records import SWITCH, Change, Mutant, one

LANE, HANDS = "communication/lane.py", "communication/hand.py"
TASK_CONTROL, RECORDS = "task/control.py", "control/records.py"
ORDER, BASE, THREADS = "communication/order.py", "task/base_task.py", "factory/threads.py"

UNDONE = "promises/test_14_inject_undone.py::"
EVENT = f"{UNDONE}test_an_inject_is_an_event_with_what_where_and_which_it_was_to_arrive"
NEVER_IN = f"{UNDONE}test_an_undone_inject_is_as_if_nothing_had_been_put_in"
TAKEN = f"{UNDONE}test_a_running_task_that_has_taken_it_is_named_and_one_that_may_take_it_is_to_be_paused"
NEWEST = f"{UNDONE}test_a_packet_that_was_injected_edited_moved_and_dropped_is_undone_newest_first"
FOUND = f"{UNDONE}test_a_packet_is_taken_back_wherever_it_was_moved_and_never_another_that_is_equal"
BEHIND = f"{UNDONE}test_what_came_behind_an_inject_is_found_by_its_number_once_that_is_taken_back"
NO_EVENT = f"{UNDONE}test_a_full_lane_and_an_ended_task_leave_no_event"
ROOM = f"{UNDONE}test_what_is_taken_back_leaves_its_place_also_to_a_producer_who_was_held_back"
ALL_OR_NONE = f"{UNDONE}test_a_broadcast_by_hand_is_taken_back_from_all_its_tasks_or_from_none"
NUMBERS = f"{UNDONE}test_injects_of_many_threads_each_have_a_number_of_their_own_that_finds_their_packet"
WORKED_OR_BACK = "stress/test_hand.py::test_what_was_injected_is_worked_by_all_who_got_it_or_taken_back_from_all"
INTERRUPTED = (
    "stress/test_interrupts.py::"
    "test_an_inject_that_is_interrupted_at_any_bytecode_is_in_with_its_event_and_its_undo_or_not_at_all"
)

PLACED = "coming = compress((item,), iter(places.tokens.pop, None))"
NOTED = "noting = silent((self._numbering(note), *note.acts))"
IN = "        except RuntimeError:  # the reader was awake; the item is in\n            pass\n"
GATES = "[gates.enter_context(task.control.retracting(number)) for task, number in waiting]"
AT_ONCE = f"for retract in {GATES}:\n            retract()"
ONE_BY_ONE = "for task, number in waiting:\n            task.control.retract(number)"
HELD = (
    "with self._task.gate.at_rest(self._task.name):\n            self._refuse_ended()\n"
    "            inbox = self._task.inbox\n            if (index := index_of(inbox.hand.lane"
)
COUNTED = "self.lane.remove(index)\n            self.retracted += 1"
UNCOUNTED = "del self.lane.items[index]\n            self.retracted += 1"

INJECTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "injects: the number is drawn before the place",
        (
            Change(HANDS, PLACED, f"self._numbering(note)()\n            {SWITCH}\n            {PLACED}"),
            Change(HANDS, NOTED, "noting = silent(note.acts)"),
        ),
        (NUMBERS, WORKED_OR_BACK),
    ),
    one(
        "injects: the reader is woken by a permit that it had before",
        HANDS,
        "places, wake = self._places, self._places.wake",
        "places, wake = self._places, self._inbox.reader.permit.release",
        "test_parking.py::test_what_is_put_in_by_hand_wakes_the_thread_that_reads_by_then",
    ),
    one(
        "injects: what is sent has no number",
        HANDS,
        "places.with_numbers),",
        "iter(places.tokens.pop, None)),",
        EVENT,
    ),
    Mutant(
        "injects: noted in a step of its own",
        (
            Change(HANDS, NOTED, "noting = silent((self._numbering(note),))"),
            Change(HANDS, IN, f"{IN}        for act in note.acts if note is not None else ():\n            act()\n"),
        ),
        (INTERRUPTED,),
    ),
    one("injects: noted though refused", HANDS, "chain(coming, *noting,", "chain(*noting, coming,", NO_EVENT, EVENT),
    one("injects: what is taken back has come in", BASE, " - hand.retracted", "", NEVER_IN),
    one("injects: what is taken back gives its number away", HANDS, COUNTED, UNCOUNTED, BEHIND),
    one(
        "injects: what is taken back keeps its place",
        HANDS,
        f"{COUNTED}\n            self.free_place()",
        COUNTED,
        ROOM,
        NO_EVENT,
    ),
    one("injects: taken back from one task after the other", THREADS, AT_ONCE, ONE_BY_ONE, ALL_OR_NONE),
    one(
        "injects: taken back without the gate's lock",
        TASK_CONTROL,
        HELD,
        HELD.replace("self._task.gate.at_rest(self._task.name)", "__import__('contextlib').nullcontext()"),
        WORKED_OR_BACK,
    ),
    one(
        "injects: those that wait lose their numbers",
        LANE,
        "del numbers[index]\n        with",
        "with",
        BEHIND,
    ),
    one(
        "injects: a task that runs has not taken anything", ORDER, "return position < lane.taken", "return False", TAKEN
    ),
    one("injects: the oldest is undone first", RECORDS, "return self._changes[-1]", "return self._changes[0]", NEWEST),
)
