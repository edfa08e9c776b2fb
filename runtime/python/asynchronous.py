"""Recognises functions that would only return a coroutine, and refuses them where nobody awaits it. Knows no tasks.

A function is checked before anything runs. A decorated one may hide it (its decorator may well run it), so the first
value that it returns is checked instead.
"""

from __future__ import annotations

import functools
import inspect
from types import AsyncGeneratorType, BuiltinFunctionType, CoroutineType, FunctionType, MethodType
from typing import Any, Final

from runtime.errors import AsyncRefused

_WRAPPERS: Final = (MethodType, staticmethod, classmethod)
_PLAIN: Final = (FunctionType, BuiltinFunctionType, MethodType, type)
"""Classes of which no method is async."""


def is_async(candidate: Any) -> bool:
    """Whether calling this makes a coroutine, or an asynchronous generator. Asks functions only, no double of one."""
    candidate = _unwrapped(candidate)
    return issubclass(type(candidate), FunctionType) and (
        inspect.iscoroutinefunction(candidate) or inspect.isasyncgenfunction(candidate)
    )


def is_async_generator(candidate: Any) -> bool:
    """Whether calling this makes an asynchronous generator. Asks functions only."""
    candidate = _unwrapped(candidate)
    return issubclass(type(candidate), FunctionType) and inspect.isasyncgenfunction(candidate)


def _unwrapped(candidate: Any) -> Any:
    while True:
        kind = type(candidate)
        if issubclass(kind, functools.partial):
            candidate = candidate.func
        elif issubclass(kind, _WRAPPERS):
            candidate = candidate.__func__
        else:
            return candidate


def async_method(function: Any) -> str | None:
    """Which method of `function` that the runtime calls is async; empty: itself; None: none is."""
    if is_async(function):
        return ""
    if type(function) in _PLAIN:  # looking for its methods would take long
        return None
    for name in getattr(type(function), "called_by_the_runtime", ("__call__",)):
        if is_async(inspect.getattr_static(type(function), name, None)):
            return "" if name == "__call__" else name
    return None


def refuse_async(function: Any, operator: str) -> None:
    """Raise `AsyncRefused` if calling `function`, or one of its methods that are called, would make a coroutine."""
    method = async_method(function)
    if method is not None:
        raise _refusal(f"{method or 'the function'}{'()' if method else ''} of {operator!r}")


def refuse_coroutine(made: Any, what: str) -> Any:
    """What `what` has returned. Raises `AsyncRefused` if that is a coroutine or an asynchronous generator."""
    if type(made) is CoroutineType:
        made.close()  # nobody will await it, and this is said here
    elif type(made) is not AsyncGeneratorType:
        return made
    raise _refusal(what)


def _refusal(what: str) -> AsyncRefused:
    return AsyncRefused(
        f"{what} is an `async def`; only sources, map, filter, flat_map, map_batches and sink await what they call, "
        "where it can be seen to be one: make it a plain `def` (asyncio.run inside it works)"
    )
