"""How the running Python words its own errors: not every version says the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


def worded(failing: Callable[[], object]) -> str:
    """The type and the text of what this raises."""
    try:
        failing()
    except Exception as error:  # noqa: BLE001  whatever it is, it is what was asked for
        return f"{type(error).__name__}: {error}"
    raise AssertionError("it did not fail")


DIVIDED_BY_ZERO: Final = worded(lambda: 1 // 0)
