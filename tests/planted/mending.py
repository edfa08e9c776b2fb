"""Bugs of what is held, and of what takes its place."""

from __future__ import annotations

from typing import Final

from tests.planted.records import SWITCH, Change, Mutant, of, one

GUARD, BATCH, POLICY, HOLDING = (
    "task/hold_guard.py",
    "task/batch.py",
    "task/policy_operator.py",
    "control/holding.py",
)
HEARD = "task.reporter.held(task.name, failure_text(packet.payload, error))"
AT_THE_MOMENT = of("20_held", "test_a_resume_at_the_moment_of_a_hold_leaves_nothing_skipped")
MENDING, JOINED, REPLACING = "task/mending.py", "operators/joined.py", "control/replacing.py"
ANY_MOMENT = of("20_mended", "test_replacements_at_any_moment_lose_and_double_nothing_and_each_packet_is_worked_by_one")
CANNOT_OPEN = of("20_mended", "test_if_one_cannot_be_opened_the_old_ones_stay_everywhere")
REQUESTS, RENEWAL, SERVICE = "communication/request_queue.py", "service/renewal.py", "service/base_service_task.py"
RENEWED_ANY = of(
    "20_renewed_services",
    "test_replacements_at_any_moment_lose_and_double_nothing_and_no_object_answers_after_its_close",
)
IN_WORK = of("20_renewed_services", "test_what_is_in_work_ends_by_the_old_object_and_what_is_asked_meanwhile_waits")
AN_OBJECT = of("20_mended", "test_an_object_takes_the_place_of_a_plain_function_and_the_other_way")
SENDS_AND_RAISES = of("20_mended", "test_of_a_packet_that_an_object_sends_for_before_it_raises_nothing_is_sent")
ANSWERED = of(
    "20_renewed_services",
    "test_requests_are_answered_by_the_old_object_and_from_the_replacement_on_by_the_new_one[local-1]",
)
STANDS_STILL = of("20_renewed_services", "test_while_a_request_waits_for_what_stands_still_nothing_is_replaced")
LOOPS = of("20_renewed_services", "test_methods_that_wait_take_the_place_of_plain_ones_and_the_other_way")
RESUMED = of("20_held", "test_resume_tries_a_held_packet_again_and_loses_and_doubles_nothing")
NOT_SENT = of("20_held", "test_what_a_packet_makes_before_its_function_raises_is_not_sent")
KEYS = of("20_held", "test_if_a_key_function_raises_only_that_is_tried_again")
EDITED = of("20_held", "test_an_edit_of_a_held_packet_can_be_undone_and_then_it_is_held_again")

OF_MENDING: Final[tuple[Mutant, ...]] = (
    one("hold: the packet at fault is dropped", GUARD, "keep(self._fault is not None)", "keep(False)", RESUMED),
    one("hold: it leaves its lane while it is in work", GUARD, "self._batch.keep(True)", "self._batch.keep(False)",
        of("20_held", "test_a_packet_in_user_code_that_waits_has_not_left")),
    Mutant("hold: a resume goes on with the packet after it (with a switch)",
        (Change(BATCH, "del self.items[self.begun() :]", "pass"), Change(GUARD, HEARD, f"{HEARD}\n        {SWITCH}")),
        (AT_THE_MOMENT,)),
    Mutant("hold: the switch alone", (Change(GUARD, HEARD, f"{HEARD}\n        {SWITCH}"),), (AT_THE_MOMENT,),
        harmless=True),
    one("hold: what an attempt has made is sent", POLICY, "is_made=bool(is_made))\n            return ()",
        "is_made=bool(is_made))\n            return self._plan.puts(self._held.all())", NOT_SENT),
    one("hold: what an attempt has made counts as all", GUARD, "tuple(self._held.made_of)) if is_made else None",
        "tuple(self._held.made_of))", NOT_SENT),
    one("hold: it is worked again though only its key was missing", GUARD, "if made is None or", "if True or", KEYS),
    one("hold: outputs are sent twice after a resume", GUARD, "return partial(self._held.add_again, *made)",
        "return lambda: (self._held.add_again(*made), make())[0]", KEYS),
    one("hold: an edited packet is held on", GUARD, "lane.items[index] is not self._item", "False", EDITED),
    one("hold: another lane goes first", GUARD, "self._inbox.look_first_at(lane)", "pass",
        of("20_held", "test_a_held_packet_is_the_first_to_be_tried_whichever_lane_it_came_by")),
    one("replace: the packet at fault is dropped", MENDING, "operator.replace(self._next, self._task.ctx)",
        "operator.replace(self._next, self._task.ctx)\n        self._task.inbox.drop(self._task.inbox.lanes[1], 1)",
        of("20_mended", "test_a_replaced_function_works_the_held_packet_and_all_that_follow[local]")),
    one("replace: state is lost", MENDING, "operator.replace(self._next, self._task.ctx)",
        "operator.replace(self._next, self._task.ctx)\n        self._task.ctx.states.clear()",
        of("20_mended", "test_state_accumulators_and_rows_stay")),
    one("replace: the old one is closed before the new one is opened", MENDING, "self._next = functions",
        "_close([each for each in self._operator.functions if isinstance(each, Function)])\n"
        "        self._next = functions", CANNOT_OPEN),
    one("replace: those that were opened stay open", REPLACING, 'yield from self._give_back(name, control)', "pass",
        CANNOT_OPEN),
    one("replace: one task is enough", REPLACING, 'failed = ""\n        for control, functions, is_at_rest in tasks:',
        'failed = ""\n        for control, functions, is_at_rest in tasks[:1]:',
        of("20_mended", "test_a_paused_operator_of_any_policy_can_be_replaced_in_all_its_tasks[local]")),
    one("replace: a task that waits is not woken", "task/control.py", "        inbox.call(True)\n", "",
        of("20_mended", "test_a_task_that_has_waited_since_before_the_pause_is_replaced_too[local]")),
    one("replace: only one of two inputs", JOINED, "self._give(*functions)", "self._give(functions[0], self._given[1])",
        of("20_mended", "test_two_connected_streams_have_two_functions[local]")),
    one("replace: a packet in work is cut off", "scheduling/gate.py", "self.turn is None and not self._errands",
        "self.turn is None", ANY_MOMENT),
    one("replace: results of an object go by the window of a plain function", "communication/router.py",
        "        self.only = None\n", "        pass\n",
        of("20_mended", "test_what_an_object_sends_keeps_to_the_capacity_of_its_consumer")),
    one("replace: what an object sends counts in the place of its packet", "communication/router.py",
        "            self.send = self.tracer.sender_to_all(self.lanes)\n", "            pass\n",
        of("20_mended", "test_what_an_object_sends_belongs_to_the_question_of_its_packet")),
    one("replace: an object is not told of keys", "task/feed.py", "        self._given.give_to(operator)\n",
        "", AN_OBJECT),
    one("replace: an object with two inputs is not told of keys", "task/joined_feed.py",
        "        self._given.give_to(operator)\n", "",
        of("20_mended", "test_two_connected_streams_and_a_join_may_have_objects_in_place_of_functions")),
    one("replace: what an object sends before it raises leaves at once", POLICY,
        "        self._sends_directly = False\n", "        pass\n", SENDS_AND_RAISES),
    one("replace: a loop works an object that sends and raises", "task/local_task.py",
        "        if self.chain is not None and not self.may_be_chained:\n            self.chain.give_up()\n", "",
        SENDS_AND_RAISES),
    one("renew: requests begin meanwhile", REQUESTS, "        self.is_set_up = False\n        self.hold()",
        "        self.hold()", RENEWED_ANY),
    one("renew: what is in work is not waited for", RENEWAL, "not self._queue.running or self._stands_still()", "True",
        IN_WORK),
    one("renew: and the object is exchanged all the same", RENEWAL, "if self._queue.running and not self._has_ended()",
        "if False", STANDS_STILL),
    one("renew: a request that has passed its gate begins", REQUESTS, "if not self.waiting or not self.is_set_up:",
        "if not self.waiting:", RENEWED_ANY),
    one("renew: the time of requests runs on", REQUESTS, "        self.is_set_up = False\n        self.hold()",
        "        self.is_set_up = False",
        of("20_renewed_services", "test_the_time_of_requests_stands_still_while_an_object_is_set_up")),
    one("renew: the old object stays open", SERVICE, "            old.close()\n", "            pass\n", ANSWERED),
    one("renew: interceptors are lost", SERVICE, "new.intercept(self._object.interceptors)", "pass", ANSWERED),
    one("renew: the old object answers on", SERVICE, "            self._object = new\n", "            pass\n",
        ANSWERED),
    one("renew: what could not be set up stays open", SERVICE, "                new.close()\n",
        "                pass\n",
        of("20_renewed_services", "test_if_the_new_object_cannot_be_made_or_set_up_the_old_one_answers_on")),
    one("renew: the loop of the old object is not gone back to", SERVICE, "            old.go_on()\n            raise",
        "            raise", LOOPS),
    one("renew: the loop of the new object is not gone back to", SERVICE, "        new.go_on()\n", "", LOOPS),
    one("renew: a thread that waits is not woken", RENEWAL, "            self._queue.call_all()\n", "", ANSWERED),
    one("renew: after a refusal nothing begins any more", RENEWAL, "                self._queue.begin()\n", "",
        STANDS_STILL),
    one("hold: nobody waits for it", HOLDING, "self._dispatcher.look_at_gates()", "pass", RESUMED),
)  # fmt: skip
