"""Lived: what was done to a run from outside, from its start to its end, as the lines of a test that do it again.

Where the job stood when something was done has to be known: before the first resume of a run that was started paused,
or at a packet that an operator with one task held. What was sent to inputs finds the same way at any time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from sys import maxsize
from typing import Final

from runtime.control.records import MAX_FED, Record
from runtime.errors import CommandRefused
from runtime.facts import Event
from runtime.graph import ExecutionGraph, OperatorNode
from runtime.session.session import Session, records_of
from runtime.session.sources import Sources

FIND: Final = """def waiting(session, task, place):
    return next(packet for packet in session.peek(task, 100_000) if packet.place == place)"""
"""What those lines call to find a packet."""

_HELD: Final = ": held"
_CHANGED: Final = ("edit", "drop", "move", "inject", "replace", "state of")
_LATE: Final = (
    "something was done by hand while the job ran, or after a resume, and where the job stood then no test can say; "
    "start it paused, and do all of it before it is resumed"
)


class Lived:
    """The life of the run of a session, as lines. Raises `CommandRefused` if where the job stood is not known."""

    def __init__(self, session: Session, sources: Sources) -> None:
        self._session, self._run, self._sources = session, session._runs.started(), sources
        events = [event for event in session.events if event.kind in ("command", "start", "turn", "error", "skip")]
        before = takewhile(lambda event: not event.text.startswith("started"), events)
        self._is_paused = any(event.text.startswith("pause") for event in before)
        self._holds = self._held(events)
        late = {record.number[0] for records in self._holds for record in records}
        done = sorted([*records_of(session), *self._run.records.fed], key=lambda record: record.number)
        resumed = self._run.pausing.first_resumed if self._is_resumed else maxsize
        self._early = [record for record in done if self._is_paused and record.number[0] < resumed]
        self._fed_live = [record for record in done[len(self._early) :] if record.number[0] not in late]

    @property
    def _is_resumed(self) -> bool:
        return self._run.pausing.first_resumed >= 0

    @property
    def has_ended(self) -> bool:
        """Whether it has come to an end that comes again."""
        outcome = self._session.outcome
        return outcome is not None and outcome.state in ("completed", "failed")

    @property
    def is_fed_live(self) -> bool:
        """Whether something was sent to an input while the job ran."""
        return any(record.name == "send" for record in self._fed_live)

    # ── what is refused ──

    def refuse_what_is_not_known(self) -> None:
        """Raise `CommandRefused` where a test would leave something out, or would not pass each time."""
        tasks, graph = self._run.dispatcher.tasks, self._session.graph
        injects = [record.where for record in self._early if record.name == "inject"]
        injected = sum(1 if where in tasks else len(graph.tasks(where)) for where in injects)
        sent = sum(record.name == "send" for record in (*self._early, *self._fed_live))
        if sum(task.injected for task in tasks.values()) != injected + sent:
            raise CommandRefused(
                f"what retries put in is not recorded, nor of what is sent more than {MAX_FED:,} values; put it in by "
                "inject(), or by a source"
            )
        if not self._run.records.are_all_kept:
            raise CommandRefused("more was done by hand than is recorded; copy a run in which less is done")
        if not self.has_ended and (not self._is_paused or self._is_resumed):
            raise CommandRefused("the job runs, or was stopped while it ran, and where it stood no test can say")
        ends_early = self._session.failure is not None or any(node.kind == "take" for node in graph.operators)
        if self.is_fed_live and (ends_early or self._holds):
            raise CommandRefused(
                "what was sent while the job ran may come at another moment the next time, as it was held, has failed, "
                "or takes some packets only; start it paused, and send before it is resumed"
            )

    def _held(self, events: Iterable[Event]) -> list[list[Record]]:
        """For each time that the job was held while it ran: which functions were replaced before it was resumed."""
        replaces = {(record.where, record.text): record for record in records_of(self._session)}
        operator_of = {node.name: node.operator for node in self._session.graph.nodes}
        found: list[list[Record]] = []
        holding: str | None = None  # the operator
        still = self._is_paused
        for event in events:
            operator = operator_of.get(event.task or "", event.task)
            if event.kind == "command" and event.text.startswith("resume"):
                holding, still = None, False
            elif still:
                continue
            elif event.kind == "error" and event.text.endswith(_HELD):
                if holding is not None or not self._is_one_by_one(operator):
                    raise CommandRefused("several packets were held at once, or could be, which no test can say")
                holding = operator
                found.append([])
            elif event.kind == "turn" or (event.kind == "command" and event.text.startswith(_CHANGED)):
                if operator is None or holding != operator or not event.text.startswith("replace"):
                    raise CommandRefused(_LATE)
                found[-1].append(replaces[operator, event.text])
            elif event.kind == "skip" and holding == operator:
                raise CommandRefused(
                    "a held packet was skipped by hand, which no test can say yet; replace the function"
                )
        return found

    def _is_one_by_one(self, operator: str | None) -> bool:
        """Whether it works one packet after the other."""
        node = self._session.graph.by_name.get(operator or "")
        return node is not None and node.parallelism == 1 and not node.traits.is_awaited

    # ── its lines ──

    def lines(self) -> list[str]:
        """From the start to the end, or to where it stands still."""
        early = [self._line(record) for record in self._early]
        if not self.has_ended:
            return ["session.start(paused=True)", *early]
        if not early and not self._fed_live and not self._holds:
            return self._ending("session.run()")
        begun = ["session.start(paused=True)", *early, "session.resume()"] if early else ["session.start()"]
        fed = [self._line(record) for record in self._fed_live]
        held = [line for records in self._holds for line in self._hold(records)]
        return [*begun, *fed, *held, *self._ending("session.wait()")]

    def _hold(self, records: Sequence[Record]) -> list[str]:
        mended = [self._line(record) for record in records]
        return ["with pytest.raises(runtime.JobHeld):", "    session.wait()", *mended, "session.resume()"]

    def _ending(self, line: str) -> list[str]:
        if (failure := self._session.failure) is None:
            return [line]
        return [f"with pytest.raises(runtime.TaskFailed, match={re.escape(str(failure))!r}):", f"    {line}"]

    def _line(self, record: Record) -> str:
        if record.name == "replace":
            functions = [self._sources.expression(each) for each in record.functions]
            return f"session.replace({record.where!r}, {', '.join(functions)})"
        given = record.given
        if any(each is None for each in given):
            raise CommandRefused(f"{record.text} was given something that is no literal, so no test can have it")
        said = [str(each) for each in given]
        if record.name in ("send", "end"):
            return f"session.{record.name}({', '.join(said)})"
        if record.name == "step":
            return f"assert str(session.step({'' if said[0] == 'None' else said[0]})) == {record.text!r}"
        if record.name == "inject":
            return f"session.inject({said[0]}, {said[1]}{'' if said[2] == 'None' else f', input={said[2]}'})"
        if record.name == "set_state":
            return f"session.set_state({record.where!r}, {', '.join(said)})"
        if record.name not in ("edit", "drop", "move") or record.place is None:
            raise CommandRefused(f"{record.text} cannot be written into a test")
        packet = f"waiting(session, {record.where!r}, {tuple(record.place)!r})"
        return f"session.{record.name}({', '.join([packet, *said])})"


def is_line(graph: ExecutionGraph, node: OperatorNode) -> bool:
    """Whether the order of what comes to an operator is the same in each run: one task feeds the next."""
    while node.parallelism == 1:
        edges = graph.inputs(node.name)
        if len(edges) != 1:
            return not edges
        node = graph.by_name[edges[0].source]
    return False
