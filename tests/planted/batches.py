"""Bugs of batches: when they go, what they reach over, whose result is whose, and who is blamed."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

FEED, TIME, GATHERED = "batches/feed.py", "batches/batch_time.py", "batches/gathered.py"
GUARD, OPERATOR, INBOX, PARKER = (
    "batches/guard.py",
    "batches/operator.py",
    "communication/inbox.py",
    "scheduling/parker.py",
)


CALLS, CALL_FEED, SENDING = "batches/calls.py", "batches/call_feed.py", "batches/sending.py"


def _of(test: str) -> str:
    return of("19_batches", test)


def _waiting(test: str) -> str:
    return of("19_batches_that_wait", test)


OF_BATCHES: Final[tuple[Mutant, ...]] = (
    one(
        "batch: waits for ever",
        FEED,
        '"idle", left_s, held=never',
        '"idle", -1, held=never',
        _of("test_what_was_there_goes_within_the_time"),
    ),
    one(
        "batch: waits though a lane is full",
        INBOX,
        " or (lane is not self.hand.lane and not lane.has_room())",
        "",
        _of("test_a_full_lane_lets_a_batch_go_however_little_is_in_the_others"),
    ),
    one(
        "batch: waits in other lanes when a signal was taken",
        FEED,
        "self._is_called = True",
        "pass",
        _of("test_the_end_of_one_of_two_producers_lets_go_what_waits_in_any_lane"),
    ),
    one(
        "batch: reaches over a signal",
        INBOX,
        "if lane.signals and not (part :=",
        "if not (part := part or",
        _of("test_a_signal_lets_what_came_before_it_go_and_no_batch_reaches_over_it"),
    ),
    one(
        "batch: its time goes on while paused",
        TIME,
        "stood_s = self._parker.clock() - was_s",
        "stood_s = 0.0",
        _of("test_the_time_of_a_batch_stands_still_while_its_task_is_paused"),
    ),
    one(
        "batch: a pause does not get it from its wait",
        PARKER,
        'if self._held is not None and self.doing == "idle":',
        "if False:",
        _of("test_a_pause_while_it_gathers_comes_at_once_and_lets_it_gather_on"),
    ),
    one(
        "batch: a pause lets it go",
        FEED,
        "if self._parker.turn is None and not self._goes():",
        "if False:",
        _of("test_a_pause_while_it_gathers_comes_at_once_and_lets_it_gather_on"),
    ),
    one(
        "batch: the wrong packet is blamed",
        GATHERED,
        "self.values[drawn - 1] if drawn",
        "self.values[0] if drawn",
        _of("test_under_fail_a_key_function_is_blamed_for_the_packet_of_its_result"),
        _of("test_retry_that_fails_names_the_one_packet"),
    ),
    one(
        "batch: a result belongs to all its packets",
        GATHERED,
        "for _, result in zip(self.again(), results, strict=True):",
        "for result in results:",
        _of("test_in_a_trace_each_result_belongs_to_its_packet"),
    ),
    one(
        "batch: results that nobody took are not counted",
        FEED,
        "self._counts.break_off(gathered.unsent())",
        "pass",
        _of("test_a_cancel_while_results_wait_for_room_counts_all_that_nobody_took"),
    ),
    one(
        "batch: what comes while a breakpoint is asked goes along",
        FEED,
        "if is_new else",
        "if True else",
        _of("test_a_packet_that_comes_while_a_breakpoint_is_asked_is_asked_for_as_well"),
    ),
    one(
        "batch: one bad packet costs all",
        GUARD,
        "                self._carry_out(partial(self._work, single), single)\n",
        "                self._carry_out(partial(self._work, gathered), gathered)\n                break\n",
        _of("test_of_a_batch_that_fails_the_good_packets_come_through_and_the_bad_ones_are_kept"),
    ),
    one(
        "batch: what is held leaves its lane",
        GATHERED,
        "self.kept.append(len(self.items) - self.unsent() - 1)",
        "self.kept[:] = [len(self.items)]",
        _of("test_of_a_batch_that_is_held_the_good_packets_are_worked_and_the_first_bad_one_is_first_in_its_lane"),
    ),
    one(
        "batch: what was made before a hold is made again",
        GUARD,
        "return way if self._fault is None else self._again(way, self._fault)",
        "return way",
        _of("test_a_packet_whose_key_cannot_be_told_is_held_with_what_was_made_of_it"),
    ),
    one(
        "batch: good packets stay with the held one",
        FEED,
        "self.inbox.take_out(lane, index)",
        "pass",
        _of("test_of_a_batch_that_is_held_the_good_packets_are_worked_and_the_first_bad_one_is_first_in_its_lane"),
    ),
    one(
        "call of a batch: two that share a key",
        CALL_FEED,
        "if not self.is_keyed or not self.calls:",
        "if True:",
        _waiting("test_batches_that_share_a_key_run_one_after_the_other"),
    ),
    one(
        "call of a batch: one that has to wait for a key is cut",
        CALL_FEED,
        "        return self._free(items) == len(items)\n",
        "        return True\n",
        _waiting("test_a_batch_waits_for_its_keys_as_a_whole"),
    ),
    one(
        "call of a batch: its keys are free before it is over",
        "task/awaiting/calls.py",
        "            self._keys.update(call.keys)\n",
        "            pass\n",
        _waiting("test_batches_that_share_a_key_run_one_after_the_other"),
    ),
    one(
        "call of a batch: what gathers beside it waits for ever",
        CALL_FEED,
        '"running", left_s, held=',
        '"running", -1, held=',
        _waiting("test_what_gathers_goes_within_its_time_though_calls_are_under_way"),
    ),
    one(
        "call of a batch: it stands still though its time will come",
        PARKER,
        "return not goes_on and (held is None or held())",
        "return not goes_on",
        of("18_settled_calls", "test_a_batch_that_gathers_beside_calls_that_stand_still_goes_when_its_time_has_come"),
    ),
    one(
        "call of a batch: its time goes on while paused",
        CALL_FEED,
        "        self._time.go_on()\n",
        "",
        _waiting("test_the_time_of_a_batch_stands_still_while_its_task_is_paused"),
    ),
    one(
        "call of a batch: one bad packet costs all",
        CALLS,
        "                await part.make_once(_one_of(attempt), guarded.tries)\n",
        "                await part.make_once(lambda _: attempt(self.payload), guarded.tries)\n",
        _waiting("test_of_a_batch_that_fails_the_good_packets_come_through_and_the_bad_ones_are_kept"),
    ),
    one(
        "call of a batch: others are asked for after the one that fails the job",
        CALLS,
        'guarded.policy.given_up(error) == "fail"',
        "False",
        _waiting("test_retry_that_fails_names_the_one_packet_and_asks_for_no_other"),
    ),
    one(
        "call of a batch: what is open is counted as one packet when it is dropped",
        CALLS,
        "        self.size = len(gathered)\n",
        "",
        _waiting("test_cancel_awaits_every_finally_and_counts_what_it_drops"),
    ),
    one(
        "call of a batch: what comes after the held one is lost",
        SENDING,
        "self._put_back(call, call.parts[number:])",
        "self._put_back(call, call.parts[number : number + 1])",
        _waiting("test_ordered_results_wait_behind_the_packet_that_is_held"),
    ),
    one(
        "call of a batch: who waits for its turn is not held with the others",
        SENDING,
        "                self._calls.take_apart(call, call.parts)\n",
        "                pass\n",
        _waiting("test_ordered_results_wait_behind_the_packet_that_is_held"),
    ),
    one(
        "call of a batch: what is left of it counts as many",
        "task/awaiting/calls.py",
        "call if call.of is None else call.of",
        "call",
        _waiting("test_of_a_batch_that_is_held_the_good_packets_are_worked_and_the_bad_ones_stay_open"),
    ),
    one(
        "call of a batch: who is blamed under fail",
        SENDING,
        "                router.blame(gathered.in_work())\n",
        "                pass\n",
        _waiting("test_under_fail_a_key_function_is_blamed_for_the_packet_of_its_result"),
    ),
    one(
        "call of a batch: only one packet counts for the rate",
        CALL_FEED,
        "size = 1 if call is None else call.size",
        "size = 1",
        of("18_rate", "test_after_a_batch_that_has_failed_each_packet_counts_once_more"),
    ),
    one(
        "call of a batch: its questions stay open",
        SENDING,
        "            router.tracer.leave()\n",
        "            pass\n",
        of("21_asked", "test_what_is_made_of_a_packet_belongs_to_its_question"),
    ),
)
