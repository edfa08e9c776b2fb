"""What an error says of itself: its `str`, bounded in time and length. Knows no error of the runtime's.

The text of an error may be made by the user's code, which may raise, hang, or return 50 MB. So a `__str__` of the
user's is asked on a thread that is left behind if it does not come back, and then its class is not asked again.
Python's own is asked only where it shows plain values: of others it would ask the `repr`, in one call that no other
thread can interrupt, however long it takes.
"""

from __future__ import annotations

import weakref
from _thread import allocate_lock, start_new_thread
from itertools import islice
from types import WrapperDescriptorType
from typing import Any, Final

from runtime.texts.preview import preview, printable

MAX_MESSAGE: Final = 500
"""How many characters of a message are shown."""

PATIENCE_S: Final = 1.0
"""How long a `__str__` that is not Python's own is waited for, once."""

_MAX_PLAIN: Final = 100_000  # of a text that Python's own code may copy
_MAX_ARGUMENTS: Final = 20  # that are looked at
_SLOTS: Final = vars(BaseException)  # what a class of the user's says of itself is not asked
_DICT: Any = type.__dict__["__dict__"]
_MRO: Any = type.__dict__["__mro__"]
_MESSAGE: Any = BaseExceptionGroup.__dict__["message"]

# By identity: a metaclass may have a hash of its own. A class that is gone has its place for the next.
_PLAIN: Final = frozenset(map(id, (str, bytes, int, float, bool, type(None))))
_silent: dict[int, weakref.ref[type]] = {}  # classes whose `__str__` did not come back


def message_of(error: BaseException) -> str:
    """`str(error)`, at most 500 characters of it, that can be printed anywhere. Never raises, never hangs."""
    if (text := _own_text(error)) is None:
        arguments = _SLOTS["args"].__get__(error)
        text = ", ".join(map(preview, arguments[:_MAX_ARGUMENTS]))
    text = str.__getitem__(text, slice(MAX_MESSAGE + 1))
    return printable(text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…")


def _own_text(error: BaseException) -> str | None:
    """`str(error)`; None if that raises, does not come back, or would ask values for their `repr`."""
    kind = type(error)
    written = next(_DICT.__get__(each)["__str__"] for each in _MRO.__get__(kind) if "__str__" in _DICT.__get__(each))
    if type(written) is WrapperDescriptorType:
        return str(error) if _is_plain(error, written) else None
    known = _silent.get(id(kind))
    if known is not None and known() is kind:
        return None
    said: list[str] = []
    over = allocate_lock()
    over.acquire()

    def ask() -> None:
        try:
            said.append(str(error))
        except BaseException:  # noqa: BLE001  the border to user code; the arguments are shown instead
            pass
        finally:
            over.release()

    try:
        start_new_thread(ask, ())
    except RuntimeError:  # no more threads
        return None
    if not over.acquire(timeout=PATIENCE_S):
        number = id(kind)
        _silent[number] = weakref.ref(kind, lambda _: _silent.pop(number, None))
    return said[0] if said else None


def _is_plain(error: BaseException, written: WrapperDescriptorType) -> bool:
    """Whether all that `written`, Python's own code, would show of it are plain values, none too long to copy."""
    kinds = _MRO.__get__(type(error))  # isinstance() would ask the object for its class
    if any(kind is BaseExceptionGroup for kind in kinds):  # of its members it shows the number
        return _is_plain_value(_MESSAGE.__get__(error))
    shown = [*_SLOTS["args"].__get__(error)[: _MAX_ARGUMENTS + 1]]
    if written is _SLOTS["__str__"] and len(shown) == 1 and type(shown[0]) is str:
        return True  # of any length: it is returned as it is
    for owner, names in _SHOWN:
        if any(kind is owner for kind in kinds):
            shown += [owner.__dict__[name].__get__(error) for name in names]
    return len(shown) <= _MAX_ARGUMENTS and all(map(_is_plain_value, shown))


def _is_plain_value(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) <= _MAX_PLAIN
    if kind is int:
        return bool(value.bit_length() <= 1_000)  # longer ones take long to write, or are refused
    if kind is tuple or kind is list:  # of an ImportError, a SyntaxError, a group
        return len(value) <= _MAX_ARGUMENTS and all(id(type(each)) in _PLAIN for each in islice(value, _MAX_ARGUMENTS))
    return id(kind) in _PLAIN


# What else Python's own errors show, besides their arguments.
_SHOWN: Final[tuple[tuple[type[BaseException], tuple[str, ...]], ...]] = (
    (OSError, ("errno", "strerror", "filename", "filename2")),
    (ImportError, ("msg", "name", "path")),
    (SyntaxError, ("msg", "filename", "lineno")),
)
