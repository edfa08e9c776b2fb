"""The parts of a view as a notebook keeps them, for where no view is alive: the picture of a graph, and tables.

Like the picture they show final facts only, once somebody has heard of the end, so they are the same in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final

from runtime import Session, TaskFacts
from sage_nb.comms import kernel_shell
from sage_nb.forms import form_of
from sage_nb.outputs import publish
from sage_nb.picture import picture_of, printable
from sage_nb.stills import still_of

MAX_ROWS: Final = 50
_NAME: Final = 60

_PLACE: Final = ":is(.jp-OutputArea-child, .output_area, .output_container, .display_data, .execute_result)"
_ALIVE: Final = ":has(.sage-nb-view, .sage-nb-said)"
_STYLE: Final = (
    f"<style>{_PLACE}{_ALIVE} + {_PLACE}:has(.sage-nb-still) {{display: none}} "
    f"{_PLACE}:has(+ {_PLACE} .sage-nb-still):not({_ALIVE}) {{display: none}}</style>"
)

Table = tuple[str, Sequence[Sequence[str]]]
"""A title, and rows of texts."""


def show(widget: Any, still: Mapping[str, Any]) -> None:
    """Show a widget and behind it its still in this cell's output. Raises `NotImplementedError` without a kernel."""
    if kernel_shell() is None:
        raise NotImplementedError  # IPython's way to say: ask for the mime bundle
    bundle = widget._repr_mimebundle_()
    live: Mapping[str, Any] = (bundle[0] if isinstance(bundle, tuple) else bundle) or {}
    publish(live, still, repr(widget))


def still_of_parts(session: Session, parts: Sequence[str]) -> dict[str, Any]:
    """What a view of these parts leaves in a notebook."""
    tables: dict[str, Callable[[Session], Table]] = {"depths": _depths, "stops": _stops, "errors": _errors}
    table = tables.get(parts[0]) if len(parts) == 1 else None
    return still_of(picture_of(session)) if table is None else still_of_table(table(session))


def still_of_table(table: Table) -> dict[str, Any]:
    """A table as a mime bundle."""
    title, rows = table
    cells = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows[:MAX_ROWS])
    more = f"<p>and {len(rows) - MAX_ROWS:,} more</p>" if len(rows) > MAX_ROWS else ""
    head = f"<p><b>{escape(title)}</b></p>"
    return {"text/html": f'<div class="sage-nb-still">{_STYLE}{head}<table>{cells}</table>{more}</div>'}


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


def _depths(session: Session) -> Table:
    """How many packets were left in each queue, or how many each may hold."""
    facts = _told(session)
    rows = []
    for operator in session.graph.operators:
        if operator.kind == "source":
            continue
        for task in session.graph.tasks(operator.name):
            left = f"{facts[task].depth:,} of {operator.capacity:,} left" if task in facts else f"{operator.capacity:,}"
            rows.append((_name(task), left))
    return f"Queues of {_name(session.name)}", rows


def _stops(session: Session) -> Table:
    """How each task has ended, and how many of its producers had before."""
    facts = _told(session)
    rows = []
    for operator in session.graph.operators:
        for task in session.graph.tasks(operator.name):
            ended = facts.get(task)
            heard = f"{len(ended.ended_producers):,} of {len(ended.producers[1:]):,}" if ended is not None else ""
            rows.append((_name(task), heard, (ended.ending or "") if ended is not None else ""))
    return f"Stop signals of {_name(session.name)}", rows


def _errors(session: Session) -> Table:
    """Of each task that has raised, how often."""
    raised = [each for each in _told(session).values() if each.errors]
    rows = [(_name(each.name), f"{each.errors:,} raised", f"{each.skipped:,} skipped") for each in raised]
    return f"Errors of {_name(session.name)}", rows or [("none",)]


def _told(session: Session) -> Mapping[str, TaskFacts]:
    """The facts of a run whose end somebody has heard of."""
    return session.snapshot().tasks if session.told_outcome is not None else {}


def _name(text: str) -> str:
    return printable(text, _NAME)
