"""Bugs in tasks whose function waits: in what is open, whose turn it is, and what comes to its end."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

PROMISE = of("18_async")
CALLS, FEED, HOST = "task/awaiting/calls.py", "task/awaiting/feed.py", "task/awaiting/host.py"
LOOP, OPERATOR, SENDING = "task/awaiting/loop.py", "task/awaiting/operator.py", "task/awaiting/sending.py"
PERMIT, VIRTUAL, CALL = "task/awaiting/permit.py", "task/awaiting/virtual.py", "task/awaiting/call.py"
SERVICE = "service/awaiting.py"
DRAWING = "task/awaiting/drawing.py"
GATE, HAND = "task/task_gate.py", "communication/hand.py"

OF_AWAITING: Final[tuple[Mutant, ...]] = (
    one("async: one call too many", CALLS, "return self.most - len", "return self.most + 1 - len", PROMISE),
    one(
        "async: results that wait are not open",
        CALLS,
        "self.most - len(self._open)",
        "self.most - self.under_way",
        PROMISE,
    ),
    one(
        "async: results out of order",
        CALLS,
        "        if not self.is_ordered:\n            self._over.append",
        "        if True:\n            self.is_ordered = False\n            self._over.append",
        PROMISE,
    ),
    one("async: two calls of one key", CALLS, "return key in self._keys", "return False", PROMISE),
    one("async: two calls of one key in a batch", FEED, "if not self.is_keyed or (begun", "if True or (begun", PROMISE),
    one(
        "async: no finally is awaited",
        HOST,
        "        self.loop.run_until(lambda: all(task.done() for task in waiting))\n",
        "        pass\n",
        PROMISE,
    ),
    one(
        "async: calls are not cancelled",
        OPERATOR,
        "            self._host.cancel([call.task for call in calls.all() if call.task is not None])\n",
        "",
        PROMISE,
    ),
    one(
        "async: open calls are not counted as dropped",
        OPERATOR,
        "self._task.counts.break_off(calls.clear())",
        "calls.clear()",
        PROMISE,
    ),
    one(
        "async: a signal overtakes open calls",
        FEED,
        "            return not calls\n",
        "            return True\n",
        PROMISE,
    ),
    one(
        "async: a pause does not wait for calls",
        GATE,
        "if self._finish is None or not self._finish(is_called)",
        "if True",
        PROMISE,
    ),
    one(
        "async: an unpark does not wake the selector",
        PERMIT,
        "        if self._asleep:\n",
        "        if False:\n",
        PROMISE,
    ),
    one(
        "async: the key is not the call's own",
        "task/awaiting/context.py",
        "else call.key",
        "else self._of.key",
        PROMISE,
    ),
    one(
        "async: a failed attempt leaves its results",
        CALL,
        "                self.results.clear()\n",
        "                pass\n",
        PROMISE,
    ),
    one("async: parents are those of another call", SENDING, "router.tracer.draw(call.item)", "pass", PROMISE),
    one(
        "async: all calls go on in one turn",
        VIRTUAL,
        "later = [ready.pop() for _ in range(len(ready) - 1)]",
        "later: list[asyncio.Handle] = []",
        PROMISE,
    ),
    one(
        "async: time passes for what is outside",
        VIRTUAL,
        "return bool(self._ready) or self._waits_outside()",
        "return bool(self._ready)",
        PROMISE,
    ),
    one(
        "async: the hand unparks a lock", HAND, "            self._stamped = _as_it_is\n", "            pass\n", PROMISE
    ),
    one(
        "async: nobody is told of a call that blocks",
        "task/awaiting/blocking.py",
        "if (call is not None) not in self._has_told_of:",
        "if False:",
        PROMISE,
    ),
    one(
        "async: a rate holds no call back",
        FEED,
        "        return allowance.due_s() - parker.clock()\n",
        "        return 0.0\n",
        PROMISE,
    ),
    one(
        "async: a repeat does not count for the rate",
        FEED,
        "allowance.begin(parker.clock) is not None:",
        "True:",
        PROMISE,
    ),
    one(
        "held call: it is dropped",
        CALLS,
        "        call.be_held(failure)\n",
        "        self._open.remove(call)\n",
        of("20_held_calls", "test_all_that_have_failed_are_held_at_once_and_tried_again"),
    ),
    one(
        "held call: one after it goes first",
        CALL,
        "self.held, self.is_over = failure, False",
        "self.held = failure",
        of("20_held_calls", "test_all_that_have_failed_are_held_at_once_and_tried_again"),
    ),
    one(
        "held call: its key is free before it is mended",
        CALLS,
        "and not (self.may_hold and call.error is not None)",
        "",
        of("20_held_calls", "test_no_call_of_the_same_key_begins_before_the_one_that_failed_is_mended"),
    ),
    one(
        "held call: others wait for their turn to be held",
        SENDING,
        "            self._hold_others()\n",
        "            pass\n",
        of("20_held_calls", "test_all_that_have_failed_are_held_at_once_and_tried_again"),
    ),
    one(
        "held call: new packets begin before it",
        FEED,
        "        if calls.held:\n            return calls.next",
        "        if False:\n            return calls.next",
        of("20_held_calls", "test_calls_that_are_held_and_tried_again_lose_double_and_reorder_nothing"),
    ),
    one(
        "held call: what an attempt has made is sent",
        CALL,
        "            self.results = []\n",
        "",
        of("20_held_calls", "test_what_a_call_has_made_before_it_fails_is_not_sent"),
    ),
    one(
        "held call: what was made is made again",
        CALL,
        "if failure is None or not self.is_made or",
        "if True or not self.is_made or",
        of("20_held_calls", "test_if_a_key_function_raises_only_that_is_tried_again_of_a_call"),
    ),
    one(
        "held call: an edited one is held on",
        CALL,
        "and self.held.item is self.item",
        "",
        of("20_held_calls", "test_an_edit_and_a_drop_of_a_held_call_can_be_undone"),
    ),
    one(
        "held call: two of one key begin again",
        CALLS,
        "if call.key not in self._keys",
        "if True",
        of("20_held_calls", "test_calls_of_one_key_begin_again_one_after_the_other_also_after_an_edit"),
    ),
    one(
        "held call: a dropped one counts nowhere",
        "task/awaiting/control.py",
        "            self._task.counts.break_off(1)\n",
        "",
        of("20_held_calls", "test_an_edit_and_a_drop_of_a_held_call_can_be_undone"),
    ),
    one(
        "held call: one that is put back is the last",
        CALLS,
        "each in before), default=-1)",
        "True), default=-1)",
        of("20_held_calls", "test_an_edit_and_a_drop_of_a_held_call_can_be_undone"),
    ),
    one(
        "held call: the old function is called",
        OPERATOR,
        "        self.version = self.inner.version\n        self._make_work()\n",
        "        self.version = self.inner.version\n",
        of("20_held_calls", "test_a_call_of_a_replacement_that_raises_as_well_is_held_with_its_version"),
    ),
    one(
        "held call: the close of the old function is not awaited",
        OPERATOR,
        "            self._host.loop.run_until(task.done)\n            task.result()\n",
        "            task.cancel()\n",
        of("20_held_calls", "test_the_new_function_is_awaited_open_before_the_old_one_is_closed_and_state_stays"),
    ),
    one(
        "async source: a stop waits for its next item",
        DRAWING,
        " or self._ctx.stopping.is_set()\n",
        "\n",
        of("18_async_sources", "test_a_source_that_awaits_is_ended_there_and_its_finally_is_awaited"),
    ),
    one(
        "async source: it runs ahead of who draws",
        DRAWING,
        "        await asked\n",
        "        pass\n",
        of("18_async_sources", "test_it_is_drawn_from_when_the_next_item_is_asked_for"),
    ),
    one(
        "async source: what ends it is swallowed",
        DRAWING,
        "self._ctx.stopping.is_set()):\n            raise error",
        "self._ctx.stopping.is_set()):\n            pass",
        of("18_async_sources", "test_what_no_policy_is_for_fails_the_job"),
    ),
    one(
        "async service: no finally is awaited",
        SERVICE,
        "                self._host.cancel([task])\n",
        "                pass\n",
        of("18_async_services", "test_cancel_awaits_the_finally_of_what_is_under_way"),
    ),
    one(
        "async service: its close is cut off by a cancel",
        SERVICE,
        "                self._host.loop.run_until(task.done)\n",
        "                task.cancel()\n",
        of("18_async_services", "test_cancel_awaits_the_finally_of_what_is_under_way"),
    ),
    one(
        "async service: what it raises is its reply",
        SERVICE,
        "        raise error\n    finally",
        "        return error\n    finally",
        of("18_async_services", "test_what_a_method_raises_is_raised_for_its_caller[local]"),
    ),
    one(
        "async service: it blocks its loop",
        SERVICE,
        "        if self._loop.is_running():\n            raise",
        "        if False:\n            raise",
        of("18_async_services", "test_a_method_awaits_other_services_and_does_not_wait_for_itself[local]"),
    ),
    one(
        "settled calls: time is forgotten",
        LOOP,
        "and not timers and",
        "and",
        of("18_settled_calls", "test_a_call_that_goes_on_beside_them_is_waited_for"),
    ),
    one(
        "settled calls: one that computes counts as asleep",
        LOOP,
        "        return self._sleeper.is_asleep\n",
        "        return True\n",
        of("18_settled_calls", "test_a_call_that_goes_on_beside_them_is_waited_for"),
    ),
    one(
        "settled calls: executors are forgotten",
        LOOP,
        "and not self._jobs and",
        "and",
        of("18_settled_calls", "test_a_call_that_goes_on_beside_them_is_waited_for"),
    ),
)
