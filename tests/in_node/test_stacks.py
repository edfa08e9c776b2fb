"""Threads in a tab are stacks that are put away: each trap of that, as told in runtime/browser."""

from __future__ import annotations

import _thread
import asyncio
import gc
import itertools
import queue
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType
from typing import Any

import pytest
from pyodide.code import run_js
from pyodide.ffi import create_proxy, run_sync

import runtime
from runtime.browser import install, stacks
from runtime.browser.collector import YOUNG
from runtime.browser.stacks import RUNNING, _page, counts
from runtime.errors import NotInBrowser
from runtime.testing import PATIENCE_S, explore

later = run_js("(value, ms) => new Promise((resolve) => setTimeout(() => resolve(value), ms))")
call_from_page = run_js("(f) => new Promise((resolve) => setTimeout(() => resolve(f()), 0))")


def all_of(*works: Callable[[], object]) -> None:
    """Run each on a thread, and wait for all."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    bound_s = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.join(max(0, bound_s - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads)


# ── who runs ──


def test_each_thread_has_its_own_number_and_locals_whoever_has_waited_meanwhile() -> None:
    local, seen = threading.local(), []

    def work(name: str) -> None:
        local.name = name
        ident = threading.get_ident()
        for _ in range(5):
            time.sleep(0.001)
            assert (local.name, threading.get_ident()) == (name, ident)
        assert threading.current_thread().ident == ident
        seen.append(ident)

    all_of(*(lambda name=name: work(name) for name in "abc"))
    assert len(set(seen)) == 3
    assert threading.get_ident() == threading.main_thread().ident
    assert not hasattr(local, "name")


def test_what_a_thread_has_in_locals_goes_with_it_though_that_holds_the_thread() -> None:
    class Kept:
        pass

    local, gone = threading.local(), []

    def work() -> None:
        local.kept = Kept()
        local.kept.thread = threading.current_thread()
        gone.append(weakref.ref(local.kept))

    all_of(work)
    _thread.start_new_thread(work, ())
    time.sleep(0.01)
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_a_session_that_has_run_and_nobody_holds_is_gone_with_all_that_it_had() -> None:
    def run() -> list[Any]:
        session = runtime.Session("gone")
        session.source([1]).map(abs).collect()
        session.run(PATIENCE_S)
        dispatcher = session._runs.started().dispatcher
        return [weakref.ref(each) for each in (session, dispatcher, *dispatcher.tasks.values())]

    parts = run()
    time.sleep(0.01)
    gc.collect()
    assert [part() for part in parts] == [None] * len(parts)


def test_who_waits_in_a_loop_of_his_own_leaves_that_of_the_page_running() -> None:
    page = asyncio.get_running_loop()
    seen: list[Any] = []

    def promise() -> Any:
        seen.append(asyncio._get_running_loop())
        asyncio._set_running_loop(page)  # were it another one, nobody would go on, and no test say so
        return later(7, 5)

    async def wait() -> None:
        mine = asyncio.get_running_loop()
        assert RUNNING.wait_for(promise) == 7
        assert asyncio.get_running_loop() is mine

    def work() -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(wait())

    all_of(work)
    assert seen == [page]


def test_an_event_loop_of_a_thread_is_the_running_one_of_that_thread_alone() -> None:
    page = asyncio.get_running_loop()
    seen: list[Any] = []

    async def wait() -> None:
        time.sleep(0.01)
        await asyncio.sleep(0.01)
        seen.append(asyncio.get_running_loop())

    def work() -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(wait())
            assert seen[-1] is runner.get_loop()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.001)
        assert asyncio.get_running_loop() is page
    assert len({*map(id, seen)}) == 2


def test_what_is_awaited_of_javascript_wakes_the_loop_that_awaits_it() -> None:
    async def wait() -> int:
        value: int = await later(7, 5)
        return value

    def work() -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            assert runner.run(wait()) == 7

    all_of(work, work)


def test_to_wait_for_javascript_inside_of_a_function_that_waits_is_refused_by_name() -> None:
    async def wait() -> None:
        with pytest.raises(NotInBrowser, match="await it instead"):
            run_sync(later(7, 5))

    def work() -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(wait())
        assert run_sync(later(8, 5)) == 8

    all_of(work)


def test_a_socket_in_an_event_loop_is_refused_by_name() -> None:
    loop = asyncio.SelectorEventLoop()
    with pytest.raises(NotInBrowser, match="pyfetch"):
        loop.add_reader(0, print)
    loop.close()


def test_what_the_page_calls_while_a_thread_waits_is_of_the_main_thread() -> None:
    seen: list[Any] = []
    page = asyncio.get_running_loop()
    bell = threading.Event()

    def work() -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(wait())

    async def wait() -> None:
        proxy = create_proxy(lambda: seen.append((threading.get_ident(), asyncio.get_running_loop())))
        soon = run_js("(f) => { setTimeout(f, 0); }")
        soon(proxy)
        assert not bell.wait(0.02)
        proxy.destroy()

    all_of(work)
    assert seen == [(threading.main_thread().ident, page)]


# ── the page has its turn ──


MANY = 300_000
"""Packets, which take so long that the page has had its turn often enough before they are over."""


@pytest.mark.parametrize("chaining", [True, False])
def test_a_job_at_full_speed_lets_the_page_have_its_turn(chaining: bool) -> None:
    turns = run_js("(() => { const t = {count: 0}; t.timer = setInterval(() => t.count += 1, 1); return t; })()")
    had: list[int] = []

    def numbers() -> Iterator[int]:
        yield from itertools.takewhile(lambda _: turns.count < 10, range(MANY))
        had.append(turns.count)

    with runtime.Session("busy", chaining=chaining) as session:
        never = session.source(numbers, name="numbers").filter(lambda _: False, name="none", capacity=2 * MANY)
        never.sink(print, name="sink")
        session.run(PATIENCE_S)
    run_js("(had) => clearInterval(had.timer)")(turns)
    assert had[0] >= 10


def test_the_results_of_one_packet_let_the_page_have_its_turn() -> None:
    with runtime.Session("many") as session:
        session.source([1]).flat_map(lambda _: iter(range(10 * MANY))).sink(bool)
        session.start()
        time.sleep(0.05)
        session.cancel()
        assert session.wait(PATIENCE_S).state == "cancelled"


def test_attempts_without_a_back_off_let_the_page_have_its_turn() -> None:
    with runtime.Session("fails") as session:
        session.source([0]).map(lambda value: 1 // value, on_error=runtime.Retry(MANY)).sink(bool)
        session.start()
        time.sleep(0.05)
        session.cancel()
        assert session.wait(PATIENCE_S).state == "cancelled"


def test_a_task_that_is_resumed_comes_through_its_gate_though_another_fails_again_at_once() -> None:
    def fails(value: int) -> int:
        raise ValueError(value)

    with runtime.Session("held", chaining=False) as session:
        session.source([0], name="bad").map(fails, name="fails", on_error="hold").collect()
        seen = session.source(range(5), name="good").map(abs, name="works").collect()
        session.start()
        for _ in range(20):
            with pytest.raises(runtime.JobHeld):
                session.wait(PATIENCE_S)
            session.resume()
        assert list(seen) == list(range(5))
        session.cancel()


def test_two_threads_that_wake_each_other_for_ever_let_the_page_have_its_turn() -> None:
    there, back = threading.Lock(), threading.Lock()
    there.acquire()
    back.acquire()
    is_over: list[bool] = []

    def work(mine: Any, other: Any) -> None:
        while not is_over:
            other.release()
            mine.acquire()
        if other.locked():
            other.release()

    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in ((there, back), (back, there))]
    for thread in threads:
        thread.start()
    asked = run_js("(f) => { setTimeout(f, 0); setTimeout(f, 1); }")
    proxy = create_proxy(lambda: is_over.append(True))
    asked(proxy)
    bound_s = time.monotonic() + PATIENCE_S
    while not is_over and time.monotonic() < bound_s:
        back.acquire(True, 0.01)
        if back.locked():
            back.release()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert is_over
    proxy.destroy()


def test_a_loop_that_only_looks_under_a_lock_sees_what_others_bring() -> None:
    brought: list[int] = []
    lock = threading.Lock()
    all_of(lambda: _look(lock, brought), lambda: brought.append(1))


def _look(lock: Any, brought: list[int]) -> None:
    bound_s = time.monotonic() + PATIENCE_S
    while not brought:
        with lock:
            assert time.monotonic() < bound_s


def test_nobody_gives_way_while_he_holds_another_lock() -> None:
    seen: list[str] = []
    outer, inner = threading.Lock(), threading.Lock()

    def work() -> None:
        with outer:
            until_s = time.monotonic() + 0.1
            while time.monotonic() < until_s:
                with inner:
                    assert not seen
        seen.append("after")

    def look() -> None:
        seen.append("first" if outer.locked() else "second")

    all_of(work, look)
    assert seen == ["after", "second"]


@pytest.mark.parametrize("seed", [None, 3])
def test_a_session_runs_is_stepped_calls_a_service_and_waits_for_calls(seed: int | None) -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(0.001)
        return 2 * number

    with runtime.Session("all", seed=seed) as session:
        session.service("clock", _Clock)
        doubled = session.source(range(20), name="numbers").map(double, name="double", concurrency=4)
        result = doubled.map(_Ask(), name="ask").collect()
        session.start(paused=True)
        assert session.step("numbers").result == "done"
        session.resume()
        assert session.wait(PATIENCE_S).state == "completed"
    assert list(result) == [2 * number + 1 for number in range(20)]


class _Clock:
    def process(self, number: int) -> int:
        return number + 1


class _Ask(runtime.Function[int, int]):
    def process(self, number: int) -> Any:
        return self.ctx.call_service("clock", number)


def test_what_needs_processes_is_refused_by_name() -> None:
    with pytest.raises(NotInBrowser, match="use platform='local'"):
        runtime.Session("far", platform="remote").start()


def test_a_profile_needs_a_thread_that_looks_while_others_work_and_is_refused_by_name() -> None:
    with runtime.Session("looked at") as session:
        session.source([1]).map(abs, name="it").sink(bool)
        session.start()
        with pytest.raises(runtime.CommandRefused, match="a browser has none to spare"):
            session.profile("it")


# ── locks ──


def test_a_lock_is_handed_over_to_who_came_first() -> None:
    lock, order = threading.Lock(), []
    lock.acquire()

    def work(name: int) -> None:
        with lock:
            order.append(name)

    threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in range(4)]
    for thread in threads:
        thread.start()
        time.sleep(0)
    lock.release()
    assert lock.locked()
    assert not lock.acquire(False)
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == [0, 1, 2, 3]
    assert not lock.locked()


def test_who_waits_no_longer_is_handed_nothing() -> None:
    lock = threading.Lock()
    lock.acquire()
    assert not lock.acquire(True, 0.001)
    all_of(lambda: lock.acquire(True, 0.001))
    lock.release()
    assert not lock.locked()
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        lock.release()


def test_who_is_passed_over_since_his_time_is_over_has_not_got_it() -> None:
    lock, released, got = threading.Lock(), threading.Event(), []
    lock.acquire()
    thread = threading.Thread(target=lambda: got.append(lock.acquire(True, 0.05)), daemon=True)
    thread.start()
    time.sleep(0.001)

    def release() -> None:
        lock.release()
        released.set()

    proxy = create_proxy(release)
    run_js("(f) => { setTimeout(f, 50); }")(proxy)
    spin(0.1)  # so that both are due: one timer ends the wait, the next sets it free, before the thread goes on
    thread.join(PATIENCE_S)
    assert released.wait(PATIENCE_S)
    assert (got, lock.locked()) == ([False], False)
    proxy.destroy()


def spin(seconds: float) -> None:
    """Let nobody else go on."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        pass


class Knot:
    """Garbage that its collector alone finds, and finalizes so."""

    def __init__(self, finalize: Callable[[], object] = bool) -> None:
        self.me = self
        self.finalize = finalize

    def __del__(self) -> None:
        self.finalize()


def make_garbage(finalize: Callable[[], object]) -> list[Any]:
    """Which the next wait collects, since so much else has been made, which is held."""
    gc.collect()
    Knot(finalize)
    return [[] for _ in range(2 * YOUNG)]


@pytest.mark.parametrize("by", ["the finalizer", "another thread"])
def test_what_is_set_free_while_garbage_is_collected_before_a_wait_is_not_waited_for(by: str) -> None:
    lock, bell = threading.Lock(), threading.Lock()
    lock.acquire()
    bell.acquire()

    def release_when_asked() -> None:
        bell.acquire()
        lock.release()

    def ask() -> None:
        bell.release()
        time.sleep(0.01)

    if by == "another thread":
        threading.Thread(target=release_when_asked, daemon=True).start()
        time.sleep(0.001)
    kept = make_garbage(ask if by == "another thread" else lock.release)
    assert lock.acquire(True, PATIENCE_S)
    assert len(kept) == 2 * YOUNG
    assert lock.locked()


def test_under_every_seed_nothing_is_lost_though_finalizers_let_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7).random
    finalizing: list[bool] = []

    def tidy() -> None:
        if not finalizing and chance() < 0.05:
            finalizing.append(True)
            RUNNING.wait_for(_page.breathe)
            finalizing.clear()

    def build(session: runtime.Session) -> Any:
        session.service("clock", _Clock)
        numbers = session.source(range(8), name="numbers").map(abs, parallelism=2, capacity=2)
        return session.source(range(8), name="others").map(_Ask(), name="ask").union(numbers).collect()

    def check(session: runtime.Session, result: Any) -> bool:
        return sorted(result) == sorted([*range(8), *range(1, 9)])

    monkeypatch.setattr(stacks, "tidy", tidy)
    assert explore(build, check, 20) is None


def test_what_a_finalizer_puts_into_a_queue_before_a_wait_is_got() -> None:
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    lock = threading.Lock()
    with lock:  # so that it does not give way before it looks
        kept = make_garbage(lambda: simple.put(7))
        waits = counts.parks
        assert (simple.get(timeout=PATIENCE_S), counts.parks) == (7, waits)
    assert len(kept) == 2 * YOUNG


def test_who_puts_something_into_a_queue_neither_waits_nor_gives_way() -> None:
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(simple.get()), daemon=True)
    thread.start()
    time.sleep(0.001)
    spin(0.05)
    for value in range(100):
        simple.put(value)
    assert not seen
    proxy = create_proxy(lambda: simple.put(100))
    run_sync(call_from_page(proxy))  # a handler, which cannot wait
    thread.join(PATIENCE_S)
    assert (seen, simple.qsize()) == ([0], 100)
    proxy.destroy()


def test_a_queue_gives_what_came_first_to_who_came_first_or_says_that_it_is_empty() -> None:
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    with pytest.raises(queue.Empty):
        simple.get(timeout=0.001)
    with pytest.raises(queue.Empty):
        simple.get_nowait()
    with pytest.raises(ValueError, match="non-negative"):
        simple.get(timeout=-1)
    got: list[tuple[int, int]] = []
    threads = [
        threading.Thread(target=lambda number=number: got.append((number, simple.get())), daemon=True)
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.001)
    for value in range(4):
        simple.put_nowait(value)
    for thread in threads:
        thread.join(PATIENCE_S)
    assert got == [(0, 0), (1, 1), (2, 2)]
    assert (simple.qsize(), simple.empty(), simple.get(), simple.empty()) == (1, False, 3, True)


def test_rlocks_conditions_events_queues_and_futures_work_between_threads() -> None:
    rlock, condition, event = threading.RLock(), threading.Condition(), threading.Event()
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    seen: list[int] = []

    def bring() -> None:
        with rlock, rlock:
            time.sleep(0.001)
        event.set()
        with condition:
            seen.append(1)
            condition.notify()
        simple.put(2)

    def take() -> None:
        assert event.wait(PATIENCE_S)
        with condition:
            assert condition.wait_for(lambda: bool(seen), PATIENCE_S)
        with rlock:
            seen.append(simple.get(timeout=PATIENCE_S))

    all_of(take, bring)
    assert seen == [1, 2]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(abs, [-1, -2, -3])) == [1, 2, 3]


# ── what the page calls ──


def test_a_thread_can_be_started_by_a_message_whose_handler_cannot_wait() -> None:
    ran = threading.Event()
    thread = threading.Thread(target=ran.set, daemon=True)
    proxy = create_proxy(thread.start)
    run_sync(call_from_page(proxy))
    assert ran.wait(PATIENCE_S)
    proxy.destroy()


def test_a_handler_that_would_have_to_wait_is_refused_by_name() -> None:
    lock, said = threading.Lock(), []
    lock.acquire()

    def handle() -> None:
        try:
            lock.acquire()
        except NotInBrowser as error:
            said.append(str(error))

    proxy = create_proxy(handle)
    run_sync(call_from_page(proxy))
    assert "cannot: call it from a cell" in said[0]
    proxy.destroy()


# ── what is ours ──


def test_garbage_is_collected_though_the_collector_of_python_is_off() -> None:
    gc.collect()
    for _ in range(20):
        knots = [Knot() for _ in range(YOUNG)]
        del knots
        time.sleep(0)
    assert sum(type(each) is Knot for each in gc.get_objects()) <= 2 * YOUNG


def test_waiting_stacks_survive_collections_made_beside_them() -> None:
    bell = threading.Event()

    class Nested:
        """Its `repr` has a frame of C for each level."""

        def __init__(self, depth: int) -> None:
            self.depth = depth

        def __repr__(self) -> str:
            if self.depth:
                return repr(Nested(self.depth - 1))
            bell.wait(PATIENCE_S)
            return "x"

    threads = [threading.Thread(target=repr, args=(Nested(3 * number % 17),), daemon=True) for number in range(30)]
    gc.enable()
    for thread in threads:
        thread.start()
        time.sleep(0)
        gc.collect(1)
        junk: list[Any] = [[] for _ in range(2 * YOUNG)]
        for each in junk:
            each.append(each)
        del junk, each
    bell.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)


def test_whoever_turns_the_collector_off_and_on_turns_on_ours_and_not_the_one_that_kills() -> None:
    assert gc.isenabled()
    gc.disable()
    junk: list[Any] = [[] for _ in range(2 * YOUNG)]
    made = gc.get_count()[0]
    assert made > YOUNG
    time.sleep(0)
    assert not gc.isenabled()
    assert gc.get_count()[0] >= made
    gc.enable()
    assert gc.isenabled()
    time.sleep(0)
    assert gc.get_count()[0] < YOUNG
    more: list[Any] = [[] for _ in range(10 * YOUNG)]
    assert gc.get_count()[0] > 9 * YOUNG  # Python's own is still off
    gc.collect(1)
    assert gc.get_count() == (0, 0, 0)
    with pytest.raises(ValueError, match="invalid generation"):
        gc.collect(3)
    del junk, more


def test_without_promise_integration_one_sentence_says_which_browsers_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "CAN_SWITCH", "false")
    with pytest.raises(NotInBrowser, match="Chrome and Edge from 137 on"):
        install.install()


def test_to_install_it_again_changes_nothing() -> None:
    lock = threading.Lock
    install.install()
    assert threading.Lock is lock
    assert counts.starts > 0
    assert issubclass(runtime.NotInBrowser, RuntimeError)


def test_no_module_of_the_runtime_has_taken_what_was_replaced() -> None:
    def is_replaced(value: Any) -> bool:
        if isinstance(value, BuiltinFunctionType):
            home = value.__self__
            return home in (_thread, time) and vars(home)[value.__name__] is not value
        return type(value).__module__ == "_thread" or (isinstance(value, type) and value.__module__ == "_thread")

    modules = [module for name, module in sys.modules.items() if name.startswith(("runtime.", "concurrent."))]
    assert len(modules) > 100
    taken = [
        (module.__name__, name) for module in modules for name, value in vars(module).items() if is_replaced(value)
    ]
    assert taken == [("runtime.browser.stacks", "get_ident")]  # which asks who the main thread is


def test_asyncio_run_and_the_loop_of_a_thread_are_its_own_and_the_page_keeps_its_one() -> None:
    page = asyncio.get_running_loop()

    async def wait() -> Any:
        await asyncio.sleep(0.001)
        return asyncio.get_running_loop()

    def work() -> None:
        assert asyncio.run(wait()) is not page
        assert asyncio.get_event_loop() is page
        mine = asyncio.new_event_loop()
        asyncio.set_event_loop(mine)
        assert asyncio.get_event_loop() is mine
        assert mine.run_until_complete(wait()) is mine
        mine.close()

    all_of(work, work)
    assert asyncio.get_event_loop() is page
    other = asyncio.new_event_loop()
    assert asyncio.get_running_loop() is page
    assert other.run_until_complete(wait()) is not None
    other.close()


# ── whoever looks ──


def looks() -> dict[str, Callable[[runtime.Session, Any], bool]]:
    """What a cell may look at until something has come."""
    return {
        "snapshot": lambda session, result: session.snapshot()["double"].processed == 3,
        "peek": lambda session, result: session.peek("in").depth == 0,
        "status": lambda session, result: session.status == "completed",
        "outcome": lambda session, result: session.outcome is not None,
        "events": lambda session, result: any(event.kind == "end" for event in session.events),
        "result": lambda session, result: len(result) == 3,
        "equal": lambda session, result: result == [2, 4, 6],
        "total": lambda session, result: result.total == 3,
        "kept result": lambda session, result: list(result) == [2, 4, 6],
    }


@pytest.mark.parametrize("look", looks())
def test_whoever_only_looks_sees_what_comes(look: str) -> None:
    is_there = looks()[look]
    with runtime.Session("seen") as session:
        result = session.input("in").map(lambda value: 2 * value, name="double").collect()
        session.start()
        for value in (1, 2, 3):
            session.send("in", value)
        session.end("in")
        bound_s = time.monotonic() + PATIENCE_S
        while not is_there(session, result):
            assert time.monotonic() < bound_s


def test_whoever_looks_at_letters_taps_breakpoints_and_events_sees_what_comes() -> None:
    bound_s = time.monotonic() + PATIENCE_S

    def until(is_there: Callable[[], object]) -> None:
        while not is_there():
            assert time.monotonic() < bound_s

    with runtime.Session("seen", on_error="skip") as session:
        session.input("in").map(lambda value: 1 // value, name="divide").collect()
        session.start()
        with session.tap("divide") as tap:
            session.send("in", 0)
            until(lambda: session.dead_letters.total)
            letters = session.dead_letters
            session.send("in", 0)
            until(lambda: len(letters) == 2)
            point = session.breakpoint("divide")
            until(lambda: tap.steps)
            session.send("in", 7)
            until(lambda: point.hits)
        session.cancel()


class UntilStopped(runtime.SourceFunction[int]):
    def run(self) -> Any:
        for _ in range(10 * MANY):
            if self.ctx.stopping.is_set():
                yield 1
                return


def test_a_source_that_only_looks_whether_it_is_to_stop_lets_others_go_on() -> None:
    with runtime.Session("until") as session:
        result = session.source(UntilStopped()).collect()
        session.start()
        time.sleep(0.05)
        session.stop()
        assert session.wait(PATIENCE_S).state == "stopped"
    assert list(result) == [1]
