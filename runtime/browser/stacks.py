"""Stacks: how the one thread of a tab runs several, and who of them runs. Knows no locks and no threads.

Python in a tab can put a call aside and go on with another one, by JavaScript promise integration: `run_sync(promise)`
returns when the promise is settled, and whatever else the page has to do is done meanwhile. So each thread is a stack,
and a wait is one promise. Nobody is preempted: a stack runs until it waits, or gives way.

*Who runs is put aside by us.* Pyodide keeps frames, errors being handled, context variables and the running task of
asyncio for each stack. It does not keep what C keeps for each thread: the thread's number, thread locals, the running
event loop. So around each wait `Running` puts these away, and whoever comes from the page meanwhile is the main thread.

*A wake-up goes through the event loop.* A settled promise of JavaScript goes on before anything else of the page: two
stacks that wake each other would keep messages, timers and its painting out for ever. Pyodide makes a future of each
promise, and what follows a future is a task of the page. Who does not wait for long gives way himself, every 8 ms.

*Every 8 ms the page has a turn to itself.* Pyodide posts a message for each such task, and the first one that comes
does all tasks that are there: messages are left over, which others stand behind, as those of timers do. While somebody
is always at work they only get more, and after minutes the page would wait for minutes. So who is to go on after 8 ms
goes on behind all that has been posted until then, and so does everybody after him: until then nobody posts.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Callable
from itertools import count
from time import monotonic
from typing import Any, Final

from pyodide.code import run_js
from pyodide.ffi import can_run_sync, create_proxy, run_sync
from pyodide.webloop import WebLoop

from runtime.browser.collector import tidy

SLICE_S: Final = 0.008
"""For how long one works until the page has its turn."""
PATIENCE_S: Final = 0.02  # for how long a stack may run until a `with lock:` gives way
LONGEST_MS: Final = 2**31 - 1  # that a timer of JavaScript takes
MAIN: Final = get_ident()
"""The number of the main thread, whose stacks are all that the page begins."""

_JS: Final = """((sliceMs) => {
  const waits = new Map();
  const counts = {parks: 0, breaths: 0, starts: 0};
  const held = [];  // who goes on when the page has had its turn
  let turnAt = performance.now();
  const turn = () => {
    turnAt = performance.now();
    for (const goOn of held.splice(0)) goOn();
  };
  let behindAll = globalThis.setImmediate;
  if (behindAll === undefined) {
    const {port1, port2} = new MessageChannel();
    port1.onmessage = turn;
    behindAll = () => port2.postMessage(0);
  }
  const hold = (goOn) => { if (held.push(goOn) === 1) behindAll(turn); };
  const soon = (goOn) => { if (held.length || performance.now() - turnAt > sliceMs) hold(goOn); else goOn(); };
  return {
    counts,
    park(id, ms) {
      counts.parks += 1;
      return new Promise((resolve) => {
        const timer = ms < 0 ? 0 : setTimeout(() => { waits.delete(id); soon(() => resolve(false)); }, ms);
        waits.set(id, {resolve, timer});
      });
    },
    ring(id) {
      const wait = waits.get(id);
      if (wait === undefined) return false;
      waits.delete(id);
      if (wait.timer) clearTimeout(wait.timer);
      soon(() => wait.resolve(true));
      return true;
    },
    start(run) {
      counts.starts += 1;
      run.callPromising().catch((error) => console.error("thread", String(error))).finally(() => run.destroy());
    },
    breathe() { counts.breaths += 1; return new Promise((resolve) => hold(() => resolve(true))); },
  };
})"""

_page: Final = run_js(_JS)(1000 * SLICE_S)
_ids: Final = count(1)
counts: Final = _page.counts
"""How many waits there were, how often somebody has given way, how many stacks were started."""


class Running:
    """Which thread runs now. There is one of it, and each stack finds in it what it has put there."""

    __slots__ = ("_hooks_of_page", "_locks", "_since_s", "ident", "loop_of_page")

    def __init__(self) -> None:
        self.ident = MAIN
        self._locks = 0  # how many `with` blocks of locks the running stack is in
        self._since_s = monotonic()  # since when the page has had no turn from this stack
        self.loop_of_page = _get_running_loop()
        self._hooks_of_page = sys.get_asyncgen_hooks()  # for generators of its loop

    def wait_for(self, promise: Callable[..., Any], *given: Any) -> Any:
        """What `promise(*given)` comes to; all else goes on meanwhile. Raises NotInBrowser where that cannot be.

        It is called as the page would: a promise belongs to the event loop that runs when Python first sees it.
        """
        if not can_run_sync():
            from runtime.errors import NotInBrowser  # noqa: PLC0415

            raise NotInBrowser(
                "this would have to wait, and it was called by JavaScript, which cannot: call it from a cell, or start "
                "a thread that does"
            )
        ident, locks, loop = self.ident, self._locks, _get_running_loop()
        hooks = None if loop is self.loop_of_page else sys.get_asyncgen_hooks()
        self._go_to_page()
        try:
            return run_sync(promise(*given))
        finally:
            self.ident, self._locks, self._since_s = ident, locks, monotonic()
            _set_running_loop(loop)
            if hooks is not None:
                sys.set_asyncgen_hooks(*hooks)

    def begin(self, ident: int) -> None:
        """A stack of its own begins to run that thread."""
        self._hooks_of_page = sys.get_asyncgen_hooks()
        self.ident, self._locks, self._since_s = ident, 0, monotonic()
        _set_running_loop(None)
        sys.set_asyncgen_hooks(None, None)

    def end(self) -> None:
        """It ends, and returns to the page."""
        self._go_to_page()

    def _go_to_page(self) -> None:
        """Whoever comes next comes from the page."""
        if self.ident != MAIN:
            sys.set_asyncgen_hooks(*self._hooks_of_page)
        self.ident, self._locks = MAIN, 0
        _set_running_loop(self.loop_of_page)

    def enter(self) -> None:
        """A `with lock:` has begun."""
        self._locks += 1

    def leave(self) -> None:
        """It is over."""
        self._locks -= 1

    def give_way(self, after_s: float = PATIENCE_S) -> None:
        """Let all others go on, and the page, if this stack has run for so long and holds no lock.

        One that holds a lock does not: what the page begins then could need that lock, and cannot always wait.
        """
        if not self._locks and monotonic() - self._since_s > after_s and can_run_sync():
            tidy()
            self.wait_for(_page.breathe)


RUNNING: Final = Running()


def new_wait() -> int:
    """A number by which somebody can be woken who is about to wait.

    Garbage is collected before, and its finalizers may do anything, also wait: so ask for it first, then look whether
    there is anything to wait for, and say that you wait by it.
    """
    tidy()
    return next(_ids)


def park(wait: int, timeout_s: float = -1) -> bool:
    """Wait until it is rung, for `timeout_s` at most, below zero for ever. False: nobody has."""
    woken: bool = RUNNING.wait_for(_page.park, wait, -1 if timeout_s < 0 else min(timeout_s * 1000, LONGEST_MS))
    return woken


def ring(wait: int) -> bool:
    """Wake who waits for it. False: nobody does, or not any more."""
    rung: bool = _page.ring(wait)
    return rung


def breathe() -> None:
    """Let all others go on, and the page."""
    tidy()
    RUNNING.wait_for(_page.breathe)


def run_sync_here(awaitable: Any) -> Any:
    """As `pyodide.ffi.run_sync`, for threads too. Raises NotInBrowser inside of a function that waits by itself."""
    loop = _get_running_loop()
    if loop is not None and not isinstance(loop, WebLoop):  # which the page drives
        from runtime.errors import NotInBrowser  # noqa: PLC0415

        raise NotInBrowser("run_sync would wait for the event loop in which it was called: await it instead")
    tidy()
    return RUNNING.wait_for(_same, awaitable)


def _same(awaitable: Any) -> Any:
    return awaitable


def start(run: Any) -> None:
    """Call it soon, on a stack of its own."""
    _page.start(create_proxy(run))
