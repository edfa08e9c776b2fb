"""LocalTask: a task that threads of this process work: one of its own, or that of the chain in which it is.

While its chain is closed it shares the worker of the chain. When that is opened it gets a worker of its own, with what
it had not finished of its packet (`Rest`).
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime.communication.calls import here
from runtime.communication.lane import Lane
from runtime.communication.partition import Partition
from runtime.communication.signals import Signal
from runtime.context import TaskContext
from runtime.errors import NO_PACKET, Unneeded
from runtime.facts import Past
from runtime.operators import Function, Operator, Reduce, Source, SourceFunction
from runtime.python.stacks import Stack, stack_of
from runtime.scheduling.parker import Parker, Ready
from runtime.scheduling.stopwatch import ThreadClock
from runtime.scheduling.wake_source import News
from runtime.scheduling.worker import Served, Worker
from runtime.task.base_task import BaseTask, TaskReporter
from runtime.task.feed import LaneFeed
from runtime.task.first_call import FirstCall
from runtime.task.policy_operator import LaneGuard, PolicyOperator

if TYPE_CHECKING:
    from runtime.chain.chain import Chain


class Rest(NamedTuple):
    """What of a packet is still to be sent: it was taken, one result was made, and others have still to be drawn."""

    value: Any
    result: Any
    """`NO_PACKET`: all consumers have what was made."""
    given: int
    """How many of the task's ways it was sent."""
    key: Any
    """Of the result, for the next way; `NO_PACKET` if that was not asked for."""
    results: Iterator[Any]


class LocalTask(BaseTask):
    """A task with a worker: a thread of this process, of its own or its chain's."""

    def __init__(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter, parker: Parker) -> None:
        super().__init__(ctx, operator, reporter, parker)
        self.chain: Chain | None = None  # in which it is; set before the start
        self._worker: Worker | None = None
        self._context = contextvars.copy_context()  # of who makes it: each of its threads begins with that
        self._first_call = FirstCall(self._context)
        self._is_called_away = False
        # Written by who starts a thread for it, read on that thread: what it does first, or ends with.
        self._rest: Rest | None = None
        self._failure: BaseException | None = None

    # ── what it is ──

    @property
    def _inner(self) -> Operator:
        return self.operator.inner if isinstance(self.operator, PolicyOperator) else self.operator

    @property
    def inline(self) -> tuple[str, ...]:
        """How it is worked in the loop of a chain; of a source, which is drawn from there, nothing."""
        return self._inner.inline

    @property
    def is_source(self) -> bool:
        """Whether it draws its packets."""
        return self._inbox is None

    @property
    def is_keyed(self) -> bool:
        """Whether its packets have keys."""
        return self.ctx.wiring.format.keyed

    @property
    def takes_pairs(self) -> bool:
        """Whether what it takes from its queue are pairs of a key and a value."""
        return self.is_keyed and self._inner.wants_keys

    @property
    def sets_key(self) -> bool:
        """Whether somebody may ask its context for the key of the packet in work."""
        return self.is_keyed and (self._inner.has_context or self.skips)

    @property
    def skips(self) -> bool:
        """Whether packets that its function raises for are skipped."""
        return isinstance(self.operator, PolicyOperator)

    @property
    def keeps_thread(self) -> bool:
        """Whether the user's code has to run on one thread from its beginning to its end."""
        if self.ctx.wiring.node.chained:
            return False
        operator = self._inner
        if isinstance(operator, Source):
            return operator.keeps_thread
        function = operator.function
        return isinstance(function, Function | SourceFunction) and type(function).open is not Function.open

    @property
    def may_change_threads(self) -> bool:
        """Whether it has a chain, and does not keep to one thread there."""
        return self.chain is not None and not self.keeps_thread

    @property
    def has_last_words(self) -> bool:
        """Whether it may send something, or wait, when its input has ended."""
        return self._inner.has_context or isinstance(self._inner, Reduce)

    @property
    def is_end(self) -> bool:
        """Whether none of its packets has results."""
        return self._inner.is_end or self._inner.sends_at_end

    @property
    def may_be_chained(self) -> bool:
        """Whether it can be worked in the same loop as others."""
        wiring, operator = self.ctx.wiring, self.operator
        if isinstance(operator, PolicyOperator):
            if not (isinstance(operator, LaneGuard) and operator.skips_in_loop):
                return False
            operator = operator.inner
        return (
            (operator.is_inlined() or type(operator) is Source)
            and wiring.node.chained is not False
            and not wiring.format.traced
            and not wiring.format.asked
            and wiring.allowance is None
            and (isinstance(operator, Source) or not self.keeps_thread)
            and type(operator).wake_sources is Operator.wake_sources
        )

    @property
    def idles(self) -> bool:
        """Whether what it draws may be `IDLE`."""
        return self.is_source and type(self.operator.function) is not range

    @property
    def loop_counts(self) -> bool:
        """Whether its iterator cannot say how far it has come."""
        return isinstance(self.operator, Source) and not self.operator.says_position

    def hear_context(self, operator: Operator) -> None:
        """The function of `operator` can reach the context from now on; no loop works it any more that could not."""
        super().hear_context(operator)
        if self.chain is not None and not self.may_be_chained:
            self.chain.give_up()

    def apart_for(self) -> str:
        """Why it wants a thread of its own, if it does."""
        gate = self.gate
        if self.chain is not None and not self.may_be_chained:
            return f"{self.name!r} skips packets, and its new function may send by itself"
        if self._first_call.has_set_context:
            return f"{self.name!r} has set context variables, or how decimals are computed, for its thread"
        if gate.closed:
            return f"{self.name!r} is paused"
        if gate.attentive:
            return f"{self.name!r} has a tap or a breakpoint"
        return ""

    # ── its threads ──

    def be_in(self, chain: Chain) -> None:
        """Before the start: be worked with others, as long as nobody wants something of it."""
        self.chain = chain
        if isinstance(self._feed, LaneFeed):
            self._feed.wait_also_for(News(self.is_called_away))

    @property
    def worker(self) -> Worker | None:
        """What works it."""
        return self._worker

    def start(self) -> None:
        """Let it run: with its chain, or on a thread of its own."""
        if self.chain is None:
            self.go_alone()
        else:
            self.chain.start(self)

    def work_with(self, worker: Worker) -> None:
        """From now on `worker` is the one that works it."""
        self._worker = worker

    def take_worker(self, served: Served) -> Worker:
        """Let what works it serve `served` from now on: it alone, or its chain."""
        assert self._worker is not None, "it has begun"
        self._worker.turn_to(served, self.thread_name)
        return self._worker

    @property
    def thread_name(self) -> str:
        """Of the thread that works it, or the chain of which it is the head."""
        return f"{self.ctx.job}/{self.name}"

    def go_alone(self, rest: Rest | None = None, failure: BaseException | None = None) -> None:
        """Work by itself from now on, on a new thread: `rest` first, or end with `failure`."""
        self._rest, self._failure = rest, failure
        worker = Worker(self.thread_name, self, self.parker, self._context.copy())
        worker.expect()
        self._worker = worker
        worker.start()

    def revive(self) -> None:
        """The same, on a new thread."""
        super().revive()
        self.go_alone()

    def is_current(self) -> bool:
        """Whether the caller runs its code."""
        worker = self._worker
        return worker is not None and worker.is_current() and (self.parker.chain is None or self._is_at_work())

    def _is_at_work(self) -> bool:
        return self.chain is not None and self.chain.current() is self

    def stacks(self) -> list[Stack | None]:
        """Where its thread is in its code now."""
        worker = self._worker
        if worker is None or self.parker.stopwatch.waits:
            return [None]
        if self.parker.chain is not None and not self._is_at_work():
            return [None]
        return [stack_of(worker.ident)]

    def past(self) -> Past:
        """How it stood with its times when; of a chain's, its part of what its thread has worked."""
        if (chain := self.chain) is not None:
            chain.divide_time()
        return super().past()

    def has_ended(self) -> bool:
        """Whether its end was reported."""
        return self.parker.doing == "ended"

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more."""
        worker = self._worker
        if worker is None:
            return True
        if self.has_ended():
            return worker.is_gone() or not worker.serves(self)
        return not self.has_begun() and worker.is_gone()

    def join(self) -> None:
        """Let the thread end as well, of one that is gone: that takes no time."""
        if self._worker is not None and self._worker.is_gone():
            self._worker.let_end()

    # ── on its own thread ──

    def go_on(self, rest: Rest | None) -> None:
        """This thread, which was the chain's, is its own from now on; `rest` comes first."""
        self._rest = rest

    def live(self, parker: Parker) -> None:
        """On a thread of its own: until it ends, or its chain takes it in."""
        failure, self._failure = self._failure, None
        follow(self, failure)

    def serve(self, failure: BaseException | None) -> bool:
        """Work by itself until its end. False: its chain has taken it in; this thread is over, or the chain's."""
        here.begin(self.parker, self.parker.monitor)
        self.ctx.begin()
        self.parker.stopwatch.work_by(ThreadClock())
        try:
            if failure is not None or self.has_begun():  # another thread has begun for it
                self.parker.begin()
            return self._worker_loop(failure)
        finally:
            self.parker.stopwatch.work_by(None)

    def has_left(self) -> bool:
        """Between two batches: whether its chain has taken it in."""
        return self.chain is not None and self.chain.takes(self)

    def resume(self) -> None:
        """Send what is left of the packet that it had in work when its chain was opened."""
        if self._rest is None:
            if self.parker.doing == "idle":  # as was said for it; let nobody see it run without a reason
                self._feed.wait()
                self.parker.go_on()
            return
        rest, self._rest = self._rest, None
        try:
            if rest.result is not NO_PACKET:
                self._router.send_on(rest.result, rest.given, rest.key)
            for result in rest.results:
                self._router.send(result)
        except Unneeded:  # the packet in work has ended
            pass
        except BaseException:
            self._packet = rest.value
            raise

    # ── on its chain's thread ──

    def work_here(self, apart: Callable[[], None]) -> None:
        """It is worked by this thread, with others; what its function sends by itself it sends after `apart`."""
        router = self._router

        def send_apart(value: Any) -> None:
            apart()
            router.send(value)

        def send_signal_apart(signal: Signal) -> None:
            apart()  # what has come this far in the loop is counted: so it stands behind all of that
            router.send_signal(signal)

        self.ctx.begin()
        self.ctx.redirect(send_apart)
        self.ctx.redirect_signals(send_signal_apart)

    @property
    def call(self) -> Callable[..., Any]:
        """What is called for each packet."""
        return self._inner.call if self._first_call.is_over else partial(self._call_first, self._call_now)

    def start_fold(self, value: Any) -> Any:
        """What is called for a packet where there is nothing to fold it into."""
        return self._inner.start(value) if self._first_call.is_over else self._call_first(self._inner.start, value)

    def _call_now(self, *values: Any) -> Any:
        return self._inner.call(*values)

    def _call_first(self, call: Callable[..., Any], *values: Any) -> Any:
        first = self._first_call
        if first.is_over:  # whoever has taken this in place of the function has not taken that yet
            return call(*values)
        try:
            return first.work(call, *values)
        finally:
            if first.has_set_context:
                assert self.chain is not None, "it is worked by one"
                self.chain.give_up()

    @property
    def folds(self) -> dict[Any, Any]:
        """What it has folded so far, by key."""
        return self._inner.folds

    def skip(self, error: BaseException, payload: Any, key: Any) -> bool:
        """Do with a packet that its function has raised for what its policy says. False: that is not for policies."""
        assert isinstance(self.operator, LaneGuard), "it skips"
        return self.operator.skip(error, payload, key)

    def key_of(self, way: int) -> Callable[[Any], Any]:
        """What gives its results the keys that they have that way."""
        key = self.ctx.wiring.outputs[way].key
        assert key is not None, "they have"
        return key

    @property
    def key_check(self) -> Callable[[Any], type | None]:
        """What refuses a key, or returns its type if all of that are keys."""
        return self._router.key_check

    @property
    def ways(self) -> list[list[Lane]]:
        """Where its results go: along each of its edges, into one of these lanes, or all."""
        return [lanes for _, lanes, _ in self._router.ways]

    @property
    def ways_in_loop(self) -> list[list[Lane]]:
        """The same of those where each result goes into one lane, by its key if there are more; of others, nothing."""
        ways = self._router.ways
        if self.is_end:
            return []
        return [lanes if len(lanes) == 1 or output.key is not None else [] for output, lanes, _ in ways]

    def partition(self, way: int) -> Partition[int]:
        """Into which lane of a way a key belongs."""
        return self._router.places[way]

    def send_by(self, way: int) -> Callable[[Any], object]:
        """How its results are sent one way."""
        return self._router.by_way[way]

    def send_on(self, result: Any, given: int, key: Any) -> None:
        """Send a result the ways that it has not gone yet, after so many."""
        self._router.send_on(result, given, key)

    @property
    def send(self) -> Callable[[Any], object]:
        """How its results are sent where nobody works them in the same loop."""
        return self._router.send

    @property
    def has_input_ended(self) -> bool:
        """Whether it has taken all that it will."""
        return self._feed.ending is not None

    def is_free(self) -> bool:
        """Whether no hand wants anything of it."""
        parker = self.parker
        return not (self.gate.attentive or parker.cancelled or parker.unneeded or self._feed.wants_out)

    def is_ready(self) -> bool:
        """Whether there is something to take."""
        return self._inbox is None or self._inbox.ready()

    @property
    def is_about_to_end(self) -> bool:
        """Whether one of its producers has ended."""
        return any(lane.closed for lane in self.lanes_in[1:])

    def wait(self, news: Ready) -> None:
        """Wait until there is something to take, or `news`. Raises Cancelled."""
        if self._inbox is not None:
            self._inbox.wait((News(news),))

    def rest(self) -> None:
        """As a member that has nothing to do, to be seen as waiting."""
        inbox = self.inbox
        inbox.seem_asleep(True)
        self.parker.rest(inbox.ready)

    def rise(self) -> None:
        """As a member: to be seen as running."""
        self.inbox.seem_asleep(False)
        self.parker.go_on()

    @property
    def began_s(self) -> float:
        """When its last batch ended."""
        return self._size.began_s

    def is_called_away(self) -> bool:
        """Whether its chain wants to be closed, and its thread to go when there is nothing to take."""
        return self._is_called_away

    def call_away(self, is_called: bool) -> None:
        """Any thread: let its thread go when there is nothing to take, or no more."""
        self._is_called_away = is_called
        self.parker.unpark()

    def begun(self, drawn: int = 0) -> int:
        """How many of its batch have been taken; of a source that its loop counts, `drawn`."""
        if isinstance(feed := self._feed, LaneFeed):
            return feed.begun()
        assert isinstance(self.operator, Source), "all others have lanes"
        return drawn if self.loop_counts else self.operator.drawn_since()

    def take_event(self) -> bool:
        """Take a signal, if one is next, and do what follows."""
        if (event := self._feed.take_event()) is None:
            return False
        self._take_up(event)
        return True

    def take(self, count: int) -> Iterator[Any] | None:
        """Up to `count` packets, as `process` takes them."""
        if isinstance(self.operator, Source):
            count = self.operator.at_most(count)
        return self._feed.take(count)

    def begin_to_count(self) -> None:
        """Nothing of its next batch has begun."""
        if isinstance(self.operator, Source):
            self.operator.begin_to_count()

    def close_batch(self, drawn: int, idled: int, *, is_whole: bool) -> None:
        """The batch is over, and was counted; a source's loop has drawn so many, if its iterator does not say."""
        if isinstance(self.operator, Source):
            self.operator.count_drawn(drawn, idled)
        if is_whole:
            self._feed.ran_out()
        self._feed.close_batch()

    def come_through(self, count: int) -> None:
        """It has begun so many more packets."""
        self.counts.work(count)
        self.operator.loop_paused()

    def blame(self, error: BaseException, made: Any, value: Any) -> BaseException:
        """What its step has raised, as `process` would have raised it."""
        self._packet = value
        return self._inner.explain(error, made)


def follow(task: LocalTask, failure: BaseException | None) -> None:
    """Work `task`, and whatever its thread has to go on with, until that is over."""
    while not task.serve(failure):
        if task.chain is None or (parted := task.chain.work_on(task)) is None:
            return
        task, failure = parted
        del parted
    if task.chain is not None:
        task.chain.hear_end()
