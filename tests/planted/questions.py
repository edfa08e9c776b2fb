"""Bugs of questions: whose a reply is, when one is over, and what it comes to."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

PACKET, ELEMENT, QUESTION = "communication/packet.py", "communication/element.py", "questions/question.py"
WEIGHTS = "remote/weights.py"
ASKED = "21_asked"
MADE = of(ASKED, "test_what_is_made_of_a_packet_belongs_to_its_question")
AT_ONCE = of(ASKED, "test_who_asks_where_nothing_comes_of_it_hears_so_at_once")
HELD = of(ASKED, "test_who_asks_for_a_packet_that_is_held_hears_so_and_the_others_wait")
LETTERS = of(ASKED, "test_a_dead_letter_closes_its_packet_and_its_error_is_the_answer")
BY_HAND = of(ASKED, "test_a_packet_that_is_dropped_by_hand_closes_and_one_that_is_edited_stays")
WEIGHED = "test_weights.py::test_a_question_is_over_exactly_when_no_packet_of_it_is_left"
OWN = of(ASKED, "test_of_questions_that_are_under_way_together_each_gets_its_own")

FULL = of(ASKED, "test_what_functions_ask_at_a_full_input_repeats_and_time_stands_still_until_it_is_in")

OF_QUESTIONS: Final[tuple[Mutant, ...]] = (
    one(
        "question: a turn does not wait for what was put down in the one before",
        "scheduling/seeded.py",
        "        self.is_due = self._has_lookers or has_posted\n",
        "",
        FULL,
    ),
    one(
        "turns: a turn that waits for a look tells nobody",
        "scheduling/seeded.py",
        "            self.monitor.tell()  # whether or not",
        "            pass  # whether or not",
        "test_turns.py::test_a_turn_that_ends_while_commands_are_looked_at_is_followed_by_a_look_and_then_by_the_next",
    ),
    one(
        "question: one is put in amid a turn",
        "questions/asking.py",
        "may = always if seeded is None else seeded.is_between_turns",
        "may = always",
        of(ASKED, "test_under_a_seed_nobody_sees_in_his_turn_that_a_question_comes_in"),
    ),
    one(
        "question: who settles is looked at before who puts in",
        "scheduling/helm.py",
        "return command.until is not None and command.until.at_rest",
        "return False",
        "test_step_way.py::test_who_asks_whether_all_rests_is_looked_at_after_who_can_go_on",
    ),
    one(
        "question: counts one short",
        PACKET,
        "            borne.bear()\n        return borne, inner",
        "            pass\n        return borne, inner",
        MADE,
    ),
    one(
        "question: a time that ends before all others is not looked at",
        "questions/asking.py",
        "        if due_s < self._looks_at_s:\n",
        "        if self._timer is None:\n",
        of(ASKED, "test_each_coroutine_has_a_time_of_its_own"),
    ),
    one(
        "weights: that of a packet that a filter drops is lost",
        WEIGHTS,
        "        if weight.units:\n",
        "        if errors:\n",
        WEIGHED,
        AT_ONCE,
    ),
    one(
        "weights: the part that leaves stays as well",
        WEIGHTS,
        "            part, self._weight = self._weight, NOTHING\n",
        "            part = self._weight\n",
        WEIGHED,
    ),
    one(
        "weights: a part is divided, and the whole of it stays",
        WEIGHTS,
        "Weight(units - 1, places)",
        "Weight(units, places)",
        "test_weights.py::test_parts_add_up_to_what_was_divided_in_any_order",
        WEIGHED,
    ),
    one(
        "weights: what arrives belongs to the newest question",
        WEIGHTS,
        "self._away.get(number, self._over)",
        "self._away[max(self._away)]",
        OWN,
    ),
    one(
        "weights: what is skipped elsewhere blames nobody",
        WEIGHTS,
        "encode(errors, self._codec) if errors else None",
        "None",
        WEIGHED,
        LETTERS,
    ),
    one(
        "weights: what has arrived meanwhile is not looked for",
        WEIGHTS,
        "            if share.marks:  # some have arrived meanwhile\n                return\n",
        "",
        "test_weights.py::test_what_arrives_while_the_last_packet_leaves_keeps_its_weight",
    ),
    one(
        "question: is over only by its time",
        QUESTION,
        "        if not marks:\n",
        "        if marks is None:\n",
        AT_ONCE,
    ),
    one(
        "question: an answer goes to the oldest",
        QUESTION,
        "        self._replies.add()\n",
        "        self._replies.add()\n        question = next(iter(self._open), question)\n",
        OWN,
    ),
    one(
        "question: a held packet leaves",
        "task/hold_guard.py",
        "            self._router.tracer.stay()\n",
        "            pass\n",
        HELD,
    ),
    one(
        "question: a skipped packet blames nobody",
        "task/policy_operator.py",
        "            self._router.tracer.blame(error)\n",
        "            pass\n",
        LETTERS,
    ),
    one(
        "question: a failure is no reply",
        PACKET,
        "        self._has_broken_off = True",
        "        pass",
        of(ASKED, "test_a_failure_is_heard_by_every_asker"),
    ),
    one(
        "question: a batch keeps what it has worked",
        "batches/feed.py",
        "        self._bearer.left([gathered.items[index] for index in rest])\n",
        "",
        LETTERS,
    ),
    one(
        "question: a call keeps its packet",
        "task/awaiting/sending.py",
        "            router.tracer.leave()\n",
        "            pass\n",
        MADE,
    ),
    one(
        "question: what nobody needs keeps it open",
        "communication/send_plan.py",
        "                    tracer.take_back(item)\n",
        "                    pass\n",
        of(ASKED, "test_what_is_not_accepted_any_more_as_nobody_needs_it_keeps_no_question_open"),
    ),
    one(
        "question: a drop keeps it open",
        "task/control.py",
        "            self._has_left(item, lane)\n            return",
        "            return",
        BY_HAND,
    ),
    one(
        "question: an edit asks for nobody",
        ELEMENT,
        "return (before[0], replace(self, asked=False)",
        "return (None, replace(self, asked=False)",
        BY_HAND,
    ),
    one(
        "question: a gate that closes is not heard of",
        "dispatcher.py",
        "            self.questions.look_at_gates(self.why_held())\n",
        "            pass\n",
        of(ASKED, "test_a_gate_that_is_closed_while_somebody_waits_is_heard_of"),
    ),
    one(
        "question: a cancel ends none",
        "dispatcher.py",
        "        self.questions.fail_all(self._why_unanswered)  # none is accepted any more\n",
        "",
        of(ASKED, "test_a_cancel_ends_every_question"),
    ),
    one(
        "question: time goes on at a closed gate",
        QUESTION,
        "            self._lost_s += now_s - self._stands_since_s\n",
        "            pass\n",
        of(ASKED, "test_a_coroutine_waits_at_closed_gates_and_its_time_stands_still"),
    ),
    one(
        "question: a circle of two is not seen",
        "service/service_caller.py",
        "(*bearer.callers, *self._alone)",
        "self._alone",
        of(ASKED, "test_a_circle_is_named"),
    ),
    one(
        "question: a call is not ended by it",
        "questions/calling.py",
        "            ledger.close(call, value, error)\n",
        "            return\n",
        of(ASKED, "test_functions_and_services_ask_as_they_call_a_service"),
    ),
    one(
        "question: goes on after nobody waits",
        "questions/calling.py",
        '            question.give_up(ServiceStopped("nobody waits for it any more"))\n',
        "            pass\n",
        of(ASKED, "test_a_function_that_is_not_answered_in_time_hears_so_and_the_reply_is_late"),
    ),
)
