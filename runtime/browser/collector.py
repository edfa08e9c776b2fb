"""The collector of garbage, which is ours in a tab.

Python's own collects an increment, generation 1, whenever enough has been made, and looks at the stacks for it. Those
that were put away are not there to be looked at: up to Pyodide 314.0.7 the interpreter dies of it (pyodide#6464). Full
collections, and those of the youngest objects, look at no stack. So the automatic one is off, and these are made here,
each time that a stack is about to wait and enough has been made since.
"""

from __future__ import annotations

import gc
from itertools import count
from typing import Final

YOUNG: Final = 5_000  # objects, after which the youngest are looked at
FULL: Final = 30  # of such collections one is a full one

_made: Final = count(1)


def tidy() -> None:
    """Collect, if it is time to."""
    if gc.get_count()[0] > YOUNG:
        gc.collect(0 if next(_made) % FULL else 2)


def take_over() -> None:
    """From now on only `tidy` collects, and who calls `gc.collect()`."""
    gc.disable()
