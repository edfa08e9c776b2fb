"""A session's counters as a plain dict, and as Prometheus shows them. Knows frozen facts only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from runtime.errors import DataflowError, GraphInvalid
from runtime.facts import QuestionFacts, ServiceFacts, Snapshot, TaskFacts
from runtime.python.installing import install_command

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from runtime.session import Session

Metrics = dict[str, dict[str, float]]
"""Name of the metric, then of the task or service, then its value."""

_TASKS: Final = {
    "task_processed": ("processed", "Packets taken from the queue; of a source: made"),
    "task_emitted": ("emitted", "Packets put on outgoing edges"),
    "task_errors": ("errors", "Exceptions of user code that no retry has mended"),
    "task_skipped": ("skipped", "Packets that were skipped"),
    "task_retries": ("retries", "Repeated attempts"),
    "task_queue_depth": ("depth", "Packets that wait"),
    "task_queue_capacity": ("capacity", "How many packets may wait"),
}
_SERVICES: Final = {
    "service_calls": ("received", "Calls accepted"),
    "service_results": ("results", "Calls that ended with a result"),
    "service_errors": ("errors", "Calls that ended with an error"),
    "service_timeouts": ("timeouts", "Calls that ended by their timeout"),
    "service_stopped": ("stopped", "Calls that ended with the service, or were given up"),
    "service_late_replies": ("late", "Replies that came after the end of their call"),
    "service_lost_replies": ("lost", "Replies that vanished in an interceptor"),
    "service_queue_depth": ("depth", "Requests that wait"),
    "service_queue_capacity": ("capacity", "How many requests may wait"),
}
_TIMES: Final = {
    "busy_seconds": ("busy_s", "Seconds at work"),
    "on_processor_seconds": ("on_processor_s", "Seconds at work on a processor; none where the platform cannot tell"),
    "idle_seconds": ("idle_s", "Seconds of waiting for packets or requests"),
    "held_back_seconds": ("held_back_s", "Seconds of waiting for room downstream"),
    "rate_seconds": ("rate_s", "Seconds of waiting until the rate lets the next packet begin"),
    "waiting_seconds": ("waiting_s", "Seconds of waiting for replies of services, or for open calls"),
    "backing_off_seconds": ("backing_off_s", "Seconds of waiting for the next attempt"),
    "paused_seconds": ("paused_s", "Seconds at a closed gate"),
    "turn_seconds": ("turn_s", "Seconds of waiting to run: under a seed, or in a job of many threads"),
}
_QUESTIONS: Final = {
    "questions": "Questions that have ended, by how; and replies that were late, or answered none",
    "questions_open": "Questions that have not ended",
    "questions_slowest_seconds": "For how long the oldest of those is under way",
}
_WAITED_FOR: Final = "Tasks and services that are held back by its full queue, or wait for its replies"
_GAUGES: Final = ("_depth", "_capacity", "_open", "_slowest_seconds", "_waited_for")


def metrics_of(snapshot: Snapshot) -> Metrics:
    """All counters and depths of a snapshot: metric, then task or service, then value."""
    result = {metric: _column(snapshot.tasks, fact) for metric, (fact, _) in _TASKS.items()}
    result |= {metric: _column(snapshot.services, fact) for metric, (fact, _) in _SERVICES.items()}
    times, waited_for = snapshot.times, _waited_for(snapshot)
    for label, names in (("task", snapshot.tasks), ("service", snapshot.services)):
        of_these = {name: times[name] for name in names if name in times}
        result |= {f"{label}_{metric}": _column(of_these, fact) for metric, (fact, _) in _TIMES.items()}
        result[f"{label}_waited_for"] = {name: waited_for[name] for name in names}
    return result | _of_questions(snapshot.questions)


def _waited_for(snapshot: Snapshot) -> Counter[str]:
    """By how many of them each is waited for. Nobody is held up by a producer: who is idle has nothing to do."""
    all_facts: list[TaskFacts | ServiceFacts] = [*snapshot.tasks.values(), *snapshot.services.values()]
    return Counter(name for facts in all_facts if facts.state != "idle" for name in facts.waits_for)


def _of_questions(facts: QuestionFacts | None) -> Metrics:
    """Of a graph that can be asked: by how they have ended; else nothing."""
    if facts is None:
        return {metric: {} for metric in _QUESTIONS}
    ended = ("answered", "unanswered", "failed", "late", "unasked")
    return {
        "questions": {how: getattr(facts, how) for how in ended},
        "questions_open": {"open": facts.open},
        "questions_slowest_seconds": {"open": facts.slowest_s},
    }


def _column(facts: Mapping[str, Any], fact: str) -> dict[str, float]:
    pairs = ((name, getattr(of_one, fact)) for name, of_one in facts.items())
    return {name: value for name, value in pairs if value is not None}


def prometheus(*sessions: Session) -> CollectorRegistry:
    """A registry of `prometheus_client` that reads the counters of these sessions whenever it is scraped.

    Hand it to `prometheus_client.start_http_server` or `generate_latest`. Counters are called
    `sage_task_processed_total`, depths `sage_task_queue_depth`; labels are `session` (so names should differ) and
    `task` or `service`, of questions `state`. Each run counts from 0. Needs the extra `metrics`; raises `DataflowError`
    without.
    """
    names = Counter(session.name for session in sessions if callable(getattr(session, "metrics", None)))
    if names.total() != len(sessions) or any(count > 1 for count in names.values()):
        raise GraphInvalid("prometheus() takes sessions, each with a name of its own, by which they are told apart")
    try:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415  only for those who ask for it
    except ImportError as error:
        raise DataflowError(f"prometheus() needs prometheus_client: {install_command('metrics')}") from error
    registry = CollectorRegistry()
    registry.register(_Collector(sessions))
    return registry


class _Collector:
    """Makes Prometheus's metrics of the sessions' at each scrape."""

    def __init__(self, sessions: tuple[Session, ...]) -> None:
        self._sessions = sessions

    def collect(self) -> Iterator[Metric]:
        """What is scraped."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        taken = [(session.name, session.metrics()) for session in self._sessions]
        for metric, text in _QUESTIONS.items():
            kind = GaugeMetricFamily if metric.endswith(_GAUGES) else CounterMetricFamily
            family = kind(f"sage_{metric}", text, labels=("session", "state"))
            for session, values in taken:
                for name, value in values[metric].items():
                    family.add_metric((session, name), value)
            yield family
        for label, metrics in (("task", _TASKS), ("service", _SERVICES)):
            times = {f"{label}_{metric}": each for metric, each in _TIMES.items()}
            waited_for = {f"{label}_waited_for": ("", _WAITED_FOR)}
            for metric, (_, text) in (metrics | times | waited_for).items():
                kind = GaugeMetricFamily if metric.endswith(_GAUGES) else CounterMetricFamily
                family = kind(f"sage_{metric}", text, labels=("session", label))
                for session, values in taken:
                    for name, value in values[metric].items():
                        family.add_metric((session, name), value)
                yield family
