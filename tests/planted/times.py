"""Bugs in what is measured of time."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

STOPWATCH, PARKER, SEEDED = "scheduling/stopwatch.py", "scheduling/parker.py", "scheduling/seeded.py"
LOOP_TIME, CHAIN, PERMIT = "chain/loop_time.py", "chain/chain.py", "task/awaiting/permit.py"
TIMES, PROFILES, LOCAL = "15_times", "15_profiles", "task/local_task.py"
MODEL = "test_stopwatch.py::test_totals_and_the_last_second_are_those_of_a_model_that_keeps_everything"
NESTED = "test_stopwatch.py::test_a_wait_within_a_wait_is_its_own_and_the_outer_one_goes_on_after_it"
READ_AGAIN = "test_stopwatch.py::test_who_waits_while_it_is_read_is_read_again_and_loses_nothing"
WHOSE = "test_stopwatch.py::test_the_time_of_a_loop_is_that_of_whoever_was_at_work_when_it_was_seen"
ON = "test_stopwatch.py::test_time_on_a_processor_goes_to_whoever_is_seen_and_to_whoever_the_thread_is_left"
WAITS_FOR = of(TIMES, "test_the_time_of_a_task_is_that_of_what_it_waits_for")

OF_TIMES: Final[tuple[Mutant, ...]] = (
    one(
        "times: a wait in progress does not count yet",
        STOPWATCH,
        "sum_s if sum_s >= 0 else sum_s + present_s",
        "max(0.0, sum_s)",
        MODEL,
    ),
    one("times: read, and not looked at again", STOPWATCH, "= self.stood() == stood", "= True", READ_AGAIN),
    one(
        "times: chain: members are not looked at again",
        LOOP_TIME,
        "if self._stood() == before:",
        "if self._spent is before[0]:",
        READ_AGAIN,
    ),
    one(
        "times: time passes after the end",
        STOPWATCH,
        "until_s = self._ended_s or now_s\n        sums",
        "until_s = now_s\n        sums",
        MODEL,
        of(TIMES, "test_times_stand_still_after_the_end"),
    ),
    one(
        "times: of a wait that is over, what was before it is lost",
        STOPWATCH,
        "self.sums[why] -= since_s",
        "self.sums[why] = -since_s",
        MODEL,
    ),
    one(
        "times: a burst before a long wait is thought to go on in it",
        STOPWATCH,
        "            self.mark(self.sums[SINCE])  # what lasted so long was a wait, and nothing else",
        "            pass",
        "test_stopwatch.py::test_a_rate_of_the_last_second_forgets_a_burst_before_a_long_wait",
    ),
    one(
        "times: a wait within another one ends that, too",
        PARKER,
        "            stopwatch.go_on(before)\n",
        "            pass\n",
        NESTED,
    ),
    one(
        "times: after a wait within another one that one does not go on",
        PARKER,
        "        if is_within:\n            stopwatch.wait(before)\n",
        "",
        NESTED,
    ),
    one(
        "times: a wait is never over",
        PARKER,
        "            sums[why] += now_s\n        else:",
        "            pass\n        else:",
        WAITS_FOR,
        of(TIMES, "test_a_task_that_has_worked_thousands_of_packets_was_not_idle_all_the_time"),
    ),
    one(
        "times: who waits for its turn is at work",
        SEEDED,
        '            self.stopwatch.wait("turn")\n            self._give_back(None)',
        "            self._give_back(None)",
        of(TIMES, "test_under_a_seed_a_task_that_may_not_run_waits_for_its_turn"),
    ),
    one(
        "times: what calls compute is a wait",
        PERMIT,
        "            if self._stopwatch is not None:\n                self._stopwatch.go_on(why)",
        "            pass",
        of(TIMES, "test_open_calls_are_waited_for_and_what_they_compute_is_work"),
    ),
    one(
        "times: open calls are not waited for",
        PERMIT,
        '"waiting" if self._is_open() else self._why or "running"',
        'self._why or "running"',
        of(TIMES, "test_open_calls_are_waited_for_and_what_they_compute_is_work"),
    ),
    one(
        "times: of a chain each task has all the time of its thread",
        LOOP_TIME,
        "member.lose(passed_s - each if is_owner else passed_s)",
        "member.lose(passed_s - each if is_owner else 0.0)",
        WHOSE,
    ),
    one(
        "times: a chain's time is given twice",
        LOOP_TIME,
        "passed_s, self._given_s = spent_s - self._given_s, spent_s",
        "passed_s = spent_s - self._given_s",
        WHOSE,
    ),
    one(
        "times: who keeps the thread of a chain is on no processor",
        LOOP_TIME,
        "            at.work_by(self._clock)",
        "            pass",
        ON,
    ),
    one(
        "profiles: who waits is at work",
        LOCAL,
        "worker is None or self.parker.stopwatch.waits",
        "worker is None",
        of(PROFILES, "test_of_an_operator_all_tasks_are_looked_at_and_of_a_service_all_threads"),
        of(PROFILES, "test_the_lines_of_user_code_at_work_are_found"),
    ),
    one(
        "profiles: a stack begins with the engine",
        "python/stacks.py",
        "if not place.file.startswith(_OURS)",
        "if True",
        of(PROFILES, "test_the_lines_of_user_code_at_work_are_found"),
    ),
    one(
        "profiles: goes on when there is nothing to look at any more",
        "control/profiling.py",
        " or all(handle.is_gone() for handle in handles)",
        "",
        of(PROFILES, "test_a_paused_task_is_idle_and_so_is_one_that_has_ended"),
    ),
    one(
        "times: chain: time passes for one that waits",
        CHAIN,
        "        self._time.stop()\n        for task in members:",
        "        for task in members:",
        "chain/test_times.py::test_a_chain_that_waits_is_idle_and_no_time_passes_twice",
    ),
)
