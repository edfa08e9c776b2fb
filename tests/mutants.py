"""Plants bugs, one at a time, and lets the tests find them.

`make mutants` plants those of the files that a change has touched, `make mutants ALL=1` all; `python -m tests.mutants`
those whose names contain one of its words (without any: all), or with `--since REVISION` those of a change.

Each bug goes into a copy of the tree in a temporary folder, never into the working tree, and the tests that guard
against it run there. Exit status 1 if a bug survives, if the copy without a bug is not green, if a text to be replaced
is not found exactly once, or if a harmless change (a thread switch without its bug) turns a test red.

Where CPython happens to hide a race (it changes threads at calls and at the ends of loops only), a bug comes with
`SWITCH` in its window, and that switch alone is tried as well.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.in_node.__main__ import INSTALLED, install
from tests.planted.asking import OF_ASKING
from tests.planted.awaiting import OF_AWAITING
from tests.planted.back import OF_BACK
from tests.planted.batches import OF_BATCHES
from tests.planted.between import BETWEEN
from tests.planted.browser import OF_BROWSER
from tests.planted.calls import OF_CALLS
from tests.planted.chains import OF_CHAINS
from tests.planted.first_free import OF_FIRST_FREE
from tests.planted.formats import OF_FORMATS
from tests.planted.injects import INJECTS
from tests.planted.kernel import OF_KERNEL
from tests.planted.memory import MEMORY_BUGS
from tests.planted.mending import OF_MENDING
from tests.planted.origins import OF_ORIGINS
from tests.planted.pictures import OF_PICTURES
from tests.planted.places import OF_PLACES
from tests.planted.questions import OF_QUESTIONS
from tests.planted.rates import OF_RATES
from tests.planted.records import SWITCH, Change, Mutant, one
from tests.planted.sessions import OF_SESSIONS
from tests.planted.signals import IN_BAND
from tests.planted.times import OF_TIMES

TREE: Final = Path(__file__).resolve().parent.parent
COPIED: Final = ("runtime", "sage_nb", "examples", "tests", "tools/browser", "pyproject.toml")
PATIENCE_S: Final = 2.0  # after which a round of a stress test counts as hung
TIME_LIMIT_S: Final = 100.0  # for all tests of one bug

SCHEDULES = "test_schedules.py::test_every_schedule_of_every_graph_is_exact_in_order_and_bounded_and_ends_once[from-{}]"
TURNS_END = "test_schedules.py::test_turns_end_with_the_job_whenever_it_is_closed"
SHORT = "stress/test_lanes.py::test_short_runs_lose_double_reorder_and_overfill_nothing"
STRATEGIES = "stress/test_lanes.py::test_every_strategy_is_exact_and_ordered_between_parallel_instances"
SLEEPER = "stress/test_wake_up.py::test_a_consumer_that_keeps_falling_asleep_is_woken_by_a_filter_that_drops_most"
SLEEPERS = "stress/test_wake_up.py::test_a_consumer_that_keeps_falling_asleep_is_woken_by_every_kind_of_edge"
INJECT_END = (
    "stress/test_hand.py::test_what_the_hand_puts_in_against_the_end_is_worked_or_refused_and_the_barrier_waits_for_all"
)
BORROW = "stress/test_room.py::test_borrowed_room_never_makes_a_queue_longer_while_producers_run"
UNUSED_ROOM = "stress/test_room.py::test_an_empty_queue_has_room_for_the_hand_when_nobody_moves"
WAITING_HAND = "stress/test_room.py::test_a_waiting_hand_gets_the_room_that_a_producer_claimed_and_did_not_use"
RETURNED = "stress/test_room.py::test_what_the_hand_has_borrowed_comes_back"
BRIM = "stress/test_room.py::test_queues_fill_to_the_brim_behind_a_consumer_that_is_stuck"
CANCEL_PUT = "stress/test_ending.py::test_cancel_against_put_loses_count_of_nothing"
CANCEL_IDLE = "stress/test_ending.py::test_cancel_against_idle_tasks_wakes_them_all"
CANCEL_HAND = (
    "promises/test_14_hand.py::"
    "test_a_cancelled_task_refuses_the_hand_while_its_function_is_at_work_though_there_is_room"
)
CANCEL_FINISH = "stress/test_ending.py::test_cancel_against_finish_counts_what_finish_still_made"
CLOSE = "stress/test_ending.py::test_close_at_any_moment_leaves_no_thread"
FAILURE = "stress/test_failure.py::test_a_failure_against_everything_ends_the_job_once_and_is_counted"
EVERYWHERE = (
    "promises/test_09_policies.py::test_an_error_is_followed_by_what_the_policy_says_at_every_place_and_position"
)
LIFE = "promises/test_09_policies_of_life.py::"
BACK_OFF = f"{LIFE}test_cancel_ends_a_back_off_at_once_and_counts_its_packet_as_dropped"
MANY_RESULTS = f"{LIFE}test_cancel_counts_all_that_one_packet_made_and_nobody_took"
ALWAYS_RAISES = f"{LIFE}test_a_source_that_always_raises_can_be_stopped_and_cancelled"
WRAPPED = f"{LIFE}test_a_generator_is_finished_by_its_error_and_what_it_would_have_made_is_not_lost_silently"
KEY_AGAIN = (
    "promises/test_09_policies.py::test_a_key_that_is_tried_again_does_not_show_its_packet_to_the_operator_twice"
)
ONE_EDGE = "promises/test_09_policies.py::test_a_failing_key_behind_one_edge_leaves_nothing_on_any_other"
BEING_RETRIED = "promises/test_09_dead_letters.py::test_while_a_letter_is_being_retried_nobody_else_gets_it"
RETRY_CUT = (
    "stress/test_interrupts.py::"
    "test_a_retry_that_is_interrupted_at_any_bytecode_puts_the_packet_in_or_leaves_the_letter[threads]"
)
IN_START = (
    "promises/test_16_lifetime.py::"
    "test_a_command_that_would_wait_for_the_start_that_runs_it_is_refused_by_name[local-close]"
)
IN_FINALIZER = (
    "promises/test_16_lifetime.py::"
    "test_a_finalizer_on_the_thread_of_commands_that_closes_its_session_is_refused_and_nothing_is_said_to_be_closed"
    "[local]"
)
STAYS = "promises/test_09_dead_letters.py::test_a_letter_stays_if_there_is_no_room_for_its_packet"
NO_PACKETS = f"{LIFE}test_an_error_outside_of_packets_fails_the_job_under_every_policy"
NEVER_OPENED = f"{LIFE}test_what_was_never_opened_works_no_packet"
BOUNDED_RESULTS = f"{LIFE}test_the_results_of_one_packet_are_bounded_in_bytes_and_the_error_names_operator_and_packet"
CANCEL_HELD = f"{LIFE}test_cancel_is_heard_while_results_are_held_back"
NO_POLICY = "promises/test_09_policies.py::test_what_is_no_matter_of_policies_fails_the_job_under_all_of_them"
ENOUGH = "promises/test_07_enough.py::"
KNOWN_BEFORE = f"{ENOUGH}test_what_is_held_back_is_let_go_of_though_its_task_has_looked_up_since_that_was_known"
SLOW_WRITER = f"{ENOUGH}test_a_slow_writer_whose_lane_is_never_full_is_let_go_of_as_well"
HELD_FOR_EVER = f"{ENOUGH}test_user_code_whose_results_are_held_back_is_let_go_of_too"
HELD_BY_PAUSED = f"{ENOUGH}test_a_writer_that_is_held_back_by_a_paused_reader_ends_when_nobody_needs_it"
UNNEEDED_BACK_OFF = f"{ENOUGH}test_a_back_off_ends_when_nobody_needs_its_packet_any_more"
ALL_TASKS = f"{ENOUGH}test_all_tasks_of_an_operator_have_to_have_enough"
LENT = "promises/test_07_enough.py::test_a_place_that_is_lent_while_a_lane_is_shut_does_not_open_it"
FOREIGN = (
    "promises/test_10_refusals_running.py::"
    "test_packets_from_threads_that_are_not_the_tasks_own_are_refused_by_name_and_told_of"
)
ENOUGH_STRESS = "stress/test_ending.py::test_enough_against_everything_ends_what_nobody_needs"
KEPT = "promises/test_16_nothing_kept.py::"
REST_OF_BATCH = f"{KEPT}test_the_failure_keeps_nothing_of_the_batch_but_its_packet"
NOTHING_KEPT = f"{KEPT}test_after_a_close_nothing_keeps_a_payload_but_letters_and_the_failure"
GOES = f"{KEPT}test_with_the_session_goes_all_that_it_kept_also_without_a_collector"
LAST_CALL = f"{KEPT}test_a_service_and_its_caller_keep_nothing_of_the_last_request"
EVENTS_ONCE = "stress/test_logs.py::test_a_reader_of_events_hears_each_of_them_once_and_in_order"
LETTERS_ONCE = "stress/test_logs.py::test_letters_are_numbered_bounded_and_retried_once_while_they_come_and_go"
FLOOD = "promises/test_15_looking.py::test_a_flood_of_skips_pushes_no_other_event_out"
FAR_MAIL = "test_remote_mail.py"
BY_VALUE = "test_by_value.py"
FORMS = "remote/error_forms.py"
SET_UPS = "remote/set_ups.py"
CIRCLES = "test_set_ups.py"
CALLS = "stress/test_services.py::test_of_many_calls_at_once_each_has_one_ending_and_gets_what_is_its_own"
TIES = "stress/test_services.py::test_timeouts_against_replies_end_each_call_once"
TAKEN_BACK = "stress/test_services.py::test_a_request_that_is_taken_back_is_executed_or_not_and_its_future_says_so"
CANCEL_CALLS = "stress/test_services.py::test_cancel_against_calls_ends_everybody_as_cancelled"
DRAIN = "stress/test_services.py::test_the_end_comes_behind_the_last_request"
LATE = "promises/test_11_calls.py::test_a_call_that_takes_too_long_ends_and_its_reply_is_counted_not_delivered"
NOT_BEGUN = "promises/test_11_calls.py::test_a_request_that_timed_out_before_it_began_is_never_executed"
LET_IN = "promises/test_11_calls.py::test_callers_who_find_the_queue_full_are_let_in_in_order"
SET_UP = "promises/test_12_services_live.py::test_a_set_up_may_call_other_services_though_all_tasks_have_ended"
NAMED = "promises/test_12_services_live.py::test_a_service_that_fails_fails_the_job_and_is_named_not_its_callers"
FATE = "promises/test_13_interceptors.py::test_the_same_calls_meet_the_same_fate_on_every_platform"
ROOM = "promises/test_11_calls.py::test_room_that_a_call_gives_up_goes_to_the_next_who_waits_for_it"
FALSY_KEY = "promises/test_02_order_and_keys.py::test_a_falsy_key_is_a_key"
SAME_INSTANCE = "promises/test_02_order_and_keys.py::test_a_key_meets_the_same_instance_in_every_run_of_every_process"


LANE, INBOX, ROUTER = "communication/lane.py", "communication/inbox.py", "communication/router.py"
HANDS = "communication/hand.py"
DIGEST, PARTITION = "communication/digest.py", "communication/partition.py"
GATE, SEEDED, PARKER = "scheduling/gate.py", "scheduling/seeded.py", "scheduling/parker.py"
QUIESCENCE, TASK_GATE, FEED = "scheduling/quiescence.py", "task/task_gate.py", "task/feed.py"
BATCH = "task/batch.py"
BASE, LOCAL = "task/base_task.py", "task/local_task.py"
DISPATCHER = "dispatcher.py"
BY_MOUSE = (
    "promises/test_14_pause_and_step.py::test_who_waits_goes_on_waiting_while_a_person_holds_the_job_in_a_view[local]"
)
GUARD, PLAN, LETTERS = "task/policy_operator.py", "communication/send_plan.py", "history/dead_letters.py"
ELEMENT = "communication/element.py"
HELD, EVENTS = "task/held_results.py", "history/event_log.py"
JOINED, JOINED_FEED, HAND = "operators/joined.py", "task/joined_feed.py", "control/injector.py"
OWN, ITEMS, SOURCE = "factory/own_functions.py", "operators/items.py", "operators/source.py"
COPIES = "promises/test_10_functions_are_copied.py::"
EVERY_RUN = f"{COPIES}test_every_run_begins_with_the_function_as_it_was_given"
USED_ONCE = f"{COPIES}test_what_cannot_be_copied_is_used_itself_once"
USED_BY_ONE = f"{COPIES}test_what_cannot_be_copied_is_refused_for_a_second_operator_and_can_then_be_mended"
PLACE_OF_ANOTHER = f"{COPIES}test_a_new_object_in_the_place_of_one_that_is_gone_is_not_taken_for_it"
SHARED = "promises/test_01_shared_items.py::"
ENDS_FOR_ALL = f"{SHARED}test_an_error_of_shared_items_that_is_skipped_loses_no_other_item"
ONE_SOURCE = f"{SHARED}test_sources_whose_callables_return_one_iterator_are_refused"
ONE_AFTER_THE_OTHER = f"{SHARED}test_two_sessions_cannot_draw_from_one_iterator_at_once_but_one_after_the_other"
IDLE_IS_NONE = f"{SHARED}test_idle_is_no_packet"
ONCE_EACH = f"{SHARED}test_each_item_of_a_shared_iterable_is_sent_once"
DRAWS = f"{SHARED}test_who_waits_for_another_to_draw_hears_stop_and_cancel"
KEEPS_KEYS = "promises/test_02_keys_on_the_way.py"
FOLDS = "promises/test_02_order_and_keys.py::test_equal_moments_meet_whatever_their_fold"
NO_OWN_EQUALITY = (
    "promises/test_02_order_and_keys.py::test_a_key_that_says_itself_what_it_equals_is_refused_with_the_fix"
)
KEYS_GONE = "promises/test_02_order_and_keys.py::test_nothing_remembers_a_key_once_its_session_is_closed"
FUTURES = "service/call_future.py"
INTERRUPTED_FUTURES = (
    "stress/test_call_futures.py::test_whatever_is_interrupted_with_a_future_hurts_neither_the_job_nor_the_future"
)
ONE_OUTCOME = (
    "stress/test_call_futures.py::test_a_future_has_one_outcome_whoever_cancels_it_and_all_who_wait_hear_of_it_once"
)
LEDGER, REQUESTS, CALLER = "communication/calls.py", "communication/request_queue.py", "service/service_caller.py"
SERVICE = "service/base_service_task.py"
TRACES = "promises/test_15_traces.py::"
PARENTS = f"{TRACES}test_every_packet_has_an_id_of_its_own_and_the_packet_in_work_as_its_parent[local-fail]"
LEFT = f"{TRACES}test_what_is_left_at_the_end_of_the_input_has_no_parents"
SAME_ID = f"{TRACES}test_a_packet_keeps_its_id_whatever_the_hand_does_with_it"
COPIES = f"{TRACES}test_each_copy_of_a_broadcast_packet_has_an_id_of_its_own"
VIRTUAL = f"{TRACES}test_under_a_seed_timestamps_are_virtual_and_a_run_has_the_same_traces_again"
BY_HAND = f"{TRACES}test_what_the_hand_puts_in_is_traced_too_at_every_kind_of_input"
ADMISSION = "scheduling/admission.py"
PLACES = "stress/test_admission.py::test_with_one_place_or_two_every_race_ends_as_with_many"
PLACES_MOVE = "stress/test_admission.py::test_while_places_come_and_go_every_race_ends_as_with_many"
KEPT_PLACES = "stress/test_admission.py::test_cancel_ends_all_but_those_who_keep_the_places_in_user_code"
GOES_FIRST = "stress/test_admission.py::test_whom_the_hand_wants_to_see_at_its_gate_goes_first"
TELLS_ROOM = "        if self.lets_in_at >= 0 and len(self.items) <= self.lets_in_at:\n            self.give_room()\n"
LET_IN_AT_THE_END = (
    "promises/test_04_prompt.py::"
    "test_a_producer_is_let_in_at_the_end_of_a_batch_though_others_keep_the_consumer_at_work"
)
NOT_ASLEEP = "stress/test_admission.py::test_whoever_is_unparked_before_he_sleeps_does_not_sleep"
WAITS_FOR_NOBODY = "stress/test_admission.py::test_who_asks_for_something_waits_for_nobody_who_gives_places_away"
TRIES_CLAIM = "claim.acquire(False):"
TOGETHER = "test_many_tasks.py::test_100_tasks_may_all_be_in_user_code_at_once"
LIMITED = "test_many_tasks.py::test_more_may_run_while_the_gil_is_free_and_fewer_when_whoever_wants_it_waits"
SOON = "test_many_tasks.py::test_2000_busy_tasks_can_be_looked_at_and_cancelled_within_a_second"
REPEATS = "test_turns.py::test_what_the_hand_does_where_all_has_settled_repeats_with_turns_and_events"
CLOSES_PLACES = "self._places.close()\n            self.lane.put_signal("
KEEPS_PLACES = "self.lane.put_signal("
DORMANT = "return self._holder is None or self.freed"
COMMANDS, HELM = "scheduling/commands.py", "scheduling/helm.py"
HELPS = "if not self._taken.acquire(False):\n            return False"
NO_STEP = "or not until.by_tasks:\n                return False"
LEAVES = "            self.helps = False\n            self.monitor.tell_of_leaving()"
LEFT_TO_TASK = "test_step_way.py::test_a_step_that_is_put_down_for_a_task_that_leaves_its_gate_is_carried_out_by_others"
EATS = (
    "        if self.helps:\n"
    "            self.permit.acquire(False)  # from before; what it told of is looked at now\n"
    "        self.monitor.tell_of_rest()"
)
EATS_LATE = (
    "        self.monitor.tell_of_rest()\n"
    f"        {SWITCH.replace('(0)', '(0.001)')}\n"
    "        if self.helps:\n"
    "            self.permit.acquire(False)"
)
IS_DUE = "self._due_s() >= self._wakes_s"
IN_TIME = "test_step_way.py::test_a_step_that_its_own_task_carries_out_is_told_of_in_time"
STEP_ENDS = "test_step_way.py::test_a_step_ends_on_the_thread_of_its_task"
GIVEN_UP = "test_step_way.py::test_a_step_that_was_given_up_is_told_by_the_next_one"
WAKES_NOBODY = "test_step_way.py::test_a_step_wakes_nobody_whose_closed_gate_keeps_him_from_what_it_sends"
STANDS = "if parker.is_gated and feed.is_dry():"
TIMER_IS_HELD = (
    "promises/test_04_wake_sources.py::test_a_timer_of_a_paused_task_ends_a_wait_for_the_job_when_it_has_come[local]"
)
SET_GOING = "test_step_way.py::test_a_step_waits_for_the_user_code_of_whoever_it_has_set_going_again"
AT_ONCE_FOR_ALL = "test_turns.py::test_what_one_command_changes_is_changed_at_once_for_all_who_want_a_turn"
LOGS_STEP = "        if step.task is not None and"
RESTS = f"        yield from self._come_to_rest(deadline)\n{LOGS_STEP}"
OTHERS_WAIT = "test_step_way.py::test_others_who_wait_are_looked_at_while_steps_end_on_the_threads_of_tasks"
STEPPING, INSPECTION = "control/stepping.py", "control/inspection.py"
TASK_CONTROL, SERVICE_CONTROL = "task/control.py", "service/control.py"
RUNS = "session/runs.py"
ORDER = "communication/order.py"

PARKING = "test_parking.py::"
NOTHING_OF_A_WAIT = f"{PARKING}test_after_a_wait_nothing_is_kept_of_what_was_waited_for"
ONE_OF_MANY = f"{PARKING}test_a_closed_gate_of_several_workers_lets_one_through_for_each_turn"
FOR_NOTHING = f"{PARKING}test_an_unpark_for_nothing_ends_no_wait_and_is_not_seen"
NOT_TAKEN = f"{PARKING}test_a_turn_that_nobody_takes_is_over_when_the_gate_opens_and_when_the_last_worker_ends"
ENDS_BY_ONE_STEP = (
    "promises/test_12_services_live.py::test_a_paused_service_ends_by_one_step_however_many_threads_it_has"
)
ONE_REQUEST = "promises/test_12_services_live.py::test_a_step_of_a_service_of_several_threads_is_one_request"
WAITS_ON = "self._sleep(-1)\n"
TAKES_BACK = (
    "if self.turn is not None:\n                self.turn.end()\n                self.turn = None\n            self."
)
CONTROLLED = "stress/test_hand_control.py::"
CUTS = f"{CONTROLLED}test_a_pause_cuts_the_batch_behind_the_packet_in_work"
PAUSES = f"{CONTROLLED}test_pause_and_resume_from_two_threads_lose_double_and_reorder_nothing"
STEP_AND_RESUME = f"{CONTROLLED}test_steps_against_resume_and_pause_come_back_at_once"
STEPS = f"{CONTROLLED}test_steps_from_two_threads_are_one_packet_each"
EDITS = f"{CONTROLLED}test_edits_against_running_producers_lose_nothing_and_overfill_nothing"
OF_ALL_RUNS = (
    "promises/test_14_breakpoints.py::"
    "test_a_breakpoint_that_is_set_before_the_start_stops_the_first_packet_and_each_run"
)
BREAKS = f"{CONTROLLED}test_a_breakpoint_against_resume_is_hit_once_by_each_packet_it_is_for"
CANCEL_STEPS = f"{CONTROLLED}test_cancel_against_step_and_pause_leaves_nobody_waiting"
TAPS = f"{CONTROLLED}test_taps_on_and_off_at_full_speed_show_all_between"
SERVED = f"{CONTROLLED}test_a_paused_service_serves_one_request_for_each_step"
MACHINE = "test_hand_machine.py"
FOUND = "test_hand_order.py"
TOO_LATE = "promises/test_14_edit.py::test_a_drop_cannot_be_undone_once_the_end_of_its_producer_has_been_taken"

FINDS_LEFT = "own, partner = rights, partners_of_right(key, _NONE)"
TWO_INPUTS = "promises/test_01_two_inputs.py"
EVERY_PAIR = f"{TWO_INPUTS}::test_a_join_finds_every_pair_once_and_every_lonely_row"
BARE_PACKET = f"{TWO_INPUTS}::test_a_failure_names_the_bare_packet_whoever_put_it_in"
TWO_BY_HAND = "promises/test_14_hand_two_inputs.py"
INPUT_END = f"{TWO_BY_HAND}::test_what_was_accepted_before_an_input_ended_meets_its_partners_and_the_rest_is_refused"

KEY = "key = key_of(value)"
PUT_RINGS = "self.items.append(item)\n        if self.inbox.asleep:\n            self.inbox.wake()"
RING_FIRST = f"if self.inbox.asleep:\n            self.inbox.wake()\n        {SWITCH}\n        self.items.append(item)"
SIGNALLED = "self._signalled = True\n        if self.asleep:"
PUT = "self.wait_room()\n        self.items.append(item)"
PUT_AFTER_A_SWITCH = f"self.wait_room()\n        {SWITCH}\n        self.items.append(item)"
WAITS = "if len(items) >= lane.capacity:\n                lane.wait_room()\n            "
KEYED = f"items, inbox = lane.items, lane.inbox\n            {WAITS}items.append((key, value))\n            if "
KEYED_ALONE = f"raise\n            {WAITS}items.append((key, value))\n            if "
IN_TURN = "items.append(value)\n        if "
CAST = "items.append(value)\n            if "
READS = "capacity = self.capacity\n"
READS_EARLY = f"{READS}            {SWITCH}\n"
AGAIN = "return self._append(self.only)"
SAYS = "if ask is not None:\n                ask()\n"
SAYS_ONCE = f"{SAYS}                ask = None\n"
LOOKS = "            if self.cancelled or ready():\n                break\n"
SAYS_AND_LOOKS = f"            {SAYS}{LOOKS}"
LOOKS_AND_SAYS = f"{LOOKS}            {SWITCH}\n            {SAYS}"
LOOKS_LATE = f"            {SWITCH}\n{SAYS_AND_LOOKS}"
WORK = "                    if self.has_left():\n                        return False\n"
EARLY_STOP = "                self._router.send_signal(StopSignal(self.name, 'completed'))\n"
CANCEL_UNPARKS = "self.interrupt()\n        self.unpark()\n\n    def dismiss"
CANCEL_DOES_NOT = "self.interrupt()\n\n    def dismiss"
DISMISSES = "        self.unpark()\n\n    def gate_closes"
HAS_PLACE = 'elif parker.standing != "waiting":  # else'
FAILED = 'ending, error, packet = "failed", failure, self._failed_on()'
MAKE = "if not is_made:\n                    make()"
CLEAR_AND_WAIT = "if not is_made:\n                self._held.clear()\n            self._wait"
LET_GO = "except Cancelled:\n            self._task.counts.break_off(self._packets_in(value))"
CANCELS = 'elif kind == "a first failure":\n            self.cancel('
WITHDRAW = 'began = call.stage == "running"\n                call.queue.withdraw(call)'
ADMIT = "self._let_in()"
REFUSES = "self.queue.ledger.refuse([self.queue])\n        "
SLOWLY = SWITCH.replace("(0)", "(0.01)") + "\n        "
REPORTS = "self.reporter.task_ended("
OF_CHAIN = "self._numbers.get(callers) or self._numbers.setdefault(callers"
REACHED = "test_parking.py::test_a_gate_is_not_reached_while_its_worker_is_in_user_code_or_about_to_go_on_with_a_packet"
WOKEN_BY_A_LATER = "test_parking.py::test_whoever_is_woken_by_one_that_is_looked_at_after_it_does_not_stand_still"
AT_WORK = "(doing not in MID_PACKET or parker.has_come())"
AT_REST = "(doing in MID_PACKET and parker.has_come())"
USED_UP = "self.turn = None\n                self._let_in(turn)"
OPENS = "self._call(len(self._waiting))"
IS_OVER = "if given.over else self._waits_on(given)"
ONE_STEP = "if handle in self._busy and not (yield"
EDIT_HAS_LOCK = "test_parking.py::test_who_edits_behind_a_closed_gate_has_its_lock_so_that_nobody_opens_it_meanwhile"
EDITS_LOCKED = "with self._lock:\n            if not self.closed:\n                raise NotPaused"
EDITS_UNLOCKED = EDITS_LOCKED.replace("with self._lock", "if True")
CLAIM_ENDS = "self.claim = 0\n\n    def claim_all"
GIVES_BACK = "lane.drop(count)\n        if lane is self.hand.lane:"
GIVES_ROOM = "    else:\n                lane.let_in()\n        self._inbox.notify_hand()"
FITS = "fits = len(lane.items) + promised <= lane.capacity"
IN_ORDER = "if (order := lane.order) is not None and number < order.taken + len(order.numbers):\n        left ="
LOOKS_AT = "self._open = lanes[position:] + lanes[:position]  # else"
HITS = "breaks is not None and breaks()"
TAPPED = "if turn is not None or self._taps:"
LOOK = "all(parker.stands_still() for parker in parkers)"
LOOK_TWICE = f"{LOOK}\n        and {LOOK}"


OBSERVER = "task/observer.py"
AT_ONCE = "values = list(chain(*columns, map(len, self._items), map(_TAKEN, self.filled)))"
AT_TWO_MOMENTS = "values = [*list(chain(*columns, map(len, self._items))), *map(_TAKEN, self.filled)]"
OUTSIDE = "test_turns.py::test_many_threads_from_outside_may_call_at_once"
ONE_MOMENT = "stress/test_snapshot.py"


MUTANTS: Final = (
    # ── packets and keys ──
    one(
        "falsy key is no key",
        ROUTER,
        f"{KEY}\n            except",
        f"{KEY} or value\n            except",
        FALSY_KEY,
        STRATEGIES,
    ),
    one(
        "falsy key is no key (one instance)",
        ROUTER,
        f"{KEY}\n                if",
        f"{KEY} or value\n                if",
        FALSY_KEY,
    ),
    one("salted key", DIGEST, "crc32(_as_bytes(key))", "hash(key)", SAME_INSTANCE),
    one("rest of a batch dropped before a wait", BATCH, "self._drop(worked)", "self._drop(self._here)", CANCEL_PUT),
    one(
        "rest of a batch dropped at an end",
        BATCH,
        "self._drop(self._here - left)",
        "self._drop(self._here)",
        CANCEL_PUT,
    ),
    one("refused packet not counted", LANE, "self.refused += count", "pass", CANCEL_PUT, CANCEL_FINISH),
    # ── the bound ──
    one("unbounded lane", LANE, "if len(self.items) >= self.capacity:", "if False:", SHORT),
    Mutant(
        "room for one too many",
        (
            Change(LANE, "if len(self.items) >= self.capacity:", "if len(self.items) > self.capacity:"),
            Change(LANE, "return len(self.items) < self.capacity", "return len(self.items) <= self.capacity"),
        ),
        (SHORT,),
    ),
    one("window claims one too many", LANE, "min(count, room, ", "min(count, room + 1, ", SHORT),
    one("hand borrows what a writer has claimed", HANDS, "else lane.claim + 1", "else 1", BORROW),
    Mutant(
        "hand borrows from a put under way (with a switch)",
        (Change(LANE, PUT, PUT_AFTER_A_SWITCH), Change(HANDS, "else lane.claim + 1", "else lane.claim")),
        (BORROW,),
    ),
    Mutant(
        "capacity not looked at again behind a claim (switch)",
        (Change(LANE, READS, READS_EARLY), Change(LANE, "if capacity == self.capacity:", "if True:")),
        (BORROW,),
    ),
    one("(that switch alone, before a claim)", LANE, READS, READS_EARLY, BORROW, harmless=True),
    one(
        "claim never given back",
        LANE,
        CLAIM_ENDS,
        CLAIM_ENDS.replace("self.claim = 0", "pass"),
        UNUSED_ROOM,
        WAITING_HAND,
    ),
    one(
        "borrowed room never given back",
        INBOX,
        GIVES_BACK,
        GIVES_BACK.replace("if lane is self.hand.lane", "if False"),
        RETURNED,
    ),
    # ── wake-ups ──
    one("lost wake-up: put does not ring", LANE, PUT_RINGS, PUT_RINGS.replace("self.inbox.asleep", "False"), SLEEPERS),
    one("lost wake-up: a keyed edge does not ring", ROUTER, KEYED, f"{KEYED}False and ", f"{SLEEPERS}[hash]"),
    one(
        "lost wake-up: a keyed edge to one task",
        ROUTER,
        KEYED_ALONE,
        f"{KEYED_ALONE}False and ",
        f"{SLEEPERS}[hash to one]",
    ),
    one("lost wake-up: round robin does not ring", ROUTER, IN_TURN, f"{IN_TURN}False and ", f"{SLEEPERS}[round_robin]"),
    one("lost wake-up: a broadcast does not ring", ROUTER, CAST, f"{CAST}False and ", f"{SLEEPERS}[broadcast]"),
    one("ring before the append (with a switch)", LANE, PUT_RINGS, RING_FIRST, SLEEPERS),
    one("(that switch alone, before the append)", LANE, PUT, PUT_AFTER_A_SWITCH, SLEEPERS, BORROW, harmless=True),
    one(
        "stop signal does not ring",
        INBOX,
        SIGNALLED,
        SIGNALLED.replace("self.asleep", "False"),
        SHORT,
    ),
    one(
        "asleep cleared after the unpark",
        INBOX,
        "self.asleep = False\n        self.reader.unpark()",
        "self.reader.unpark()\n        self.asleep = False",
        SHORT,
        SLEEPERS,
    ),
    one("who waits says so after the look (with a switch)", PARKER, SAYS_AND_LOOKS, LOOKS_AND_SAYS, SHORT, SLEEPERS),
    one("(that switch alone, before the look)", PARKER, SAYS_AND_LOOKS, LOOKS_LATE, SHORT, SLEEPERS, harmless=True),
    one("who was woken for nothing does not say again that he waits", PARKER, SAYS, SAYS_ONCE, FOR_NOTHING),
    one("sleeper does not ask writers to look up", INBOX, "lane.writer.request_yield()", "pass", SLEEPER),
    one("yield_requested cleared without a ring", BASE, "self._router.wake_readers()", "pass", SLEEPER),
    one("window goes on without falling back to put", ROUTER, AGAIN, "return self.only.items.append", SLEEPER),
    one("window opened silently before a sleeper", ROUTER, "lane.put if lane.inbox.asleep else ", "", SLEEPER),
    one("room made while more is to be worked is not told", LANE, TELLS_ROOM, "", LET_IN_AT_THE_END),
    one(
        "give_room omitted",
        LANE,
        "self.lets_in_at = _NOBODY\n        self.writer.unpark()",
        "self.lets_in_at = _NOBODY",
        SHORT,
    ),
    one("reader waits without letting writers in", FEED, "self.inbox.let_in()", "pass", BRIM),
    # ── the end ──
    one("first stop wins", FEED, "if ended == producers and", "if", SHORT),
    one("stop before the last packet: not looked for", LANE, " and self.signals[0][0] <= self.taken", "", SHORT),
    one("stop before the last packet: sent too early", BASE, WORK, WORK + EARLY_STOP, INJECT_END),
    one("barrier forgets the hand", FEED, " and not hand.lane.items:", ":", INJECT_END),
    one(
        "hand accepted behind the end",
        HANDS,
        "self.lane.closed or self._inbox.reader",
        "self._inbox.reader",
        INJECT_END,
    ),
    # ── cancel ──
    one("cancel does not unpark", PARKER, CANCEL_UNPARKS, CANCEL_DOES_NOT, CANCEL_PUT, CANCEL_IDLE),
    one("cancel is not looked for before a sleep", PARKER, "if self.cancelled or ready():", "if ready():", CANCEL_PUT),
    one("a cancelled task lets the hand in", BASE, "self._inbox.hand.cancel()", "pass", CANCEL_HAND),
    # ── places, of many tasks ──
    one(
        "a place is not given to the next",
        ADMISSION,
        "self._running -= 1",
        "pass",
        PLACES,
    ),
    one("cancel wakes nobody who has no place", ADMISSION, "super().cancel()", "self.yield_requested = True", PLACES),
    one(
        "woken with a place, and waits for another",
        ADMISSION,
        'if parker.standing in ("running", "sharing"):  # it',
        "if False:  # it",
        PLACES,
    ),
    one("who is about to sleep is not unparked", ADMISSION, HAS_PLACE, "elif False:  # else", NOT_ASLEEP),
    one("who asks waits for whoever has the claim", ADMISSION, TRIES_CLAIM, "claim.acquire():", WAITS_FOR_NOBODY),
    one(
        "what is asked for as the claim is given back is left undone",
        ADMISSION,
        "while orders and claim.acquire(False):",
        "if orders and claim.acquire(False):",
        PLACES,
        PLACES_MOVE,
    ),
    one(
        "places kept in user code keep others from their end",
        ADMISSION,
        "self._limit.keep(self._running)",
        "pass",
        KEPT_PLACES,
    ),
    one(
        "the hand waits after all others",
        ADMISSION,
        "self._queue.move_to_end(parker, last=False)",
        "pass",
        GOES_FIRST,
    ),
    one("never more places", ADMISSION, "if self._late_s < FREE_S * self._looks:", "if False:", TOGETHER, LIMITED),
    one("never fewer places", ADMISSION, "if late_s > LATE_S:", "if False:", LIMITED),
    one("more places though somebody computes", ADMISSION, "2 * running if is_idle", "2 * running if True", LIMITED),
    one(
        "nobody measures: too many places",
        ADMISSION,
        "self.places = self._least = FEW",
        "self.places = self._least = 9999",
        SOON,
    ),
    # ── failure ──
    one("swallowed error", BASE, FAILED, 'ending = "completed"', FAILURE),
    # ── policies ──
    one("policy: retry doubles outputs", GUARD, CLEAR_AND_WAIT, "self._wait", EVERYWHERE),
    one(
        "policy: skip leaves partial outputs",
        GUARD,
        "value))\n        return ()",
        "value))\n        return self.plan.puts(self._held._results)",
        EVERYWHERE,
    ),
    one(
        "policy: send_packet does not wait",
        "task/guards.py",
        "task.ctx.bind(guard.hold_back, router.send_signal, task.reporter)",
        "pass",
        EVERYWHERE,
    ),
    one(
        "policy: a failed packet's results come with close",
        GUARD,
        "repeats, attempt)\n        finally:\n            self._held.clear()",
        "repeats, attempt)\n        finally:\n            pass",
        EVERYWHERE,
    ),
    one("policy: a key's retry shows the packet twice", GUARD, MAKE, MAKE.replace("not is_made", "True"), KEY_AGAIN),
    one(
        "policy: turns used up by what is not sent",
        PLAN,
        "return self._in_order(",
        "[way(result) for way in self._others for result in results]; return self._in_order(",
        ONE_EDGE,
    ),
    one(
        "policy: cancel does not wake a back-off",
        PARKER,
        CANCEL_UNPARKS,
        CANCEL_UNPARKS.replace("self.unpark()", "if self.doing != 'backing off': self.unpark()"),
        BACK_OFF,
    ),
    one("policy: packet in a back-off not counted", GUARD, LET_GO, "except Cancelled:", BACK_OFF),
    one("policy: results not put not counted", PLAN, "missed.refuse()", "pass", MANY_RESULTS),
    one(
        "policy: stop does not wake a source's back-off",
        FEED,
        "self._ctx.stopping.set()\n        self._parker.unpark()",
        "self._ctx.stopping.set()",
        ALWAYS_RAISES,
    ),
    one(
        "policy: an ended generator swallows its error",
        GUARD,
        "if failure is not None:\n                if (puts",
        "if failure is not None and not feed.spent:\n                if (puts",
        WRAPPED,
    ),
    one(
        "policy: the fast path gives up the packet at fault",
        GUARD,
        "self._carry_out(work_again, value, repeats=True, attempt=1)",
        "pass",
        EVERYWHERE,
    ),
    one(
        "policy: the fast path is taken before a key",
        GUARD,
        " and all(output.key is None for output, _, _ in router.ways)",
        "",
        KEY_AGAIN,
    ),
    one("policy: a letter is retried twice", LETTERS, "self._claims.setdefault(number, claim)", "claim", BEING_RETRIED),
    one(
        "policy: a letter that was not accepted is lost",
        LETTERS,
        "            yield from putting\n",
        "            self._letters.remove(letter)\n            yield from putting\n",
        STAYS,
    ),
    one(
        "policy: open that fails is skipped",
        GUARD,
        "self.outside_of_packets(partial(self.inner.open, ctx))",
        "self._carry_out(partial(self.inner.open, ctx), NO_PACKET)",
        NO_PACKETS,
        NEVER_OPENED,
    ),
    one(
        "policy: finish that fails is skipped",
        GUARD,
        "if part.value is NO_PACKET:",
        "if False:",
        NO_PACKETS,
    ),
    one("policy: SystemExit is skipped", GUARD, "isinstance(error, Exception) and", "True and", NO_POLICY),
    one(
        "policy: what is held back is not bounded",
        HELD,
        "self._held_bytes > self._most_bytes",
        "False",
        BOUNDED_RESULTS,
    ),
    one("policy: too much held, and swallowed", HELD, "if self._is_too_large:", "if False:", BOUNDED_RESULTS),
    one(
        "policy: cancel is not heard by what is held", HELD, "waiter.cancelled or waiter.unneeded", "False", CANCEL_HELD
    ),
    one(
        "policy: what was known before is not heard by what is held",
        HELD,
        "if waiter.cancelled or",
        "if waiter.yield_requested and waiter.cancelled or waiter.yield_requested and",
        KNOWN_BEFORE,
    ),
    one("policy: cancel is not heard by keys", PLAN, "writer.cancelled or writer.unneeded", "False", CANCEL_HELD),
    # ── enough ──
    one("enough: lanes stay open", ROUTER, "lane.shut()", "pass", SLOW_WRITER),
    one(
        "enough: who waits is not woken",
        PARKER,
        DISMISSES,
        DISMISSES.replace("self.unpark()", "pass"),
        HELD_BY_PAUSED,
        UNNEEDED_BACK_OFF,
    ),
    one(
        "enough: what is held back does not hear",
        HELD,
        "waiter.cancelled or waiter.unneeded",
        "waiter.cancelled",
        HELD_FOR_EVER,
    ),
    one(
        "enough: one task speaks for all of its operator",
        DISPATCHER,
        "with_enough.issuperset(",
        "with_enough.intersection(",
        ALL_TASKS,
    ),
    one(
        "enough: what was shut counts as dropped",
        LANE,
        "except Unneeded:\n            raise\n        ",
        "",
        ENOUGH_STRESS,
    ),
    one(
        "enough: a borrowed place opens a lane that is shut",
        LANE,
        "if self.writer.unneeded:  # which",
        "if False:  # which",
        LENT,
    ),
    one("threads: any thread may send", "context/runtime_context.py", "raise WrongThread(refusal)", "return", FOREIGN),
    # ── nothing kept ──
    one("kept: a batch, by the traceback of an error", BATCH, "self.items.clear()", "pass", REST_OF_BATCH),
    one(
        "kept: an error, by the frame that it went through",
        BASE,
        "            del failure\n",
        "            pass\n",
        GOES,
    ),
    one(
        "kept: a call, by the wait for it",
        PARKER,
        "self._ready, self._held = always, None",
        "pass",
        NOTHING_OF_A_WAIT,
    ),
    one(
        "kept: a call, by the thread that worked it",
        "service/base_service_task.py",
        "call = None  # else",
        "pass  # else",
        LAST_CALL,
    ),
    one("kept: a run, by its letters", DISPATCHER, "handle.release(tell)", "pass", NOTHING_KEPT, GOES),
    # ── events and letters ──
    one(
        "events: numbered before they have a place",
        EVENTS,
        "return partial(kept.extend, numbered)",
        f"return lambda: kept.append((event, next(self._numbers), ({SWITCH}, next(among_its_kind))[1]))",
        EVENTS_ONCE,
    ),
    one("events: read while they come", EVENTS, "entry[1] < following", "True", EVENTS_ONCE),
    one(
        "events: one kind pushes out another",
        EVENTS,
        "kept, among_its_kind = self._kinds[event.kind]",
        'kept, among_its_kind = self._kinds["end"]',
        FLOOD,
    ),
    one(
        "letters: numbered before they have a place",
        LETTERS,
        "self._letters.extend(map(_FIRST, stamped))",
        f"next(stamped); {SWITCH}; self._letters.append(letter)",
        LETTERS_ONCE,
    ),
    # ── two inputs ──
    one(
        "a packet's input is that of another lane",
        JOINED_FEED,
        "repeat(lane.input, count)",
        "repeat(0, count)",
        EVERY_PAIR,
    ),
    one("the hand's input is not taken off its packet", JOINED_FEED, "items[begin:end] =", "_ =", BARE_PACKET),
    one(
        "input of the hand taken for the first",
        ELEMENT,
        "[number for number, _ in items]",
        "[0 for _ in items]",
        TWO_BY_HAND,
    ),
    one("the hand routes by the edge of another input", HAND, "if edge.input == number)", "if True)", TWO_BY_HAND),
    one(
        "hand accepted behind the end of an input",
        HANDS,
        "in self._closed_inputs:\n            raise TaskEnded(f",
        "in ():\n            raise TaskEnded(f",
        INPUT_END,
    ),
    one("input ended before what the hand had put in", JOINED_FEED, "worked_by_hand >= before", "True", INPUT_END),
    one(
        "end of an input not told",
        BASE,
        "self._send_between(self.operator.signalled(ended, number))",
        "pass",
        f"{TWO_INPUTS}::test_rows_that_have_met_all_their_partners_are_let_go",
    ),
    one(
        "partner forgotten when the other side ends",
        JOINED,
        "if self._sends_unmatched[number]:",
        "if 0:",
        "test_joined.py",
    ),
    one(
        "row kept before its pairs are made",
        JOINED,
        FINDS_LEFT,
        f"{FINDS_LEFT}\n                rights.setdefault(key, row)",
        "test_joined.py",
    ),
    one(
        "two functions copied one by one",
        OWN,
        "copy.deepcopy(with_state)",
        "[copy.deepcopy(each) for each in with_state]",
        TWO_INPUTS,
    ),
    # ── what is whose own ──
    one("function not copied at parallelism 1", OWN, "if not with_state:", "if node.parallelism == 1:", EVERY_RUN),
    one(
        "what cannot be copied is used again",
        OWN,
        "                _note_use(each.function)",
        "                pass",
        USED_ONCE,
    ),
    one(
        "what cannot be copied is used by two operators",
        OWN,
        "users.setdefault(number, each.operator) != each.operator",
        "False",
        USED_BY_ONE,
    ),
    one("a function that is gone leaves its place used", OWN, "_used.pop(number, None)", "pass", PLACE_OF_ANOTHER),
    one("an iterator for each instance", OWN, "must_be_shared(node.function)", "False", ONCE_EACH),
    one("two draw at once", ITEMS, "if not self._free.acquire(False) and", "if False and", ONCE_EACH),
    one(
        "who draws unparks nobody after it",
        ITEMS,
        "        if self._waiting:\n            self._unpark_first()",
        "",
        DRAWS,
        ONCE_EACH,
    ),
    one(
        "who waits to draw does not hear a stop",
        ITEMS,
        "                if who.wants_out:\n",
        "                if False:\n",
        DRAWS,
    ),
    one("the end of shared items is not the end for all", ITEMS, "self._ended = True", "pass", ENDS_FOR_ALL),
    one("one iterator in two sources", ITEMS, "        if id(iterator) in _claimed:", "        if False:", ONE_SOURCE),
    one("an iterator is never given up", ITEMS, "_claimed.pop(id(iterator), None)", "pass", ONE_AFTER_THE_OTHER),
    one("idle is a packet", SOURCE, "if value is idle:", "if False:", IDLE_IS_NONE),
    one("idle ends a source", SOURCE, "self.idled += 1", "drawn -= 1", IDLE_IS_NONE),
    # ── keys ──
    one("the fold of a moment is in its digest", DIGEST, "datetime.datetime(*parts, key.tzinfo)", "key", FOLDS),
    one(
        "a class of its own equality is taken for its base",
        DIGEST,
        "if kind.__eq__ is base.__eq__:",
        "if True:",
        NO_OWN_EQUALITY,
    ),
    one(
        "keys are known by what they equal, not by type",
        PARTITION,
        "kind = type(key)",
        "kind = object",
        "test_partition.py",
    ),
    one(
        "keys are remembered without a bound in bytes",
        PARTITION,
        " or self._bytes + size > MOST_BYTES",
        "",
        "test_partition.py",
    ),
    one("keys are remembered behind the end", ROUTER, "            partition.forget()", "            pass", KEYS_GONE),
    one(
        "filter loses keys",
        "builder/stream.py",
        'return KeyedStream(self._environment, (OutputRef(made, "hash", self._ends[0].key),))',
        "return self._behind(made)",
        KEEPS_KEYS,
    ),
    one(
        "failure does not cancel the others",
        DISPATCHER,
        CANCELS,
        CANCELS.replace("a first failure", "no kind"),
        FAILURE,
    ),
    # ── calls ──
    one("late reply not counted", REQUESTS, 'self.count("late")', "pass", LATE, TIES),
    one("late reply ends its call again", REQUESTS, 'in_time = call.stage != "done"', "in_time = True", LATE, TIES),
    one("timed-out request executed", LEDGER, WITHDRAW, WITHDRAW.partition("\n")[0], NOT_BEGUN, TIES),
    one("withdrawn request lets nobody in", REQUESTS, f"remove(call)\n            {ADMIT}", "remove(call)", ROOM),
    one("held-back caller never let in", REQUESTS, f"if self._held_back:\n            {ADMIT}", "pass", LET_IN),
    one("deadline not looked at sooner", LEDGER, "            self._watch.unpark()", "            pass", LATE),
    one("services end though one is busy", LEDGER, " and not any(queue.busy for queue in self.queues)", "", DRAIN),
    one("services end under a set-up", REQUESTS, "not self.is_set_up or self.running", "self.running", SET_UP, DRAIN),
    one("refused call fails a cancelled task", FUTURES, "raise Cancelled from None", "pass", CANCEL_CALLS),
    one("callers told before the failure (slowly)", SERVICE, REPORTS, f"{REFUSES}{SLOWLY}{REPORTS}", NAMED),
    one("(slowness alone, before the report)", SERVICE, REPORTS, f"{SLOWLY}{REPORTS}", NAMED, harmless=True),
    one(
        "a future is cancelled without its call",
        FUTURES,
        "if not self._call.queue.ledger.take_back(self._call, self._say_cancelled):",
        "self._say_cancelled()\n        if False:",
        TAKEN_BACK,
    ),
    one(
        "a future is cancelled where an interrupt comes",
        FUTURES,
        "uninterrupted(self._take_back)",
        "self._take_back()",
        INTERRUPTED_FUTURES,
    ),
    one("waiters see an ending twice or never", FUTURES, "if inside is None else inside[0]", "", ONE_OUTCOME),
    one(
        "who begins to wait hears of no ending that came meanwhile",
        FUTURES,
        "if self._future.done():\n                self.tell()",
        "pass",
        ONE_OUTCOME,
    ),
    one("idle thread not unparked", REQUESTS, "            self._idle.pop().unpark()", "            pass", CALLS),
    one("calls numbered per caller", CALLER, OF_CHAIN, OF_CHAIN.replace("(callers", "(callers[-1:]"), FATE),
    one("service: only one thread hears the end by a step", GATE, "self.turn = mine", "pass", ENDS_BY_ONE_STEP),
    one("service: a request begins without the gate", SERVICE, "parker.enter(gate, 1)", "pass", ONE_REQUEST),
    one("service: a turn without a request is never over", SERVICE, "gate.passed(parker, step)", "pass", ONE_REQUEST),
    one(
        "gate: it opens, and its turn is kept",
        GATE,
        TAKES_BACK,
        TAKES_BACK.replace("self.turn is not None", "False"),
        NOT_TAKEN,
    ),
    one(
        "parker: an unpark for nothing ends the wait",
        PARKER,
        WAITS_ON,
        f"{WAITS_ON}                break\n",
        FOR_NOTHING,
    ),
    # ── the hand on gates, turns and queues ──
    one("hand: a pause does not cut the batch", BASE, "(gate.attentive and record is None)", "False", CUTS),
    one("hand: a pause is reached while user code runs", GATE, AT_WORK, AT_REST, REACHED),
    one("hand: a turn is used twice", GATE, USED_UP, USED_UP.replace("self.turn = None", "pass"), STEPS, ONE_OF_MANY),
    one("hand: the gate opens without a call", GATE, OPENS, "pass", PAUSES),
    one(
        "hand: a step returns before the packet is worked",
        TASK_CONTROL,
        IS_OVER,
        "if given.over else given.taker is not None",
        STEPS,
    ),
    one("hand: two steps share one turn", STEPPING, ONE_STEP, "if False and not (yield", STEPS),
    one("hand: a turn is given for what is not there", GATE, "or not is_of_use()", "", CANCEL_STEPS, MACHINE),
    one("hand: edited without the gate's lock", GATE, EDITS_LOCKED, EDITS_UNLOCKED, EDIT_HAS_LOCK, EDITS, MACHINE),
    one("hand: dropped and not counted", HANDS, "self.removed += 1", "pass", EDITS),
    one("hand: dropped and its room not given", HANDS, GIVES_ROOM, "self._inbox.notify_hand()", EDITS, MACHINE),
    one("hand: undone to the wrong place", TASK_CONTROL, "return 1 + max(", "return max(", FOUND),
    one("hand: put back beyond the bound", HANDS, FITS, "fits = True", EDITS),
    one(
        "hand: put back behind the end of its lane",
        HANDS,
        "or not self._inbox.is_open(lane)",
        "",
        TOO_LATE,
    ),
    one("hand: another packet is edited behind a drop", ORDER, IN_ORDER, "if False:\n        left =", FOUND),
    one("hand: a breakpoint looks at another packet", INBOX, LOOKS_AT, "pass  # else", BREAKS),
    one("hand: a breakpoint is hit behind the packet", TASK_GATE, HITS, "breaks is not None and not breaks()", BREAKS),
    one("hand: a breakpoint is hit twice", TASK_CONTROL, "packet.place not in self._let_pass and ", "", BREAKS),
    one(
        "hand: a breakpoint is of one run alone",
        RUNS,
        "in self.stops.begin(dispatcher.graph, run.hits):",
        "in ():",
        OF_ALL_RUNS,
    ),
    one("hand: a tap ends the others", INSPECTION, "if each is not see]", "if False]", TAPS),
    one("hand: a tap misses every second packet", TASK_GATE, TAPPED, "if turn is not None:", TAPS),
    one("hand: two steps of a service see each other's", STEPPING, ONE_STEP, "if False and not (yield", SERVED),
    *INJECTS,
    # ── commands ──
    one(
        "commands: a letter is removed where an interrupt comes",
        "session/run.py",
        "lambda timeout_s: accepting(self.injector.put(sent, timeout_s)), timeout_s)",
        "lambda timeout_s: self.injector.put(sent, timeout_s), timeout_s)\n        list(accepting(_ for _ in ()))",
        RETRY_CUT,
    ),
    one("commands: code of a start waits for it", RUNS, "return get_ident() == self._thread", "return False", IN_START),
    one("commands: a finalizer closes half", RUNS, "        self.commands.refuse_here()\n", "", IN_FINALIZER),
    one("commands: the hand's places outlive its lane", HANDS, CLOSES_PLACES, KEEPS_PLACES, INJECT_END),
    one("commands: a task ends no step", HELM, HELPS, "return False", STEP_ENDS),
    one("commands: a task tells nobody that it rests", HELM, NO_STEP, NO_STEP.replace("False", "True"), OTHERS_WAIT),
    one(
        "commands: what is put down for a task that leaves is forgotten",
        PARKER,
        LEAVES,
        "            self.helps = False",
        LEFT_TO_TASK,
    ),
    one("commands: a task that has left is called", COMMANDS, "if at.helps:", "if True:", STEP_AND_RESUME),
    one("commands: a task looks, then forgets that it was called", PARKER, EATS, EATS_LATE, STEP_AND_RESUME, STEP_ENDS),
    one("commands: what is due before the thread wakes is late", HELM, IS_DUE, "True", IN_TIME),
    one("commands: no turn is held back", HELM, "seeded.hold()", "pass", AT_ONCE_FOR_ALL),
    one(
        "commands: a wait that was given up goes on",
        HELM,
        "if command.is_withdrawn and not command.lasting:",
        "if False:",
        GIVEN_UP,
    ),
    one("step: a packet wakes a consumer that may not take it", BASE, STANDS, "if False:", WAKES_NOBODY),
    one("step: a timer is not waited for at a closed gate", FEED, "not self._sources and not", "not", TIMER_IS_HELD),
    one("commands: a task is not waited for", STEPPING, RESTS, LOGS_STEP, SET_GOING),
    one("commands: settled without those who serve", SEEDED, DORMANT, "return True", REPEATS),
    # ── looking ──
    one("looking: a snapshot is of two moments", OBSERVER, AT_ONCE, AT_TWO_MOMENTS, ONE_MOMENT),
    # ── settle ──
    one("settle looks once only", QUIESCENCE, LOOK_TWICE, LOOK, WOKEN_BY_A_LATER),
    # ── turns ──
    one("turns: time passes while somebody outside calls", SEEDED, "parker.due()", "parker.due_s", OUTSIDE),
    # ── schedules ──
    one("schedules: retry doubles outputs", GUARD, CLEAR_AND_WAIT, "self._wait", SCHEDULES.format(200)),
    one(
        "schedules: timed-out request begun",
        "communication/request_queue.py",
        "self.waiting.remove(call)",
        "pass",
        SCHEDULES.format(0),
    ),
    one("schedules: turns behind the end", SEEDED, "if self._players:", "if True:", TURNS_END),
    # ── traces ──
    one("trace: a packet has no parents", "communication/packet.py", "(id_,)", "()", PARENTS),
    one(
        "trace: what is left has the last packet as parent",
        BASE,
        'return "cancelled"\n        if self._router.tracer is not None:',
        'return "cancelled"\n        if False:',
        LEFT,
    ),
    one(
        "trace: an edit makes another packet",
        ELEMENT,
        "return replace(before, key=key, payload=payload, edited=True)",
        "return replace(before, key=key, payload=payload, edited=True, id=None)",
        SAME_ID,
    ),
    one("trace: an id is given twice", "communication/packet.py", "self._count += 1", "self._count += keyed", COPIES),
    one("trace: real time under a seed", SEEDED, "def timestamp(self)", "def timestamp_(self)", VIRTUAL),
    one(
        "trace: what lies in the hand's lane is no packet",
        BASE,
        "feed.format(hand).stamped(self.name, hand, parker.timestamp, tracer)",
        "None",
        BY_HAND,
    ),
    # ── what is remembered ──
    *MEMORY_BUGS,
    *OF_AWAITING,
    *OF_BACK,
    *OF_MENDING,
    *OF_PLACES,
    *OF_CALLS,
    *OF_QUESTIONS,
    *OF_ORIGINS,
    *OF_RATES,
    *OF_TIMES,
    *OF_ASKING,
    *OF_PICTURES,
    # ── between processes ──
    one("far: a little ends the wait of an answer", "remote/acknowledgements.py", "if much:", "if True:", FAR_MAIL),
    one("far: answers may take every thread", "remote/acknowledgements.py", ">= MOST_OPEN", "> MOST_OPEN", FAR_MAIL),
    one(
        "far: an answer waits for any lane",
        "remote/endpoint_lanes.py",
        "self._inboxes[task].is_filled(number)",
        "True",
        FAR_MAIL,
    ),
    one(
        "far: put back before what was acknowledged",
        "remote/endpoint_lanes.py",
        "self._endpoint.let_land(lane[0], SOON_S)",
        "pass",
        FAR_MAIL,
    ),
    one("far: a few wait for nobody", "remote/link.py", "if outbox.may_wait():", "if False:", FAR_MAIL),
    one("far: a stop signal waits with a few", "remote/remote_lane.py", "and not lane.signals and", "and", FAR_MAIL),
    one("far: what has arrived stays under way", "remote/link.py", "outbox.count_under_way(-number)", "pass", FAR_MAIL),
    one(
        "far: a parcel that is slow to take in holds up all senders",
        "remote/parcel_order.py",
        "if sender in self._taking:\n                return",
        "if self._taking:\n                return",
        FAR_MAIL,
    ),
    one(
        "far: parcels of one sender are taken in by several threads",
        "remote/parcel_order.py",
        "if sender in self._taking:\n                return",
        "if False:\n                return",
        FAR_MAIL,
    ),
    one(
        "far: a sender is not heard after a parcel that makes no sense",
        "remote/parcel_order.py",
        "self._taking.discard(sender)\n                raise",
        "raise",
        FAR_MAIL,
    ),
    one(
        "far: what is lost is asked after for ever",
        "remote/link.py",
        "if misses == MOST_MISSES:",
        "if False:",
        FAR_MAIL,
    ),
    one(
        "far: what is just being taken in is given up",
        "remote/link.py",
        'self._misses[number] = 0 if where == "at work" else',
        "self._misses[number] =",
        FAR_MAIL,
    ),
    one("far: large parcels have no more time", "remote/link.py", "+ _weight(messages) / BYTES_A_S", "", FAR_MAIL),
    one(
        "far: results that cannot travel are dealt out",
        "communication/send_plan.py",
        "self._asked(self.check, results)",
        "pass",
        FAR_MAIL,
    ),
    one(
        "far: nobody looks after a call",
        "remote/endpoint_calls.py",
        'self._peers.post(service, ("still there",))',
        "pass",
        FAR_MAIL,
    ),
    one(
        "far: a death before the start is told to nobody",
        "driver/actor_wrapper.py",
        "died = self._why is not None",
        "died = False",
        FAR_MAIL,
    ),
    one(
        "far: a chain of errors has no bound", "remote/by_value.py", "len(self._found) < MOST_ERRORS", "True", BY_VALUE
    ),
    one(
        "far: an error is sent in a form that was not read back",
        FORMS,
        "if isinstance(read, BaseException) and type_name(type(read)) == type_name(type(error)):",
        "if True:",
        BY_VALUE,
    ),
    one(
        "far: an error in parts is made by its class",
        FORMS,
        "native.__new__(kind, *arguments)",
        "kind(*arguments)",
        BY_VALUE,
    ),
    one(
        "far: what exits when it is pickled ends the report",
        FORMS,
        "except BaseException:  # noqa: BLE001  the border to user code; the next form asks less of it",
        "except Exception:",
        BY_VALUE,
    ),
    one(
        "far: what was pickled already is pickled again",
        "remote/codec.py",
        "        return _unpickled, (self._blob, *self._buffers)",
        "        return Pickled, (_unpickled(self._blob, *self._buffers),)",
        BY_VALUE,
    ),
    one("far: errors that lead to each other are cut", "remote/by_value.py", "if number is None and", "if", BY_VALUE),
    one(
        "far: a set-up that is done is in a circle",
        SET_UPS,
        "if self._is_in_set_up():\n            self._peers",
        "if True:\n            self._peers",
        CIRCLES,
    ),
    one("far: a call in another's name is for no set-up", SET_UPS, "root in self._roots or", "", CIRCLES),
    one(
        "end: a pause by mouse ends a wait",
        "completion.py",
        "self.has_come or self._is_held_by_person",
        "self.has_come",
        BY_MOUSE,
    ),
    one(
        "control: a pause by code is one by mouse",
        "dispatcher.py",
        "self.completion.hold(by_person)",
        "self.completion.hold(True)",
        BY_MOUSE,
    ),
    one(
        "far: only the first set-up of a chain is awaited",
        SET_UPS,
        "probe = probe._replace(awaited=self._name)",
        "pass",
        CIRCLES,
    ),
    *OF_CHAINS,
    *BETWEEN,
    *OF_SESSIONS,
    *OF_KERNEL,
    *IN_BAND,
    *OF_BATCHES,
    *OF_BROWSER,
    *OF_FIRST_FREE,
    *OF_FORMATS,
)


class Stale(Exception):
    """A text to be replaced is not where it was: the mutant has to be written anew."""


def with_bug(mutant: Mutant, tree: Path) -> tuple[str, dict[Path, str]]:
    """Where in `tree` the mutant's changes go, and what its files are with them. Raises `Stale`."""
    places: list[str] = []
    changed: dict[Path, str] = {}
    for change in mutant.changes:
        path = tree / "runtime" / change.file
        if not path.exists():
            raise Stale(f"{mutant.bug!r}: there is no runtime/{change.file}")
        source = changed.get(path) or path.read_text()
        if (found := source.count(change.text)) != 1:
            raise Stale(f"{mutant.bug!r}: found {found} times in runtime/{change.file}: {change.text!r}")
        places.append(f"{change.file}:{source[: source.index(change.text)].count(chr(10)) + 1}")
        changed[path] = source.replace(change.text, change.instead)
        compile(changed[path], path, "exec")
    return " ".join(places), changed


def plant(mutant: Mutant, tree: Path) -> str:
    """Make the mutant's changes in the copy; say where. Raises `Stale`."""
    where, changed = with_bug(mutant, tree)
    for path, source in changed.items():
        path.write_text(source)
    return where


def copy_tree(tree: Path, into: Path) -> None:
    """Copy what the tests need."""
    for name in COPIED:
        if (tree / name).is_dir():
            shutil.copytree(tree / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(tree / name, into / name)


def is_of_chains(mutant: Mutant) -> bool:
    """Whether its tests run with chains, as sessions do by default; those of all others, by tasks that work alone."""
    return mutant in OF_CHAINS or any(test.startswith("chain/") for test in mutant.tests)


def run(tree: Path, tests: Iterable[str], time_limit_s: float = TIME_LIMIT_S, *, chains: bool) -> tuple[bool, str]:
    """Run tests of the copy until the first is red: whether all were green, else which was not. Raises `Stale`."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SAGE_NB_NODE": str(INSTALLED),
        "STRESS_TREE": str(tree),
        "STRESS_PATIENCE_S": str(PATIENCE_S),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        *(() if chains else ("-p", "tests.chain.alone")),
        *(f"tests/{test}" for test in tests),
    ]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=time_limit_s
        )
    except subprocess.TimeoutExpired:
        return False, f"(not over in {time_limit_s:.0f} s)"
    if done.returncode == 0:
        return True, ""
    red = re.search(r"^(?:FAILED|ERROR) \S*?::(\S+)", done.stdout, re.MULTILINE)
    if done.returncode != 1 or red is None:
        raise Stale(f"pytest ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return False, red[1]


def try_mutant(mutant: Mutant, frozen: Path) -> bool:
    """Plant one bug in a copy, run its tests, print a line. Whether it went as it should."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy_tree(frozen, Path(folder))
        where = plant(mutant, Path(folder))
        green, red = run(Path(folder), mutant.tests, chains=is_of_chains(mutant))
    well = green is mutant.harmless
    told = red or ("nothing, as it should be" if mutant.harmless else "nothing")
    verdict = "ok" if well else "SURVIVED" if green else "NOT GREEN"
    print(f"{verdict:9} {mutant.bug:52} {where:48} {time.monotonic() - began_s:4.0f} s  {told}", flush=True)
    return well


def stale(mutants: Iterable[Mutant], frozen: Path) -> list[str]:
    """What is wrong with the texts of the mutants, before anybody waits for a test."""
    problems = []
    for mutant in mutants:
        try:
            with_bug(mutant, frozen)
        except (Stale, SyntaxError) as error:
            problems.append(f"STALE     {error}")
    return problems


def git(*words: str) -> list[str]:
    """The lines that git answers. Raises `CalledProcessError`."""
    done = subprocess.run(["git", *words], cwd=TREE, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def last_common() -> str:
    """What a change is seen against if nobody says it: where this branch left main, on main the commit before."""
    try:
        (base,) = git("merge-base", "HEAD", "main")
        if base != git("rev-parse", "HEAD")[0]:
            return base
    except subprocess.CalledProcessError:  # no main here
        pass
    return "HEAD~1"


def of_change(revision: str) -> list[Mutant]:
    """The mutants of the files that differ from `revision`, those not committed yet included; tests count as well.

    Raises `CalledProcessError` if git does not know it.
    """
    files = {*git("diff", "--name-only", revision), *git("ls-files", "--others", "--exclude-standard")}
    return [mutant for mutant in MUTANTS if not files.isdisjoint(mutant.files())]


def chosen(words: list[str]) -> list[Mutant]:
    """What the command line asks for. Exits if that is nothing."""
    if words[:1] != ["--since"]:
        mutants = [mutant for mutant in MUTANTS if not words or any(word in mutant.bug for word in words)]
        if not mutants:
            sys.exit(f"no bug has a name with {' or '.join(map(repr, words))}")
        return mutants
    revision = "".join(words[1:]) or last_common()
    try:
        mutants = of_change(revision)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(f"git does not know what has changed since {revision!r} here; make mutants ALL=1 plants all bugs")
    print(f"{len(mutants)} of {len(MUTANTS)} bugs are of files, or tests, changed since {revision}", flush=True)
    return mutants


def main(words: list[str]) -> int:
    """Try the mutants that `words` ask for; 1 if something was not as it should be."""
    if not (mutants := chosen(words)):
        return 0
    if any(mutant in OF_BROWSER for mutant in mutants):
        install()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        frozen = Path(folder)  # what all copies are made of, whatever happens to the working tree meanwhile
        copy_tree(TREE, frozen)
        if problems := stale(mutants, frozen):
            print("\n".join(problems))
            return 1
        for chains in (False, True):
            tests = {test for mutant in mutants if is_of_chains(mutant) is chains for test in mutant.tests}
            green, red = run(frozen, sorted(tests), 3 * TIME_LIMIT_S, chains=chains) if tests else (True, "")
            if not green:
                print(f"NOT GREEN without any bug: {red}")
                return 1
        print(f"ok        without any bug, all tests named below are green ({time.monotonic() - began_s:.0f} s)")
        print(f"{'':9} {'bug':52} {'where in runtime/':48} {'time':>6}  caught by", flush=True)
        failed = [mutant.bug for mutant in mutants if not try_mutant(mutant, frozen)]
    print(f"{len(mutants) - len(failed)} of {len(mutants)} as they should be, {time.monotonic() - began_s:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
