"""Bugs in what a session, its control and its dispatcher do."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

RUNS = "session/runs.py"
SESSION = "session/session.py"
EDITING = "control/editing.py"
INSPECTION = "control/inspection.py"
RECORDS = "control/records.py"
PAUSING = "control/pausing.py"
STEPPING = "control/stepping.py"
DISPATCHER = "dispatcher.py"
OBSERVED = "session/observed.py"
GRAPH = "graph/execution_graph.py"
END = "completion.py"
STOPS = "control/stops.py"
HITS = "control/hits.py"
INJECTOR = "control/injector.py"
HELM = "scheduling/helm.py"

OF_SESSIONS: Final[tuple[Mutant, ...]] = (
    one(
        "session: started again while it runs",
        RUNS,
        "if before is not None and before.is_live:\n            raise",
        "if False:\n            raise",
        of("commands", "test_every_command_does_in_every_state_what_the_table_says[local-start-running-]"),
    ),
    one(
        "session: begun anew before the last run is clean",
        RUNS,
        "yield from before.dispatcher.until_clean(CLOSE_S)",
        "pass",
        of("commands", "test_every_command_does_in_every_state_what_the_table_says[local-start-ended-]"),
    ),
    one("session: what is asked for during a start is lost", RUNS, "start.end_by(end)", "pass", of("07_starts")),
    one(
        "session: an end of the last start ends the next one",
        RUNS,
        "start = self._under_way = Start()\n",
        "start = self._under_way = self.__dict__.setdefault('start of all', Start())\n",
        of("07_starts"),
    ),
    one(
        "session: an end before the start is forgotten",
        RUNS,
        "self.ended_new = ended_new",
        "pass",
        of("commands", "test_every_command_does_in_every_state_what_the_table_says[local-stop-new-]"),
    ),
    one(
        "session: of two ends before a start the later counts",
        RUNS,
        "elif self.ended_new is None:",
        "else:",
        of("07_starts"),
    ),
    one(
        "session: the end before a start outlives it",
        RUNS,
        "self.run, self.ended_new = run, None",
        "self.run = run",
        of("07_starts"),
    ),
    one(
        "session: closed while a start is under way",
        RUNS,
        "        yield from self._alone()\n        if self.run is None:\n            self.cancel()",
        "        if self.run is None:\n            self.cancel()",
        of("07_starts"),
    ),
    one(
        "session: reset while a start is under way",
        RUNS,
        "        yield from self._alone()\n        if self.run is not None:\n            if self.run.is_live:",
        "        if self.run is not None:\n            if self.run.is_live:",
        of("07_starts"),
    ),
    one(
        "session: who was abandoned is told at each close",
        RUNS,
        "return abandoned if was_live else ()",
        "return abandoned",
        of("16_lifetime", "test_a_task_stuck_in_user_code_is_abandoned_and_named[local]"),
    ),
    one(
        "session: released though it runs again",
        RUNS,
        "if self._under_way is not None or self._is_live():\n            return  # somebody",
        "if False:\n            return  # somebody",
        of("07_starts"),
    ),
    one(
        "session: its graph stays frozen after a reset",
        RUNS,
        "self.environment.unfreeze()",
        "pass",
        of("16_lifetime", "TestRunningAgain::test_reset_makes_the_graph_changeable[local]"),
    ),
    one(
        "session: how it ended outlives a reset",
        RUNS,
        "self.run = self.ended_new = None",
        "self.run = None",
        of("07_starts"),
    ),
    one(
        "session: reset of what runs",
        RUNS,
        "            if self.run.is_live:\n                raise AlreadyStarted",
        "            if False:\n                raise AlreadyStarted",
        of("commands", "test_every_command_does_in_every_state_what_the_table_says[local-reset-running-]"),
    ),
    one(
        "session: interceptors of during a start are lost",
        RUNS,
        "                dispatcher.intercept(interceptors)\n            start.over(",
        "                pass\n            start.over(",
        of("07_starts"),
    ),
    one(
        "session: interceptors of before a start are lost",
        RUNS,
        "        dispatcher.intercept(interceptors)\n        run.proxies",
        "        run.proxies",
        of("13_interceptors", "test_interceptors_stay_for_the_next_run[local]"),
    ),
    one(
        "session: an interceptor that was removed stays",
        RUNS,
        "self._interceptors.pop(this, None)",
        "pass",
        of("07_starts"),
    ),
    one(
        "session: a start that failed seems under way",
        RUNS,
        "        finally:\n            self.events = None",
        "        finally:\n            pass",
        of("16_lifetime", "TestRunningAgain::test_reset_makes_the_graph_changeable[local]"),
    ),
    one(
        "session: a close that is refused has begun",
        SESSION,
        '        runs.refuse_own_tasks("close()")  # before',
        "        # before",
        of("07_stop_and_cancel", "test_a_task_that_would_wait_for_itself_is_refused_by_name[local-close]"),
    ),
    one(
        "session: a wait that was given up goes on",
        SESSION,
        "            commands.withdraw(command)\n            raise",
        "            raise",
        of("14_refused"),
    ),
    one(
        "session: a failure that was told is told again",
        SESSION,
        "and not (dispatcher := run.dispatcher).completion.is_failure_told",
        "and (dispatcher := run.dispatcher)",
        of("16_lifetime", "test_a_with_block_says_a_failure_once[local]"),
    ),
    one(
        "control: a pause of an unknown name closes gates",
        PAUSING,
        "        handles = self._workers.find_all(names)\n"
        "        if self._dispatcher.outcome is not None:\n"
        "            return ()\n"
        "        self.close_gates(names, by_person=by_person)\n",
        "        if self._dispatcher.outcome is not None:\n"
        "            return ()\n"
        "        for name in list(names) or [None]:\n"
        "            self.close_gates(() if name is None else (name,), by_person=by_person)\n"
        "        handles = self._workers.find_all(names)\n",
        of("14_refused"),
    ),
    one(
        "control: a pause after the end is told",
        PAUSING,
        "        if self._dispatcher.outcome is not None:\n            return ()\n        self.close_gates",
        "        self.close_gates",
        of("14_refused"),
    ),
    one(
        "control: a resume is not looked at",
        PAUSING,
        "self._dispatcher.gates_changed(f\"resume: {', '.join(names) or 'all'}\")",
        "pass",
        of("14_refused"),
    ),
    one(
        "control: a pause does not wait",
        PAUSING,
        "all(each.is_settled for each in self._workers.now(handles))",
        "True",
        of("14_pause_and_step", "test_a_pause_returns_when_user_code_does[local]"),
    ),
    one(
        "control: steps are told to nobody",
        STEPPING,
        "            self._dispatcher.log_step(step.task, record.text)\n",
        "",
        of("15_looking", "test_a_turn_by_hand_is_an_event[local]"),
    ),
    one(
        "control: sources have their turns first",
        STEPPING,
        "for name in (*self._order, *self._sources)",
        "for name in (*self._sources, *self._order)",
        of("14_pause_and_step", "test_a_source_has_the_turn_only_if_nothing_is_queued[local]"),
    ),
    one(
        "control: the first of the graph have their turns first",
        STEPPING,
        "key=lambda node: -layers",
        "key=lambda node: layers",
        of(
            "14_pause_and_step",
            "test_without_a_name_the_deepest_has_the_turn_then_graph_order_then_index_and_sources_last[local]",
        ),
    ),
    one(
        "control: a change that was refused can be undone",
        EDITING,
        "        index, change = yield from self._workers.at_its_gate",
        "        self._put_down(replace(done, back=self.undo))\n"
        "        index, change = yield from self._workers.at_its_gate",
        of("14_refused"),
    ),
    one(
        "control: steps push out what can be undone",
        RECORDS,
        "(self._others if record.back is None else self._changes)",
        "self._changes",
        of("14_records", "test_steps_however_many_push_out_no_change"),
    ),
    one(
        "control: steps stand nowhere",
        STEPPING,
        "            self._records.add(record)\n",
        "",
        of("14_records", "test_all_that_changes_a_run_by_hand_stands_in_one_list_in_order[local]"),
    ),
    one(
        "control: records have no order among all",
        RECORDS,
        "key=lambda record: record.number",
        "key=lambda record: record.name",
        of("14_records", "test_what_is_put_in_while_others_step_has_its_place_among_the_steps"),
    ),
    one(
        "control: what was undone can be undone again",
        EDITING,
        "            self._is_undoing = False\n        self._records.forget(change)\n",
        "            self._is_undoing = False\n",
        of("14_edit", "test_undo_takes_back_the_last_change_first_whatever_it_was_and_where[local]"),
    ),
    one(
        "control: what can be undone no more stays in the way",
        EDITING,
        "            self._records.forget(change)\n            raise",
        "            raise",
        of("14_edit", "test_what_has_been_worked_cannot_be_undone_and_what_was_changed_before_can[local]"),
    ),
    one(
        "control: the first change is undone first",
        RECORDS,
        "return self._changes[-1]",
        "return self._changes[0]",
        of("14_edit", "test_undo_takes_back_the_last_change_first_whatever_it_was_and_where[local]"),
    ),
    one(
        "control: a state goes to any task",
        EDITING,
        "            owner = Partition(self._workers.graph.tasks(operator)).find(key)",
        "            pass",
        of("14_edit", "test_the_values_of_a_reduce_are_seen_and_set_by_key[local]"),
    ),
    one(
        "control: a state for another task is accepted",
        EDITING,
        "if all(handle.name != owner for handle in handles):",
        "if False:",
        of("14_edit", "test_the_values_of_a_reduce_are_seen_and_set_by_key[local]"),
    ),
    one(
        "control: a breakpoint holds its own task alone",
        HITS,
        "            self._workers.backend.pause(self._workers.handles.values())\n",
        "",
        of("14_breakpoints", "test_a_breakpoint_stops_the_job_before_the_packet_that_it_matches[local]"),
    ),
    one(
        "control: a tap that raises is called again",
        INSPECTION,
        "                broken = True\n",
        "",
        of("14_breakpoints", "test_a_tap_that_raises_is_told_once_and_costs_the_job_nothing[local]"),
    ),
    one(
        "control: taps are called in any number",
        INSPECTION,
        "[*others, see] if wanted else others",
        "[see] if wanted else others",
        of("14_breakpoints", "test_taps_of_one_task_do_not_disturb_each_other[local]"),
    ),
    one(
        "dispatcher: each stop is told",
        END,
        "first = what not in self._asked and self.outcome is None",
        "first = self.outcome is None",
        of("07_starts"),
    ),
    one(
        "dispatcher: a stop ends no services alone",
        DISPATCHER,
        '                handle.end_input("stopped")\n'
        "        if not self.tally.has_tasks:\n            self._end_services()",
        '                handle.end_input("stopped")',
        of("12_services_live", "test_services_alone_serve_until_they_are_stopped[local]"),
    ),
    one(
        "dispatcher: a cancel ends no services alone",
        DISPATCHER,
        "            self.backend.refuse_calls()\n"
        "        if not self.tally.has_tasks:\n            self._end_services()",
        "            self.backend.refuse_calls()",
        of("12_services_live", "test_services_alone_can_be_cancelled[local]"),
    ),
    one(
        "dispatcher: a cancel leaves calls open",
        DISPATCHER,
        "            self.backend.refuse_calls()\n",
        "            pass\n",
        of("11_calls", "test_a_cancel_ends_the_calls_that_wait[local]"),
    ),
    one(
        "dispatcher: a cancel after the end is told",
        DISPATCHER,
        '        if self.outcome is None:\n            self._note("command", None, why)',
        '        self._note("command", None, why)',
        of("07_starts"),
    ),
    one(
        "dispatcher: the last failure counts",
        END,
        "first_failure = error is not None and self.failure is None",
        "first_failure = error is not None",
        of("09_failure", "test_the_first_of_several_failures_is_the_one_that_is_told[local]"),
    ),
    one(
        "dispatcher: an outcome is given twice",
        END,
        "            if self.outcome is not None:\n                return False\n            self.outcome = outcome",
        "            self.outcome = outcome",
        of("07_starts"),
    ),
    one(
        "dispatcher: a skip is no error",
        END,
        "                return False\n            self._errors += 1",
        "                return False",
        of("09_policies", "test_every_packet_is_counted_once_whatever_becomes_of_it[local-1]"),
    ),
    one(
        "dispatcher: an error is counted twice",
        END,
        "self._errors += error is not None",
        "self._errors += 2 * (error is not None)",
        of(
            "12_services_live", "test_a_service_that_fails_fails_the_job_and_is_named_not_its_callers[local-1-bad_make]"
        ),
    ),
    one(
        "dispatcher: stopped rather than failed",
        END,
        '= ("failed", "cancelled", "stopped")',
        '= ("stopped", "cancelled", "failed")',
        of("14_refused"),
    ),
    one(
        "dispatcher: services are drained after a cancel",
        END,
        'if "cancel" in self._asked or not self._ways()',
        "if not self._ways()",
        of("12_services_live", "test_services_alone_can_be_cancelled[local]"),
    ),
    one(
        "dispatcher: an end that was told is not known to be",
        DISPATCHER,
        "        self.completion.was_told(failure=failed is not None)\n",
        "        if failed is not None:\n            self.completion.was_told(failure=True)\n",
        of("14_refused"),
    ),
    one(
        "dispatcher: a failure that was told is not known to be",
        DISPATCHER,
        "self.completion.was_told(failure=failed is not None)",
        "self.completion.was_told()",
        of("16_lifetime", "test_a_with_block_says_a_failure_once[local]"),
    ),
    one(
        "dispatcher: enough of one end is enough of all",
        GRAPH,
        "any(edge.target in needed for edge in self.outputs(operator.name))",
        "all(edge.target in needed for edge in self.outputs(operator.name))",
        of("07_enough", "test_an_operator_that_somebody_else_needs_goes_on_and_loses_nothing[local]"),
    ),
    one(
        "tally: a run is over while services end",
        END,
        "if not self._tasks and not self._services:",
        "if not self._tasks:",
        of("12_services_live", "test_services_end_behind_the_tasks_however_the_job_ends"),
    ),
    one(
        "tally: one task with enough is all of its operator",
        END,
        "return frozenset(self._with_enough)",
        "return frozenset(self._with_enough | self._tasks)",
        of("07_enough", "test_all_tasks_of_an_operator_have_to_have_enough[local]"),
    ),
    one(
        "tally: services end before the last task",
        END,
        'return "the last task" if was_task and not self._tasks else "one of many"',
        'return "the last task" if was_task else "one of many"',
        of("12_services_live", "test_services_end_behind_the_tasks_however_the_job_ends"),
    ),
    one(
        "end: a listener that comes late hears nothing",
        END,
        "        if self._come:\n            self._tell_listeners()\n",
        "",
        of("14_refused", "test_an_outcome_that_nobody_has_waited_for_is_there_and_is_shown_by_no_picture[local]"),
    ),
    one(
        "observed: an outcome is shown before anybody was told",
        OBSERVED,
        "told = run is None or run.dispatcher.completion.is_told",
        "told = True",
        of("14_refused", "test_an_outcome_that_nobody_has_waited_for_is_there_and_is_shown_by_no_picture[local]"),
    ),
    one(
        "observed: events are read again from the first",
        OBSERVED,
        "log.since(number)",
        "log.since(0)",
        of("15_looking", "test_events_are_read_from_any_number_on[local]"),
    ),
    one(
        "session: a block leaves an input open",
        SESSION,
        "(open_ := run.injector.open_inputs())",
        "(open_ := [])",
        of("16_lifetime", "test_a_with_block_with_an_open_input_cancels_and_names_the_remedy[local]"),
    ),
    one(
        "session: a close leaves breakpoints set",
        RUNS,
        "        self.stops.close()\n",
        "",
        of("14_breakpoints", "test_a_close_removes_all_breakpoints"),
    ),
    one(
        "records: another packet is said to have been changed",
        EDITING,
        "return next(iter(found), None), control.ask(what, place, *arguments)",
        "return 0 if by_person else None, control.ask(what, place, *arguments)",
        "view/test_commands.py::test_the_line_of_python_does_what_the_click_has_done",
    ),
    one(
        "records: a value is said again as it is shown",
        "texts/literal.py",
        "        text = repr(value)\n",
        "        text = str(value)\n",
        "view/test_commands.py::test_the_line_of_python_does_what_the_click_has_done",
    ),
    one("end: waited for, for ever", END, "            self.waiters -= 1", "            pass", of("14_refused")),
    one(
        "stops: what was removed is still asked",
        STOPS,
        "        self._tell(tasks_of(graph, found.task), self._set, graph, hits)\n\n    def begin",
        "\n    def begin",
        of("14_breakpoints", "test_a_breakpoint_that_was_removed_while_the_job_is_paused_stops_nothing_more[local]"),
    ),
    one(
        "stops: one removes all",
        STOPS,
        "if each is not found}",
        "if False}",
        of("14_breakpoints", "test_of_several_breakpoints_each_that_matches_is_hit_and_the_job_stops_once[local]"),
    ),
    one(
        "hand: any input of several",
        INJECTOR,
        "self._graph, operator, number, element)",
        "self._graph, operator, 0, element)",
        of(
            "14_hand_two_inputs",
            "test_the_hand_puts_in_on_the_input_it_names_with_the_key_function_of_that_input[local-1]",
        ),
    ),
    one(
        "commands: only the first that waits is looked at",
        HELM,
        "                self._aside.remove(command)\n\n    def _watch",
        "                self._aside.remove(command)\n            break\n\n    def _watch",
        "test_step_way.py::test_who_waits_is_looked_at_though_one_who_waits_for_longer_cannot_go_on",
    ),
)
