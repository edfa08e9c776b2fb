"""What single commands of a page need beyond the session's own methods: what was typed as a value, a condition or a
call, and which letter was meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runtime import CommandRefused, Session
from runtime.texts.preview import preview
from sage_nb.command_queue import Done
from sage_nb.forms import call_of
from sage_nb.python import names_of_notebook
from sage_nb.said_again import inject_of
from sage_nb.serializers import text_of
from sage_nb.texts import shown, value_of


def inject(session: Session, target: str, text: str, number: int = 0) -> Done:
    """Put what was typed into the queue of a task, or into an input."""
    value = value_of(text)
    operators = session.graph.by_name
    operator = target if target in operators else target.rpartition("#")[0]
    wanted = operator in operators and len(session.graph.input_numbers(operator)) > 1
    session.inject(target, value, input=number if wanted else None)
    return Done(inject_of(session, target, value), f"{preview(value)} is in the queue of {target}")


def call(session: Session, service: str, method: str, values: Mapping[str, Any]) -> Done:
    """Call a service with what was filled into its form."""
    made = call_of(session, service, method, values)
    reply = session.call(service, *made.args, method=made.method, **made.kwargs)
    return Done(made.python, preview(reply), text_of(reply))


def letter_at(session: Session, args: Mapping[str, Any]) -> int:
    """The index of the letter of this number. Raises `CommandRefused`."""
    number = int(args["number"])
    places = [place for place, letter in enumerate(session.dead_letters) if letter.number == number]
    if not places:
        raise CommandRefused("this letter is not here any more: it was retried or discarded already")
    return places[0]


def last_error(session: Session, task: str) -> str:
    """What user code of a task raised last, or nothing."""
    for event in reversed(session.events):
        if event.task == task and event.kind in ("error", "skip"):
            return shown(event.text)
    return ""


def condition_of(when: str) -> Callable[[Any], object]:
    """`lambda value: when`, with the names of the notebook. Raises `CommandRefused` for what is no expression."""
    try:
        compile(when, "<condition>", "eval")
    except (SyntaxError, ValueError) as error:
        raise CommandRefused(f"{preview(when)} is no expression of Python: {error}") from None
    condition: Callable[[Any], object] = eval(f"lambda value: ({when}\n)", names_of_notebook())
    return condition
