"""What a function returns for its first packet, looked at once: it may show that something else was meant.

A coroutine is refused, as long as there are any. Of what is possible, but hardly meant, a warning tells. After the
first packet the function itself is called, so this costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from types import GeneratorType
from typing import Any

from runtime.operators.function import Context
from runtime.python.asynchronous import refuse_coroutine


def first_look(
    call: Callable[..., Any], ctx: Context, doubt: Callable[[Any], str | None], done: Callable[[], None]
) -> Callable[..., Any]:
    """`call`, looked at: `doubt` says what to warn of. `done` is called after a result that is none of a coroutine."""

    is_done = False

    def looked_at(*values: Any) -> Any:
        nonlocal is_done
        if is_done:  # whoever has taken this in place of the function has not taken that yet
            return call(*values)
        made = refuse_coroutine(call(*values), f"the function of {ctx.name!r}")
        if (text := doubt(made)) is not None:
            ctx.warn(text)
        is_done = True
        done()
        return made

    return looked_at


def doubt_generator(made: Any, then: str) -> str | None:
    """What to say of a function that makes generators where nobody draws from them."""
    return f"its function yields, so it makes generators, and {then}" if type(made) is GeneratorType else None


def doubt_text(made: Any) -> str | None:
    """What to say of a text where several results are expected."""
    if type(made) is not str:
        return None
    return "its function returns a text, of which each character is sent; return [text] to send it as one"


def no_results(operator: str) -> TypeError:
    """What to raise for None where several results are expected."""
    return TypeError(
        f"the function of {operator} returned None; it has to return, or yield, the results of a packet (a map sends "
        "what its function returns)"
    )
