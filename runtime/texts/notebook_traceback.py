"""What IPython shows of an error: the frames of the person's code, without those of the runtime. Knows no error.

They stay in `__traceback__`, which the standard `traceback` module, a debugger and a log see whole.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

_OURS: Final = f"{Path(__file__).parents[1]}{os.sep}"


def rendered(error: BaseException) -> list[str]:
    """`error` and its causes as the running IPython writes them, each without frames of the runtime."""
    whole = [(each, each.__traceback__) for each in _chain(error)]
    shell: Any = sys.modules["IPython"].get_ipython()
    try:
        for each, traceback in whole:
            each.__traceback__ = without_runtime(traceback)
        lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
        return lines
    finally:
        for each, traceback in whole:
            each.__traceback__ = traceback


def without_runtime(traceback: TracebackType | None) -> TracebackType | None:
    """`traceback` without frames of the runtime; where there are no others, as it is."""
    frames = []
    each = traceback
    while each is not None:
        frames.append(each)
        each = each.tb_next
    kept: TracebackType | None = None
    for frame in reversed(frames):
        if not frame.tb_frame.f_code.co_filename.startswith(_OURS):
            kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return traceback if kept is None else kept


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from, as they are shown."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
