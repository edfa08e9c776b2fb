"""The traceback of an error as Python prints it: with causes, notes and the members of groups. Knows no packet.

Everything is bounded, and nothing but the error's own message may run code of the user's (see `error_message.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from traceback import format_tb
from typing import Any, Final

from runtime.texts.error_message import message_of
from runtime.texts.preview import preview, printable, type_name

MAX_FRAMES: Final = 20  # of one error, the innermost
MAX_ERRORS: Final = 10  # that one comes from, the last ones
MAX_MEMBERS: Final = 15  # of a group
MAX_DEPTH: Final = 5  # of groups in groups
MAX_NOTES: Final = 10
_MAX_NOTE: Final = 1_000

_SLOTS: Final = vars(BaseException)  # what a class of the user's says of itself is not asked
_MEMBERS: Any = vars(BaseExceptionGroup)["exceptions"]
_MRO: Any = type.__dict__["__mro__"]
_MODULE: Any = type.__dict__["__module__"]
_CAUSED: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


def traceback_text(error: BaseException) -> str:
    """Where `error` was raised and what it came from, as Python prints it. Each part is bounded."""
    return printable("".join(_chain(error, 0)))


def _chain(error: BaseException, level: int) -> Iterator[str]:
    """What it came from, the first one first, then itself; as the member of so many groups."""
    found: list[tuple[BaseException, str]] = []
    each, behind = error, ""
    while all(each is not known for known, _ in found):
        if len(found) == MAX_ERRORS:
            yield from _with_margin("… what these came from is left out\n\n", level)
            break
        found.append((each, behind))
        cause, context = _SLOTS["__cause__"].__get__(each), _SLOTS["__context__"].__get__(each)
        if cause is not None:
            each, behind = cause, _CAUSED
        elif context is not None and not _SLOTS["__suppress_context__"].__get__(each):
            each, behind = context, _DURING
        else:
            break
    for each, behind in reversed(found):
        yield from _group(each, level) if _is_group(each) else _with_margin(_own_text(each), level)
        yield from _with_margin(behind, level)


def _group(error: BaseException, level: int) -> Iterator[str]:
    """A group: itself, then each of its members between two lines."""
    text = _own_text(error)
    if level == 0:
        level = 1
        head, newline, text = text.partition("\n")
        yield f"  {'+' if text else '|'} {head}{newline}"
    yield from _with_margin(text, level)
    members = _MEMBERS.__get__(error)
    indent = "  " * level
    for number, member in enumerate(members[:MAX_MEMBERS], 1):
        yield f"{indent}{'+-' if number == 1 else '  '}+---------------- {number} ----------------\n"
        if level > MAX_DEPTH:
            yield from _with_margin(f"… {len(members):,} more, in groups in groups\n", level + 1)
            break
        yield from _chain(member, level + 1)
    if len(members) > MAX_MEMBERS:
        yield from _with_margin(f"… {len(members) - MAX_MEMBERS:,} more\n", level + 1)
    elif _is_group(members[-1]) and level <= MAX_DEPTH:
        return  # it has drawn the last line
    yield f"{indent}  +{'-' * 36}\n"


def _own_text(error: BaseException) -> str:
    """One error, with its notes, without what it came from."""
    traceback = _SLOTS["__traceback__"].__get__(error)
    lines = []
    if traceback is not None:
        group = "Exception Group " if _is_group(error) else ""
        lines = [f"{group}Traceback (most recent call last):\n", *format_tb(traceback, limit=-MAX_FRAMES)]
    return "".join(lines) + "".join(f"{text}\n" for text in (_last_line(error), *_notes(error)))


def _with_margin(text: str, level: int) -> Iterator[str]:
    if level == 0 or not text:
        yield text
        return
    margin = f"{'  ' * level}| "
    for line in text.removesuffix("\n").split("\n"):
        yield f"{margin}{line}\n"


def _is_group(error: BaseException) -> bool:
    return any(kind is BaseExceptionGroup for kind in _MRO.__get__(type(error)))


def _last_line(error: BaseException) -> str:
    kind = type(error)
    module, name, message = _MODULE.__get__(kind), type_name(kind), message_of(error)
    if type(module) is str and module not in ("builtins", "__main__"):
        name = f"{module[:200]}.{name}"
    return f"{name}: {message}" if message else name


def _notes(error: BaseException) -> list[str]:
    notes = _SLOTS["__dict__"].__get__(error).get("__notes__") if "__dict__" in _SLOTS else None
    if type(notes) is not list:
        return []
    shown = [note[:_MAX_NOTE] if type(note) is str else preview(note) for note in notes[:MAX_NOTES]]
    return shown + ([f"… {len(notes) - MAX_NOTES:,} more notes"] if len(notes) > MAX_NOTES else [])
