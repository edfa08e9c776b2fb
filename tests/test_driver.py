"""A job in other processes as its driver has it, without processes: what is called there is answered by the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, cast

import pytest

from examples.pickle_codec import CODEC
from runtime.communication.lane import LaneSpec
from runtime.context.report import TaskReport
from runtime.driver import injecting
from runtime.driver.actor_wrapper import ServiceWrapper, TaskWrapper
from runtime.driver.job import Job
from runtime.errors import QueueFull, TaskEnded, TaskLost
from runtime.facts import ServiceFacts, TaskFacts
from runtime.remote.by_value import encode, encode_report
from runtime.remote.channel import Message
from runtime.remote.host import HostState, TellingMonitor
from runtime.remote.link import Mailbox
from runtime.scheduling.helm import Helm
from runtime.scheduling.waiting import deadline_of
from runtime.step import Step
from tests.remote_rig import PATIENCE_S, Told

SERVING = ServiceFacts("cache", "new", 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, None)
WORKING = TaskFacts("work", "work", "map", "running", 0, 8, 0, 0, 0, ("hand", "in"), (0, 0), (), None)


def done(value: Any) -> Future[Any]:
    answer: Future[Any] = Future()
    answer.set_result(value)
    return answer


class Reports:
    """Who hears how a task has ended."""

    def __init__(self) -> None:
        self.ended: list[TaskReport] = []

    def task_ended(self, report: TaskReport) -> None:
        self.ended.append(report)

    def __getattr__(self, name: str) -> Any:
        return pytest.fail(f"{name} was not expected")


class Process:
    """A process: what was called there, and what it answers by the method's name; else there is no answer yet."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.open: list[Future[Any]] = []
        self.killed = threading.Event()
        self.answers: dict[str, Callable[..., Any]] = {}

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        if method in ("control", "hand"):
            command, packed = arguments
            return self.call(command, *CODEC.decode(packed))
        self.calls.append((method, *arguments))
        answer: Future[Any] = Future()
        if method in self.answers:
            try:
                answer.set_result(self.answers[method](*arguments))
            except Exception as error:  # noqa: BLE001  as the host would tell it
                answer.set_result(encode((None, error), CODEC))
        else:
            self.open.append(answer)
        return answer

    def called(self, method: str) -> list[tuple[Any, ...]]:
        return [tuple(arguments) for name, *arguments in self.calls if name == method]

    def is_gone(self, error: BaseException) -> bool:
        return isinstance(error, EOFError)

    def kill(self) -> None:
        self.killed.set()


def returns(value: Any) -> Callable[..., Any]:
    """As a host tells what a command has returned."""
    return lambda *_: encode((value, None), CODEC)


def refuses(error: Exception) -> Callable[..., Any]:
    """As a host tells what a command has raised."""
    return lambda *_: encode((None, error), CODEC)


class Driver:
    """A job of two tasks, `work` and `other`, and a service, `cache`, each in a process."""

    def __init__(self) -> None:
        self.job = Job(CODEC)
        self.job.lanes.update(work=(LaneSpec("other"),), other=(LaneSpec("work"),))
        self.reports = Reports()
        self.wrappers: dict[str, Any] = {}
        self.processes: dict[str, Process] = {}
        for name, kind in (("work", TaskWrapper), ("other", TaskWrapper), ("cache", ServiceWrapper)):
            wrapper = self.wrappers[name] = self.job.wrappers[name] = kind(name, cast(Any, self.reports), self.job)
            process = self.processes[name] = Process()
            facts = SERVING if name == "cache" else WORKING
            process.answers["seen"] = lambda _, facts=facts: CODEC.encode(HostState(facts))
            process.answers["join"] = lambda *_: None
            wrapper.begin(process, CODEC.encode(None))

    def fetched(self, name: str, number: int, *messages: Message) -> None:
        """A parcel of a process comes: what it had open was fetched."""
        asked = [future for future in self.processes[name].open if not future.done()]
        asked[-1].set_result((number, list(messages)))


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    for process in driver.processes.values():
        for future in process.open:
            if not future.done():
                future.set_exception(EOFError("at the end of the test"))
    driver.job.close()


def wait_until(ready: Callable[[], object]) -> None:
    event = threading.Event()
    for _ in range(int(PATIENCE_S * 1000)):
        if ready():
            return
        event.wait(0.001)
    raise AssertionError("it has not come to that")


# ── deaths ──


@pytest.mark.parametrize("first", ["start", "death"])
def test_one_whose_process_dies_before_or_after_its_start_is_told_to_have_ended_once(
    driver: Driver, first: str
) -> None:
    driver.job.join()
    wrapper = driver.wrappers["cache"]
    death = LookupError("its process")
    for what in ("start", "death") if first == "start" else ("death", "start"):
        if what == "start":
            wrapper.start()
        else:
            wrapper.lose(death)
    (report,) = driver.reports.ended
    assert (report.task, report.ending, type(report.error)) == ("cache", "failed", TaskLost)
    assert report.error is not None
    assert report.error.__cause__ is death
    assert wrapper.is_gone()


def test_a_death_that_its_fetch_tells_of_is_an_end_of_its_task_and_of_no_other(driver: Driver) -> None:
    driver.job.join()
    for name in ("work", "other"):
        driver.wrappers[name].start()
    wait_until(lambda: all(process.called("fetch") for process in driver.processes.values()))
    driver.processes["work"].open[-1].set_exception(EOFError("its pipe"))
    wait_until(lambda: driver.reports.ended)
    assert [(report.task, report.ending) for report in driver.reports.ended] == [("work", "failed")]
    assert driver.wrappers["work"].is_lost
    assert not driver.wrappers["other"].is_lost


def test_who_has_reported_its_end_and_dies_then_has_ended_once_and_with_its_counts(driver: Driver) -> None:
    driver.job.join()
    wrapper = driver.wrappers["work"]
    wrapper.start()
    final = HostState(WORKING._replace(processed=7, ending="completed"), injected=3)
    wrapper.take([("ended", encode_report(CODEC, TaskReport("work", "completed", None), final))])
    wrapper.lose(EOFError("afterwards"))
    assert [report.ending for report in driver.reports.ended] == ["completed"]
    assert (wrapper.facts().processed, wrapper.injected) == (7, 3)


def test_a_process_that_does_not_take_in_mail_is_ended_and_says_why(driver: Driver) -> None:
    driver.job.join()
    driver.wrappers["work"].start()
    why = LookupError("no such verb")
    driver.job.undelivered("work", why)
    assert driver.processes["work"].killed.wait(PATIENCE_S)
    wait_until(lambda: driver.processes["work"].called("fetch"))
    driver.processes["work"].open[-1].set_exception(EOFError("killed"))
    wait_until(lambda: driver.reports.ended)
    (report,) = driver.reports.ended
    assert report.error is not None
    assert report.error.__cause__ is why


def test_a_process_that_is_gone_is_not_ended_again(driver: Driver) -> None:
    driver.job.join()
    driver.job.undelivered("work", EOFError("its pipe"))
    assert not driver.processes["work"].killed.wait(0.05)


def test_a_command_to_one_that_has_died_says_so(driver: Driver) -> None:
    asked = driver.wrappers["work"].begin_ask("control", "state")
    asked.set_exception(EOFError("its pipe"))
    with pytest.raises(TaskEnded, match="the process of 'work' has died"):
        driver.wrappers["work"].end_ask(asked)


# ── mail of processes ──


def test_what_was_taken_in_is_not_fetched_again(driver: Driver) -> None:
    driver.job.join()
    process = driver.processes["work"]
    wait_until(lambda: process.called("fetch"))
    driver.fetched("work", 1, ("gone",))
    wait_until(lambda: len(process.called("fetch")) == 2)
    assert process.called("fetch") == [(0,), (1,)]


def test_a_parcel_that_makes_no_sense_ends_its_process_with_the_reason(driver: Driver) -> None:
    driver.job.join()
    driver.wrappers["work"].start()
    wait_until(lambda: driver.processes["work"].called("fetch"))
    driver.fetched("work", 1, ("fault", encode(LookupError("a mistake"), CODEC)))
    wait_until(lambda: driver.reports.ended)
    assert driver.processes["work"].killed.is_set()
    (report,) = driver.reports.ended
    assert report.error is not None
    assert isinstance(report.error.__cause__, LookupError)


def test_who_asks_after_a_parcel_hears_what_its_receiver_says_and_nothing_of_one_that_is_gone(driver: Driver) -> None:
    driver.job.join()
    driver.job.heard("overdue", "other", "work", 5)
    assert driver.processes["work"].called("where_is") == [("other", 5)]
    driver.processes["work"].open[-1].set_result("missing")
    wait_until(lambda: driver.processes["other"].called("deliver"))
    ((parcel,),) = driver.processes["other"].called("deliver")
    assert parcel[2] == [("asked after", "work", 5, "missing")]
    driver.job.heard("overdue", "other", "work", 6)
    driver.processes["work"].open[-1].set_exception(EOFError("its pipe"))
    assert driver.job.endpoint._links["other"].is_quiet() or len(driver.processes["other"].called("deliver")) == 1


# ── looking ──


def test_each_look_asks_again_but_within_a_look_at_all(driver: Driver) -> None:
    wrapper, process = driver.wrappers["work"], driver.processes["work"]
    wrapper.look()
    wrapper.look()
    assert len(process.called("seen")) == 2
    with driver.job.poller.look_at(driver.job.wrappers.values()):
        wrapper.look()
        wrapper.control.now()
    assert len(process.called("seen")) == 3
    wrapper.look()
    assert len(process.called("seen")) == 4


@pytest.mark.parametrize(("seen", "moved", "expected"), [((True, True), (1, 1), True), ((True, False), (1, 1), False),
                                                         ((True, True), (1, 2), False)])  # fmt: skip
def test_only_what_two_looks_show_counts_with_nothing_moved_in_between(
    driver: Driver, seen: tuple[bool, ...], moved: tuple[int, ...], expected: bool
) -> None:
    looks, moves = iter(seen), iter(moved)
    assert driver.job.poller.sees(lambda: next(looks), lambda: next(moves)) is expected


def test_processes_tell_of_changes_while_anybody_watches(driver: Driver) -> None:
    process = driver.processes["work"]
    for each in driver.processes.values():
        each.answers["let_driver_watch"] = lambda *_: None
    poller = driver.job.poller
    for change in (poller.begin, poller.begin, poller.end, poller.end):
        change()
    assert process.called("let_driver_watch") == [(True, 1), (True, 2), (True, 3), (False, 4)]


def test_a_wish_that_was_overtaken_changes_nothing() -> None:
    mailbox = Mailbox("", Told())
    monitor = TellingMonitor(mailbox)
    monitor.let_driver_watch(False, 2)
    monitor.let_driver_watch(True, 1)  # it was made before
    monitor.tell()
    assert (monitor.watched, mailbox.has_changed) == (0, False)
    monitor.let_driver_watch(True, 3)
    monitor.tell()
    assert (monitor.watched, mailbox.has_changed) == (1, True)


def test_a_step_that_is_answered_lets_the_thread_of_commands_go_on(driver: Driver) -> None:
    bell: SimpleQueue[Any] = SimpleQueue()
    driver.job.poller.tell_to(Helm(bell))
    step = driver.wrappers["work"].control.step(deadline_of(PATIENCE_S))
    until = next(step)
    assert not until.ready()
    assert bell.empty()
    result = Step("idle", "work")
    driver.processes["work"].open[-1].set_result(encode((result, None), CODEC))
    assert until.ready()
    assert not bell.empty()
    with pytest.raises(StopIteration) as over:
        next(step)
    assert over.value.value == result


# ── packets by hand ──


def put(driver: Driver, *names: str) -> None:
    """Put a packet into the queues of these by hand, if there is room at once."""
    for _ in injecting.inject(driver.job, [driver.wrappers[name] for name in names], 1, 0.0, cast(Any, None)):
        pytest.fail("it waits")


def test_places_that_were_found_are_given_back_if_one_of_several_has_none(driver: Driver) -> None:
    work, other = driver.processes["work"], driver.processes["other"]
    work.answers |= {"reserve": returns(None), "release": returns(None), "grant_credit": lambda *_: False}
    other.answers |= {"reserve": refuses(QueueFull("full")), "grant_credit": lambda *_: False}
    with pytest.raises(QueueFull):
        put(driver, "work", "other")
    assert work.called("release") == [()]
    assert not work.called("put_into")


def test_a_place_that_was_used_is_not_given_back_as_well(driver: Driver) -> None:
    work, other = driver.processes["work"], driver.processes["other"]
    work.answers |= {"reserve": returns(None), "put_into": returns(0), "release": returns(None)}
    other.answers |= {"reserve": returns(None), "put_into": refuses(TaskEnded("over")), "release": returns(None)}
    with pytest.raises(TaskEnded):
        put(driver, "work", "other")
    assert (work.called("release"), other.called("release")) == ([], [()])


def test_a_place_that_a_writer_has_lent_goes_back_to_that_writer(driver: Driver) -> None:
    driver.job.join()
    work, other = driver.processes["work"], driver.processes["other"]
    work.answers |= {"reserve": refuses(QueueFull("full")), "put_into": refuses(TaskEnded("over"))}
    other.answers |= {"grant_credit": lambda *_: True}
    with pytest.raises(TaskEnded):
        put(driver, "work")
    assert other.called("grant_credit") == [(("work", 0),)]
    wait_until(lambda: other.called("deliver"))
    ((parcel,),) = other.called("deliver")
    assert parcel[2] == [("return credit", ("work", 0))]
