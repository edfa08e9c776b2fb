"""Bugs in tasks whose function waits: in what is open, whose turn it is, and what comes to its end."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

PROMISE = of("18_async")
CALLS, FEED, HOST = "task/awaiting/calls.py", "task/awaiting/feed.py", "task/awaiting/host.py"
LOOP, OPERATOR, SENDING = "task/awaiting/loop.py", "task/awaiting/operator.py", "task/awaiting/sending.py"
PERMIT, VIRTUAL, CALL = "task/awaiting/permit.py", "task/awaiting/virtual.py", "task/awaiting/call.py"
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
        "        if not self.is_ordered:\n            self._over",
        "        if True:\n            self.is_ordered = False\n            self._over",
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
)
