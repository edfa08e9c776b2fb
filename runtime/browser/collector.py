"""The collector of garbage, which is ours in a tab.

Python's own collects an increment, generation 1, whenever enough has been made, and looks at the stacks for it. Those
that were put away are not there to be looked at: up to Pyodide 314.0.7 the interpreter dies of it (pyodide#6464). Full
collections, and those of the youngest objects, look at no stack. So the automatic one is off, and these are made here,
each time that a stack is about to wait and enough has been made since.

*Nobody turns it on again.* Code that must not be disturbed calls `gc.disable()`, and `gc.enable()` when it is done; in
a tab these turn ours off and on, and `gc.collect(1)` is a full collection.
"""

from __future__ import annotations

import gc
from itertools import count
from typing import Any, Final

YOUNG: Final = 5_000  # objects, after which the youngest are looked at
FULL: Final = 30  # of such collections one is a full one

_made: Final = count(1)
_disable_pythons, _collect = gc.disable, gc.collect
_is_off: Final[list[bool]] = []  # empty while it is on


def tidy() -> None:
    """Collect, if it is time to."""
    if not _is_off and gc.get_count()[0] > YOUNG:
        _collect(0 if next(_made) % FULL else 2)


def enable() -> None:
    """Collect whenever enough has been made."""
    _is_off.clear()


def disable() -> None:
    """Collect only when `gc.collect` is called."""
    _is_off.append(True)


def is_enabled() -> bool:
    """Whether garbage is collected without being asked for."""
    return not _is_off


def collect(generation: int = 2) -> int:
    """Collect the youngest objects, of generation 0, or all. How many there were that nobody could reach."""
    return _collect(0 if generation == 0 else 2) if generation in (0, 1, 2) else _collect(generation)


def take_over() -> None:
    """From now on only `tidy` collects, and who calls `gc.collect()`."""
    _disable_pythons()


COLLECTOR: Final[dict[str, Any]] = {"enable": enable, "disable": disable, "isenabled": is_enabled, "collect": collect}
"""What `gc` has of it."""
