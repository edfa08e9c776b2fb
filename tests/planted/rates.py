"""Bugs of policies that wait, and of rates."""

from __future__ import annotations

from typing import Final

from tests.planted.records import SWITCH, Change, Mutant, of, one

POLICY, SEEDED = "graph/policy.py", "scheduling/seeded.py"
RATE, RATED = "graph/rate.py", "task/rated_feed.py"
RETRY, BY_RATE = "18_retry", "18_rate"
ANY_WINDOW = of(BY_RATE, "test_in_any_window_at_most_so_many_packets_begin_of_all_tasks_together")

READING, COLLECTED, STATELESS = "session/reading.py", "builder/collected.py", "operators/stateless.py"
COME = "18_results_as_they_come"

STATEFUL, WORDS = "operators/stateful.py", "18_small_words"

OF_RATES: Final[tuple[Mutant, ...]] = (
    one(
        "Retry: comes before the exception wants",
        POLICY,
        "max(wait_s, _asked_for_s(error))",
        "wait_s",
        of(RETRY, "test_a_repeat_waits_for_the_larger_of_its_back_off_and_what_the_exception_asks_for"),
    ),
    one(
        "Retry: asks no member of a group",
        POLICY,
        "if isinstance(error, BaseExceptionGroup) else asked_s",
        "if False else asked_s",
        of(RETRY, "test_what_a_member_of_a_group_asks_for_is_waited_for"),
    ),
    one(
        "Retry: an exception may ask for more than the most",
        POLICY,
        "return min(max(wait_s, _asked_for_s(error)), self._most_s)",
        "return max(wait_s, _asked_for_s(error))",
        of(RETRY, "test_every_wait_is_what_the_rule_says"),
    ),
    one(
        "Retry: chance does not come from the seed",
        SEEDED,
        "return self._scheduler.chance()",
        "return super().chance()",
        of(RETRY, "test_jitter_repeats_under_a_seed_and_differs_between_seeds"),
    ),
    one(
        "Retry: repeats a group of which a member is not worth it",
        POLICY,
        "and all(map(self._is_worth_it",
        "and any(map(self._is_worth_it",
        of(RETRY, "test_only_errors_of_these_types_are_repeated_and_then_applies_to_all_others"),
    ),
    one(
        "Retry: repeats any error after the first",
        POLICY,
        "not self._is_worth_it(error)",
        "not (repeat or self._is_worth_it(error))",
        of(RETRY, "test_an_error_after_others_that_were_repeated_is_asked_about_as_well"),
    ),
    one(
        "rate: a bucket that is filled anew each time",
        RATE,
        "                begun.popleft()\n",
        "                begun.clear()\n",
        of(BY_RATE, "test_an_allowance_lets_begin_as_many_as_it_may_and_never_more"),
        of(BY_RATE, "test_packets_that_come_now_and_then_do_not_begin_more_often_either"),
    ),
    one(
        "rate: a repeat that waits for it seems to have nothing in work",
        "task/policy_operator.py",
        "parker.sleep(held_s, ends, RATED_REPEAT)",
        'parker.sleep(held_s, ends, "held back: rate")',
        of(BY_RATE, "test_a_repeat_that_waits_for_its_rate_says_so_has_its_packet_in_work_and_is_ended_by_a_cancel"),
    ),
    one(
        "rate: a batch counts as one packet",
        "batches/rated.py",
        "        values = self._take(most)\n",
        "        values = self._take(self._most())\n",
        of(BY_RATE, "test_a_batch_has_no_more_packets_than_may_begin"),
    ),
    one(
        "rate: packets of a batch that has failed are worked alone without leave",
        "batches/guard.py",
        "                self._wait_for_repeat(None, single)\n",
        "",
        of(BY_RATE, "test_after_a_batch_that_has_failed_each_packet_counts_once_more"),
    ),
    one(
        "rate: a batch that is tried again counts as one packet",
        "batches/rated.py",
        "return 1 if self._gathered is None else self._gathered.at_work()",
        "return 1",
        of(BY_RATE, "test_after_a_batch_that_has_failed_each_packet_counts_once_more"),
    ),
    one(
        "rate: a batch goes with the first packet that may begin",
        "batches/rated.py",
        "return min(allowance.due_s(self._wanted()), allowance.due_s() + self._within_s)",
        "return allowance.due_s()",
        of(BY_RATE, "test_a_batch_waits_for_the_leave_of_its_packets_as_it_has_waited_for_them_to_come"),
    ),
    one(
        "rate: behind a signal that has just come, packets begin without leave",
        RATED,
        "count if waiter.unneeded else 0",
        "count",
        of(BY_RATE, "test_what_stands_behind_a_signal_that_has_just_come_is_not_taken_without_leave"),
    ),
    one(
        "rate: each task has one of its own",
        "factory/task_factory.py",
        "return self._allowances.setdefault(operator.name, Allowance(rate))",
        "return Allowance(rate)",
        ANY_WINDOW,
    ),
    one(
        "rate: a repeat is not counted",
        RATED,
        "if self.wants_out or waiter.unneeded or self._allowance",
        "if True or self._allowance",
        of(BY_RATE, "test_each_repeat_counts_as_one_more"),
    ),
    one(
        "rate: counted before it is known whether there is a packet",
        RATED,
        "        if values is None:\n            self._allowance",
        "        if False:\n            self._allowance",
        of(BY_RATE, "test_an_allowance_that_was_not_used_is_given_back"),
    ),
    one(
        "rate: the stop signal waits for it",
        RATED,
        "or self._ends_wait() or not self._has_packet():",
        "or self._ends_wait():",
        of(BY_RATE, "test_the_end_does_not_wait_for_the_rate"),
    ),
    one(
        "rate: what nobody needs waits for it",
        RATED,
        "return self.wants_out or self._waiter.unneeded or any(",
        "return self.wants_out or any(",
        of(BY_RATE, "test_what_nobody_needs_does_not_wait_for_its_rate"),
    ),
    one(
        "rate: a source that waits does not hear of a stop",
        RATED,
        "return self.wants_out or self._waiter.unneeded or any(",
        "return self._waiter.unneeded or any(",
        of(BY_RATE, "test_a_stop_ends_what_waits_to_draw_and_the_rest_is_worked"),
    ),
    one(
        "rate: a timer is not heard meanwhile",
        RATED,
        "        return self._sources\n",
        "        return ()\n",
        of(BY_RATE, "test_a_timer_is_heard_while_a_packet_waits"),
    ),
    one(
        "rate: a turn is lost to another task's packet",
        RATED,
        "if waiter.turn is None or self._ends_wait():",
        "if True:",
        of(BY_RATE, "test_a_turn_that_was_given_is_for_the_packet_though_another_task_has_begun_before"),
    ),
    one(
        "rate: waits as if nobody brought it",
        RATED,
        "due_s - waiter.clock()), held=_never, ask",
        "due_s - waiter.clock()), ask",
        of(BY_RATE, "test_settled_is_only_who_time_does_not_move"),
    ),
    Mutant(
        "rate: asked without the lock (with a switch)",
        (
            Change(
                RATE, "        with self._lock:\n            now_s, begun", "        if True:\n            now_s, begun"
            ),
            Change(
                RATE,
                "                begun.popleft()\n",
                f"                {SWITCH}\n                begun.popleft()\n",
            ),
        ),
        (of(BY_RATE, "test_threads_that_ask_at_once_are_never_let_begin_too_often"),),
    ),
    one(
        "results: who reads is not told of them",
        STATELESS,
        "super().receive_packets(values, emit, attention)\n        self.loop_paused()",
        "super().receive_packets(values, emit, attention)",
        of(COME, "test_a_value_is_there_as_soon_as_it_has_come"),
        of(COME, "test_in_a_chain_too_values_are_there_while_the_job_runs"),
    ),
    one(
        "results: not told of those of a chain",
        "task/local_task.py",
        "        self.operator.loop_paused()\n",
        "",
        of(COME, "test_no_wake_up_is_lost"),
        of(COME, "test_in_a_chain_too_values_are_there_while_the_job_runs"),
    ),
    one(
        "results: no look after it was said that somebody waits (with a switch)",
        READING,
        "if collected.part(self._next, self._round) == ():\n                if has_come:",
        f"{SWITCH}\n            if True:\n                if has_come:",
        of(COME, "test_no_wake_up_is_lost"),
        of(COME, "test_every_schedule_gives_a_reader_what_the_list_has"),
    ),
    Mutant(
        "results: the end is looked at after them",
        (
            Change(READING, "            has_come = reading.has_come()  # before", "            # before"),
            Change(READING, "if has_come:", "if reading.has_come():"),
        ),
        (of(COME, "test_the_end_is_looked_at_before_the_last_results"),),
    ),
    one(
        "results: the next run's are mixed in",
        COLLECTED,
        "return found if self._round == round_ else None",
        "return found",
        of(COME, "test_what_the_next_run_has_taken_away_is_told"),
    ),
    one(
        "results: the event loop has no turn among them",
        READING,
        "if not self._next % _MANY:",
        "if False:",
        of(COME, "test_the_event_loop_stays_free"),
    ),
    one(
        "results: whoever was cancelled is kept",
        READING,
        "            collected.forget(wake)\n",
        "",
        of(COME, "test_a_reader_that_is_cancelled_leaves_nothing_behind"),
    ),
    one(
        "results: a pause is not told",
        READING,
        "command.result()  # it stands still",
        "pass",
        of(COME, "test_a_pause_that_keeps_the_job_from_its_end_is_told_after_what_there_is"),
    ),
    one(
        "count: says nothing of no packets",
        STATEFUL,
        "if self.sends_at_end and not self._keyed and not self.accumulators:",
        "if False:",
        of(WORDS, "test_a_count_of_all_is_one_number"),
    ),
    one(
        "scan: results are remembered in place of states",
        STATEFUL,
        "states[key], result = made",
        "result, states[key] = made",
        of(WORDS, "test_a_scan_without_keys_remembers_one_state"),
    ),
    one(
        "one: does not wait for what may still come",
        COLLECTED,
        "if self.total <= 1:",
        "if False:",
        of(WORDS, "test_while_more_may_come_one_is_refused"),
    ),
    one(
        "input_ended: heard of an input whose producer was cancelled",
        "operators/joined.py",
        """how not in ("completed", "stopped"):""",
        """how not in ("completed", "stopped", "cancelled"):""",
        of(WORDS, "test_the_end_of_a_producer_that_has_not_ended_well_is_no_end_of_an_input"),
    ),
    one(
        "input_ended: with the key of the last packet",
        "operators/joined.py",
        "            function.ctx.set_key(None)  # from the last packet\n",
        "",
        of(WORDS, "test_each_schedule_brings_each_end_once_after_the_last_packet_from_there"),
    ),
    one(
        "input_ended: not heard after the hand's last packet until something else comes",
        "task/joined_feed.py",
        "        if not self._ended():\n            super().wait()",
        "        super().wait()",
        of(WORDS, "test_what_is_put_in_by_hand_comes_before_its_inputs_end"),
    ),
)
