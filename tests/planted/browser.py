"""Bugs of the layer under `threading` in a tab of a browser; seen in Python in WebAssembly."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, one

LOCKS, STACKS, SELECTOR = "browser/locks.py", "browser/stacks.py", "browser/selector.py"
COLLECTOR, THREADS, INSTALL = "browser/collector.py", "browser/threads.py", "browser/install.py"
QUEUES, LOOPS, LOOKS, UNPREEMPTED = (
    "browser/queues.py",
    "browser/loops.py",
    "session/looks.py",
    "scheduling/unpreempted.py",
)
IN_NODE = "test_in_node.py::test_the_layer_keeps_what_its_docstrings_say_in_webassembly"

OF_BROWSER: Final[tuple[Mutant, ...]] = (
    one(
        "tab: a lock is set free, not handed over",
        LOCKS,
        "            if ring(waiting.popleft()):\n                return\n",
        "            if ring(waiting.popleft()):\n                break\n",
        IN_NODE,
    ),
    one("tab: a lock is handed to who came last", LOCKS, "ring(waiting.popleft())", "ring(waiting.pop())", IN_NODE),
    one(
        "tab: a chain lets nobody go on",
        UNPREEMPTED,
        "        RUNNING.give_way(SLICE_S)\n        looked_s",
        "        looked_s",
        IN_NODE,
    ),
    one(
        "tab: a task at work by itself lets nobody go on",
        UNPREEMPTED,
        "        RUNNING.give_way(SLICE_S)\n        passes",
        "        passes",
        IN_NODE,
    ),
    one(
        "tab: who tries again and again lets nobody go on",
        UNPREEMPTED,
        "        RUNNING.give_way(SLICE_S)\n        super().sleep",
        "        super().sleep",
        IN_NODE,
    ),
    one(
        "tab: a task that comes through its gate works at once",
        UNPREEMPTED,
        "            breathe()\n        return admitted",
        "            pass\n        return admitted",
        IN_NODE,
    ),
    one(
        "tab: to give way does not go through the event loop",
        STACKS,
        "            self.wait_for(_page.breathe)\n",
        "            self._since_s = monotonic()\n",
        IN_NODE,
    ),
    one("tab: the collector of Python goes on", COLLECTOR, "    _disable_pythons()\n", "    pass\n", IN_NODE),
    one(
        "tab: gc.enable turns the collector of Python on",
        INSTALL,
        "        gc: collector.COLLECTOR,\n",
        "",
        IN_NODE,
    ),
    one(
        "tab: whoever asks a session lets nobody go on",
        LOOKS,
        "        RUNNING.give_way(SLICE_S)\n        return asked",
        "        return asked",
        IN_NODE,
    ),
    one(
        "tab: whoever looks at results lets nobody go on",
        LOOKS,
        "        RUNNING.give_way(SLICE_S)\n        return looked",
        "        return looked",
        IN_NODE,
    ),
    one(
        "tab: whoever looks at an event lets nobody go on", LOOKS, '(threading.Event, ("_flag",))', "(int, ())", IN_NODE
    ),
    one("tab: a thread has the event loops of the page", INSTALL, "        WebLoopPolicy: POLICY,\n", "", IN_NODE),
    one("tab: locals go with the object of a thread", THREADS, "            _end_locals(ident)\n", "", IN_NODE),
    one(
        "tab: each event loop that is made is the running one",
        LOOPS,
        "    asyncio._set_running_loop(runs)\n",
        "",
        IN_NODE,
    ),
    one(
        "tab: the runtime is loaded before the layer",
        STACKS,
        "from runtime.browser.collector import tidy\n",
        "import runtime.errors\nfrom runtime.browser.collector import tidy\n",
        IN_NODE,
    ),
    one(
        "tab: nobody collects",
        COLLECTOR,
        "    if not _is_off and gc.get_count()[0] > YOUNG:\n",
        "    if False:\n",
        IN_NODE,
    ),
    one(
        "tab: garbage is collected when it has been said that one waits",
        LOCKS,
        "        if not self._is_taken:\n            self._is_taken = True\n            return True\n"
        "        if self._wait",
        "        if self._wait",
        IN_NODE,
    ),
    one("tab: who waits stays the one who runs", STACKS, "        self.ident, self._locks = MAIN, 0\n", "", IN_NODE),
    one(
        "tab: all threads have the event loop of the page",
        STACKS,
        "        _set_running_loop(None)\n",
        "",
        IN_NODE,
    ),
    one(
        "tab: who waits in a loop of his own leaves it running",
        STACKS,
        "        _set_running_loop(self.loop_of_page)\n",
        "",
        IN_NODE,
    ),
    one("tab: with lock never gives way", LOCKS, "if not self._rounds % ROUNDS:", "if False:", IN_NODE),
    one(
        "tab: with lock gives way inside another one",
        STACKS,
        "if not self._locks and monotonic()",
        "if monotonic()",
        IN_NODE,
    ),
    one(
        "tab: a promise of JavaScript wakes no loop",
        SELECTOR,
        "    if asyncio._get_running_loop() is not loop:\n        _wake(loop)\n",
        "",
        IN_NODE,
    ),
    one(
        "tab: who is passed over, as his time is over, has the lock",
        LOCKS,
        "        self._withdraw(me)  # or who released it came across this one when its time was over\n"
        "        return False\n",
        "        return not self._withdraw(me)\n",
        IN_NODE,
    ),
    one(
        "tab: what a finalizer puts into a queue before a wait is not seen",
        QUEUES,
        "            if self._items:  # from whoever ran by `new_wait`\n                break\n",
        "",
        IN_NODE,
    ),
    one(
        "tab: the simple queue of the standard library",
        INSTALL,
        '{"SimpleQueue": SimpleQueue}',
        '{"SimpleQueue": queue._PySimpleQueue}',
        IN_NODE,
    ),
    one("tab: start waits for its thread", THREADS, "        thread._started.set()", "        pass", IN_NODE),
    one("tab: locals in C", INSTALL, '            "local": _threading_local.local,\n', "", IN_NODE),
    one(
        "tab: a wait that was given up is handed the lock",
        LOCKS,
        "            if ring(waiting.popleft()):\n                return\n",
        "            ring(waiting.popleft())\n            return\n",
        IN_NODE,
    ),
)
