"""What a page shows of packets that are held, and where another function comes from: the notebook's own names."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, Final

import runtime
from runtime import CommandRefused, Function, Held, Session
from runtime.errors import error_text
from runtime.texts.literal import literal_of
from runtime.texts.preview import preview
from sage_nb.python import names_of_notebook
from sage_nb.serializers import MAX_TRACED, folded, letters_of
from sage_nb.texts import shown
from sage_nb.wire import HeldCard, Letters

_OURS: Final = f"{Path(runtime.__file__).parent}{os.sep}"


def all_letters_of(session: Session, about: Mapping[str, Any] | None = None) -> Letters:
    """The dead letters, as `letters_of` says, and what is held, in graph order."""
    letters = letters_of(session, about)
    letters["held"] = [_card(session, held) for held in session.held]
    return letters


def _card(session: Session, held: Held) -> HeldCard:
    operator, traceback = operator_of(session, held.task), held.traceback
    names = _names(session, operator)
    return HeldCard(
        task=held.task,
        place=list(held.waiting.place or ()),
        operator=operator,
        packet=shown(preview(held.packet)),
        literal=literal_of(held.packet),
        error=shown(error_text(held.error)),
        traceback=shown(traceback, MAX_TRACED),
        folded=shown(folded(traceback), MAX_TRACED),
        source=shown(_source_of(held.error), MAX_TRACED),
        version=held.version,
        function=names[0] if names else "",
    )


def held_of(session: Session, task: str, place: Sequence[int]) -> tuple[int, Held]:
    """What a task holds that lay at this place, and which of `session.held` it is. Raises `CommandRefused`."""
    for index, held in enumerate(session.held):
        if held.task == task and list(held.waiting.place or ()) == list(place):
            return index, held
    raise CommandRefused(f"{task!r} does not hold this packet any more: it was mended, or tried again")


def operator_of(session: Session, task: str) -> str:
    """The operator of a task, which may have the same name."""
    return task if task in session.graph.by_name else task.rpartition("#")[0]


def replace_from_cell(session: Session, operator: str) -> str:
    """Let the function of that name that cells see now take the place of an operator's. The line that does the same.

    Raises `CommandRefused` if there is none, or it is still the one that the graph was written with, and as `replace`.
    """
    names = _names(session, operator)
    known = names_of_notebook()
    name = next((name for name in names if name in known), None)
    if name is None:
        listed = " or ".join(map(repr, names)) or "a name of its own"
        raise CommandRefused(f"no cell has made a function called {listed}; write one, and run its cell")
    found = known[name]
    function = session.graph.by_name[operator].function
    line = f"session.replace({operator!r}, {name})"
    if found is function or (isinstance(function, Function) and found is type(function)):
        raise CommandRefused(f"{name!r} is still the function that has raised: change its cell, and run that first")
    if isinstance(found, type) and (isinstance(function, Function) or issubclass(found, Function)):
        found, line = found(), f"session.replace({operator!r}, {name}())"
    session.replace(operator, found)
    return line


def _names(session: Session, operator: str) -> list[str]:
    """What a cell may call the function of an operator: by its own name, or by that of the operator."""
    node = session.graph.by_name.get(operator)
    if node is None or len(node.functions) != 1:
        return []
    function = node.function
    own = type(function).__name__ if isinstance(function, Function) else getattr(function, "__name__", "")
    return [name for name in dict.fromkeys((own, operator)) if type(name) is str and name.isidentifier()]


def _source_of(error: BaseException) -> str:
    """The person's function that was called for the packet, as it was written; empty if that cannot be known."""
    code = next(_codes(error.__traceback__), None)
    if code is None:
        return ""
    try:
        return inspect.getsource(code)
    except (OSError, TypeError, SyntaxError, IndexError):
        return ""


def _codes(traceback: TracebackType | None) -> Iterator[CodeType]:
    """Those of the frames that are not the runtime's, the outermost first."""
    while traceback is not None:
        code: Any = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_OURS):
            yield code
        traceback = traceback.tb_next
