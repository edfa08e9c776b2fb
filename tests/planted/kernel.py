"""Bugs in queues, tasks, policies, services and calls."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

INBOX, HANDS = "communication/inbox.py", "communication/hand.py"
ROUTER = "communication/router.py"
FEED, BATCH = "task/feed.py", "task/batch.py"
GATE, PARKER, TASK_GATE = "scheduling/gate.py", "scheduling/parker.py", "task/task_gate.py"
GUARD = "task/policy_operator.py"
BASE = "task/base_task.py"
SERVICE = "service/base_service_task.py"
CALLER, FUTURE = "service/service_caller.py", "service/call_future.py"
REQUESTS = "communication/request_queue.py"
LEDGER = "communication/calls.py"

OF_KERNEL: Final[tuple[Mutant, ...]] = (
    one(
        "kernel: lanes have no turns",
        INBOX,
        "                    if position < len(lanes):\n"
        "                        self._open = lanes[position:] + lanes[:position]\n",
        "",
        of("14_refused"),
    ),
    one(
        "kernel: the hand's places are used up",
        HANDS,
        "            for _ in range(count):\n                self.free_place()",
        "            pass",
        of("14_hand", "test_many_hands_beside_a_running_source_lose_double_and_reorder_nothing[local-1-1]"),
    ),
    one(
        "kernel: an input that has ended is told to nobody",
        HANDS,
        "            self.lane.put_signal(StopSignal(HAND, how))",
        "            self.lane.signals.append((self.lane.taken + len(self.lane.items), StopSignal(HAND, how)))",
        of("commands", "test_every_command_does_in_every_state_what_the_table_says[local-build source-ended-]"),
    ),
    one(
        "kernel: put in by hand after a cancel",
        HANDS,
        "if self.lane.closed or self._inbox.reader.cancelled:",
        "if self.lane.closed:",
        of("14_refused"),
    ),
    one(
        "kernel: a failed key is blamed on another packet",
        ROUTER,
        "                if type(key) not in PLAIN_KEYS:\n"
        "                    partition.find(key)\n"
        "            except BaseException:\n"
        "                self.failed_on = value",
        "                if type(key) not in PLAIN_KEYS:\n"
        "                    partition.find(key)\n"
        "            except BaseException:\n"
        "                pass",
        of("14_refused"),
    ),
    one(
        "kernel: keys are remembered after the end",
        ROUTER,
        "            partition.forget()",
        "            pass",
        of("02_order_and_keys", "test_nothing_remembers_a_key_once_its_session_is_closed[local-1-fail]"),
    ),
    one(
        "kernel: an error is blamed on the packet behind",
        BATCH,
        "(self.items[begun - 1],)",
        "(self.items[min(begun, len(self.items) - 1)],)",
        of("09_failure", "test_the_packet_that_failed_is_named_in_the_middle_of_a_batch[local-57]"),
    ),
    one(
        "kernel: a source that waits does not hear stop",
        FEED,
        "        self._ctx.stopping.set()\n        self._parker.unpark()",
        "        self._parker.unpark()",
        of("07_stop_and_cancel", "test_a_source_that_waits_by_itself_is_told_to_end[local-stop]"),
    ),
    one(
        "kernel: an ended source wakes nobody",
        FEED,
        "        self._ctx.stopping.set()\n        self._parker.unpark()",
        "        self._ctx.stopping.set()",
        of("09_policies_of_life", "test_a_source_that_always_raises_can_be_stopped_and_cancelled"),
    ),
    one(
        "kernel: a stopped source says that it is completed",
        FEED,
        "        self._end_as = how\n",
        "",
        of("07_stop_and_cancel", "test_stop_ends_the_sources_and_drains_all_that_is_under_way[local-1-1]"),
    ),
    one(
        "kernel: nothing to send counts as sent",
        FEED,
        "self._before = self._before, self._source.drawn - self._source.idled",
        "self._before = self._before, self._source.drawn",
        of("01_shared_items", "test_idle_is_no_packet[local-fail]"),
    ),
    one(
        "kernel: stop signals are told to nobody",
        BASE,
        '            self.reporter.signal_arrived(self.name, "{} of {}".format(*event.heard), signal)',
        "            pass",
        of("05_stop_signal", "test_the_signals_of_all_producers_are_told_in_the_order_in_which_they_came[local]"),
    ),
    one(
        "kernel: a stop signal is told as the one before it",
        FEED,
        "heard = ended, producers = len(self._alignment.ended),",
        "heard = ended, producers = len(self._alignment.ended) - 1,",
        of("05_stop_signal", "test_the_signals_of_all_producers_are_told_in_the_order_in_which_they_came[local]"),
    ),
    one(
        "kernel: an input ends as its hand did",
        FEED,
        "self.ending = self._alignment.ending() if self._alignment.producers else stop.how",
        "self.ending = stop.how",
        of("14_refused"),
    ),
    one(
        "kernel: a step is of the packet behind",
        "task/batch.py",
        "return self.first.taken - 1",
        "return self.first.taken",
        of("14_pause_and_step", "test_a_packet_is_followed_to_the_end_also_through_a_queue_of_one[local-1]"),
    ),
    one(
        "kernel: an edit of what is in work",
        GATE,
        "if self.turn is None and not at_work:",
        "if True:",
        of("14_refused"),
    ),
    one(
        "kernel: taps cost, and nobody is asked",
        TASK_GATE,
        "            self._taps = taps\n            self._attend()\n",
        "            self._taps = taps\n",
        of("14_breakpoints", "test_a_tap_that_is_set_in_the_middle_of_a_batch_sees_the_rest_of_it[local]"),
    ),
    one(
        "kernel: breakpoints are asked at the next pause",
        TASK_GATE,
        "            self._breaks = breaks\n            self._attend()\n",
        "            self._breaks = breaks\n",
        of("14_breakpoints", "test_a_breakpoint_that_is_set_in_the_middle_of_a_batch_holds_for_the_rest_of_it[local]"),
    ),
    one(
        "kernel: who is dismissed sleeps on",
        PARKER,
        "        self.unpark()\n\n    def gate_closes",
        "\n    def gate_closes",
        of("07_enough", "test_a_back_off_ends_when_nobody_needs_its_packet_any_more[local-map]"),
    ),
    one(
        "kernel: depths are not exact while one waits",
        PARKER,
        "            self._settling.settle()\n",
        "            pass\n",
        of(
            "09_policies_of_life",
            "test_nothing_overtakes_a_packet_that_is_waiting_and_depths_are_exact_meanwhile[local]",
        ),
    ),
    one(
        "kernel: a back-off below zero is for ever",
        PARKER,
        "max(0.0, seconds))",
        "seconds)",
        of("13_interceptors", "test_a_sleep_that_is_none_ends_at_once[local--1]"),
    ),
    one(
        "kernel: the report comes after the stop signal",
        BASE,
        "        self.reporter.task_ended(report)\n"
        "        self._router.send_signal(StopSignal(self.name, report.ending))",
        "        self._router.send_signal(StopSignal(self.name, report.ending))\n"
        "        __import__('time').sleep(0.05 if self._inbox is None else 0)\n"
        "        self.reporter.task_ended(report)",
        of("08_ends_can_be_read", "test_tasks_end_behind_their_producers[local]"),
    ),
    one(
        "kernel: the error of close hides the first",
        BASE,
        '            elif error is None:\n                ending, error = "failed", raised\n',
        '            elif True:\n                ending, error = "failed", raised\n',
        of("09_failure", "test_an_error_in_close_is_told_beside_the_one_before_it[local]"),
    ),
    one(
        "kernel: close is left out after an error",
        BASE,
        "        try:\n            self.operator.close()",
        "        try:\n            error is None and self.operator.close()",
        of("05_stop_signal", "test_close_runs_once_where_open_failed[local]"),
    ),
    one(
        "kernel: a cancelled source does not hear it",
        BASE,
        "        self.parker.cancel()\n        self.ctx.stopping.set()",
        "        self.parker.cancel()",
        of("07_stop_and_cancel", "test_a_source_that_waits_by_itself_is_told_to_end[local-cancel]"),
    ),
    one(
        "kernel: what nobody needs is worked",
        BASE,
        "        self._receive = self._feed.discard\n",
        "",
        of("07_enough", "test_what_only_a_take_needs_ends_with_it_however_much_it_could_still_make[local-flat_map-1]"),
    ),
    one(
        "kernel: a failed task counts no error",
        BASE,
        "        if report.error is not None:\n            self.counts.fail()\n",
        "",
        of("14_refused"),
    ),
    one(
        "kernel: a batch is counted before it is closed",
        BASE,
        "            done = feed.close_batch()\n            self.counts.work(done)",
        "            self.counts.work(done)\n            done = feed.close_batch()",
        of("15_looking", "test_every_count_is_exact_once_the_job_stands_still[local-1-1]"),
    ),
    one(
        "kernel: the order of ends is lost",
        BASE,
        "(*self.ended_producers, (signal.producer, signal.how))",
        "((signal.producer, signal.how), *self.ended_producers)",
        of("05_stop_signal", "test_the_signals_of_all_producers_are_told_in_the_order_in_which_they_came[local]"),
    ),
    one(
        "kernel: finish has the last packet's error",
        BASE,
        "                self._packet = part.packet\n",
        "",
        of("09_policies", "test_a_row_without_a_partner_that_fails_the_job_is_named[local]"),
    ),
    one(
        "kernel: a step of an end says nothing of it",
        BASE,
        "            record.end(report.ending, report.error)\n",
        "            pass\n",
        of("14_breakpoints", "test_a_tap_collects_what_passes_with_what_became_of_it[local]"),
    ),
    one(
        "guard: a retry too many",
        "graph/policy.py",
        "if repeat >= self.n or",
        "if repeat > self.n or",
        of("09_policies", "test_an_error_is_followed_by_what_the_policy_says_at_every_place_and_position"),
    ),
    one(
        "guard: retries are not counted",
        GUARD,
        "            self._task.counts.retry()",
        "            pass",
        of("09_policies", "test_every_packet_is_counted_once_whatever_becomes_of_it[local-1]"),
    ),
    one(
        "guard: a source's error counts as a packet",
        GUARD,
        "task.counts.fail(self._packets_in(value) if is_skipped else 0)",
        "task.skipped += 1",
        of(
            "09_policies_of_life",
            "test_a_source_goes_on_behind_an_error_that_is_skipped[local-iterator-ValueError-the first-1]",
        ),
    ),
    one(
        "guard: a step does not see what was skipped",
        GUARD,
        "            task.gate.record.fail(error)\n",
        "            pass\n",
        of(
            "14_pause_and_step",
            "test_a_failing_packet_is_told_with_its_error_and_the_job_goes_on_as_its_policy_says[local-'skip']",
        ),
    ),
    one(
        "guard: a letter without its key",
        GUARD,
        "DeadLetter(ctx.name, packet, error, key, keyed=ctx.wiring.format.keyed, input=number, _of=named)",
        "DeadLetter(ctx.name, packet, error, None, keyed=ctx.wiring.format.keyed, input=number, _of=named)",
        of("09_dead_letters", "test_a_retried_packet_keeps_its_key_and_its_task[local-1-False]"),
    ),
    one(
        "guard: a source that was stopped draws on",
        GUARD,
        "                if feed.wants_out:\n                    return _NOTHING\n",
        "",
        of("09_policies_of_life", "test_a_source_that_always_raises_can_be_stopped_and_cancelled"),
    ),
    one(
        "guard: nobody is told of a gap",
        GUARD,
        "                    if failure is not None:\n                        self._warn_of_gap(failure)\n",
        "",
        of("09_policies_of_life", "test_an_iterator_that_went_on_behind_its_error_is_told_of[local]"),
    ),
    one(
        "service: one loop fails and the others serve on",
        SERVICE,
        '                ending, error = "failed", failure\n            self.cancel()',
        '                ending, error = "failed", failure',
        of(
            "12_services_live", "test_a_service_that_fails_fails_the_job_and_is_named_not_its_callers[local-3-bad_make]"
        ),
    ),
    one(
        "service: its failure is forgotten",
        SERVICE,
        "                self.queue.fail(error)\n        if last:",
        "                pass\n        if last:",
        of(
            "12_services_live", "test_a_service_that_fails_fails_the_job_and_is_named_not_its_callers[local-1-bad_make]"
        ),
    ),
    one(
        "service: refused calls do not say why",
        "communication/calls.py",
        "    if queue.failure is None:\n",
        "    if True:\n",
        of("12_services_live", "test_a_call_to_a_service_that_has_failed_says_why[local]"),
    ),
    one(
        "service: it calls in nobody's name",
        SERVICE,
        "here.work_for(*request.callers, name)",
        "here.work_for(name)",
        of("11_calls", "test_a_call_that_would_wait_for_itself_is_refused_by_its_callers[local]"),
    ),
    one(
        "service: what exits ends its caller",
        SERVICE,
        "        if isinstance(failure, Exception):\n            return failure\n        failed",
        "        if True:\n            return failure\n        failed",
        of("11_calls", "test_what_is_no_exception_arrives_as_a_failed_service_and_ends_nobody[local-error0]"),
    ),
    one(
        "service: a context of another run",
        "service/invocation.py",
        "if before is None or isinstance(before, ServiceContext):",
        "if before is None:",
        of("12_services_live", "test_an_object_that_is_there_already_serves_every_run_and_calls_in_that_run[local]"),
    ),
    one(
        "service: a lost reply ends its call",
        SERVICE,
        "                queue.lose()\n                in_time = False",
        "                in_time = queue.finish(call, value, error)",
        of("13_interceptors", "test_a_lost_reply_ends_by_its_timeout_and_is_counted[local]"),
    ),
    one(
        "calls: a circle is waited for",
        CALLER,
        "        if service in callers:\n",
        "        if False:\n",
        of("11_calls", "test_a_call_that_would_wait_for_itself_is_refused_by_its_callers[local]"),
    ),
    one(
        "calls: a cancelled task hears that its service stopped",
        FUTURE,
        "waiter is not None and waiter.cancelled and isinstance(error, ServiceStopped)",
        "False",
        of("11_calls", "test_a_cancelled_task_ends_as_cancelled_though_its_calls_are_refused[local-call]"),
    ),
    one(
        "calls: one callback that raises ends the others",
        FUTURE,
        "        except BaseException:  # the border to user code: others still wait to be told\n",
        "        except ZeroDivisionError:\n",
        of("11_calls", "test_what_a_callback_raises_stops_nobody_from_being_told[local-error0]"),
    ),
    one(
        "calls: time goes on for who waits for a held one",
        LEDGER,
        "call.queue.is_held(call) or any(self._is_held(inner) for inner in self._made_for(call))",
        "call.queue.is_held(call)",
        of("14_pause_and_step", "test_a_call_that_leads_to_a_paused_service_stands_still_as_well[local]"),
    ),
    one(
        "calls: a step lets all begin",
        GATE,
        "self.turn = None\n                self._let_in(turn)",
        "pass\n                self._let_in(turn)",
        of("14_pause_and_step", "test_steps_of_a_service_request_with_an_answer_and_with_an_error[local]"),
    ),
    one(
        "calls: a set-up ends a pause",
        REQUESTS,
        "        if not self.gate.closed:\n            self.release()",
        "        self.release()",
        of("14_refused"),
    ),
    one(
        "calls: an end that nobody sees",
        REQUESTS,
        "            self.signal = signal\n            self.call_all()",
        "            self.signal = signal",
        of("12_services_live", "test_services_alone_serve_until_they_are_stopped[local]"),
    ),
    one(
        "calls: a resume opens no gate",
        REQUESTS,
        "        self.gate.open()\n",
        "",
        of("14_pause_and_step", "test_a_tasks_call_to_a_paused_service_waits_and_its_time_stands_still[local]"),
    ),
)
