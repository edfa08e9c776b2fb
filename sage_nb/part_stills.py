"""The parts of a view as a notebook keeps them, for where no view is alive: the picture of a graph, and tables.

Like the picture they show final facts only, once the end has been reported, so they are the same in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from runtime import Outcome, Session
from sage_nb.end_order import end_places
from sage_nb.forms import form_of
from sage_nb.picture import picture_of, printable
from sage_nb.stills import Still, still_of

MAX_ROWS: Final = 50
_NAME: Final = 60

Table = tuple[str, Sequence[Sequence[str]]]
"""A title, and rows of texts."""


def still_of_parts(session: Session, parts: Sequence[str], outcome: Outcome | None) -> Still:
    """What a view of these parts leaves in a notebook: of a run that has ended, how."""
    tables: dict[str, Callable[[Session, Outcome | None], Table]] = {
        "depths": _depths,
        "stops": _stops,
        "errors": _errors,
    }
    table = tables.get(parts[0]) if len(parts) == 1 else None
    return still_of(picture_of(session, outcome)) if table is None else still_of_table(table(session, outcome))


def still_of_table(table: Table) -> Still:
    """A table, with its title."""
    title, rows = table
    cells = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows[:MAX_ROWS])
    more = f"<p>and {len(rows) - MAX_ROWS:,} more</p>" if len(rows) > MAX_ROWS else ""
    return Still(f"<p><b>{escape(title)}</b></p><table>{cells}</table>{more}")


def injector_table(session: Session) -> Table:
    """Where the form can put a packet."""
    rows = [(_name(each.name), each.kind) for each in session.graph.operators if each.kind != "source"]
    return f"Injector of {_name(session.name)}: puts a packet into", rows


def stepper_table(session: Session) -> Table:
    """What the form can do."""
    return f"Stepper of {_name(session.name)}", [("Start paused", "Pause", "Step", "Resume")]


def service_table(session: Session, service: str) -> Table:
    """The methods of a service, and what they ask for."""
    methods = form_of(session, service)["methods"]
    rows = [(_name(each["name"]), ", ".join(_name(field["name"]) for field in each["fields"])) for each in methods]
    return f"Service {_name(service)} of {_name(session.name)}", rows


def _depths(session: Session, outcome: Outcome | None) -> Table:
    """How many packets were left in each queue, or how many each may hold."""
    facts = {} if outcome is None else session.snapshot().tasks
    rows = []
    for operator in session.graph.operators:
        if operator.kind == "source":
            continue
        for task in session.graph.tasks(operator.name):
            left = f"{facts[task].depth:,} of {operator.capacity:,} left" if task in facts else f"{operator.capacity:,}"
            rows.append((_name(task), left))
    return f"Queues of {_name(session.name)}", rows


def _stops(session: Session, outcome: Outcome | None) -> Table:
    """How each task has ended, its place in the order of ends, and how many of its producers had ended before."""
    snapshot, ends = session.snapshot(), end_places(session, outcome)
    rows: list[tuple[str, ...]] = []
    for operator in session.graph.operators:
        for task in session.graph.tasks(operator.name):
            ended = snapshot.tasks.get(task) if outcome is not None else None
            if ended is None:
                rows.append((_name(task),))
                continue
            heard = f"{len(ended.ended_producers):,} of {len(ended.producers[1:]):,}"
            rows.append((_name(task), heard, ended.ending or "", str(ends.get(task, ""))))
    return f"Stop signals of {_name(session.name)}", rows


def _errors(session: Session, outcome: Outcome | None) -> Table:
    """Of each task that has raised, how often."""
    raised = [] if outcome is None else [each for each in session.snapshot().tasks.values() if each.errors]
    rows = [(_name(each.name), f"{each.errors:,} raised", f"{each.skipped:,} skipped") for each in raised]
    return f"Errors of {_name(session.name)}", rows or [("none",)]


def _name(text: str) -> str:
    return printable(text, _NAME)
