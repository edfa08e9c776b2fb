"""What the threads of a job take over from the thread that starts it. Knows nothing of the runtime."""

from __future__ import annotations

import contextvars
import decimal
from collections.abc import Callable
from functools import partial


def inherited(work: Callable[[], object]) -> Callable[[], object]:
    """`work`, for a thread that is to have the caller's context variables, as they are now.

    So what is set there holds in user code as well: `decimal.localcontext`, `numpy.errstate`, a `ContextVar`. What a
    thread sets itself stays its own, of the decimal context too, which is one object that all copies would share.
    """
    return partial(contextvars.copy_context().run, _work_with_own_decimals, work)


def _work_with_own_decimals(work: Callable[[], object]) -> None:
    decimal.setcontext(decimal.getcontext().copy())
    work()
