"""The functions of one run: for each instance those that are its own. Knows records and what users write, no task.

A `Function` and a `SourceFunction` are copied for each instance and each run, so the object given stays as it was and
nothing that a run remembers reaches the next run, or another operator. What cannot be copied is refused, unless nothing
but one instance on a thread would have a copy: that one works with the object itself, once.
"""

from __future__ import annotations

import copy
import threading
import weakref
from typing import Any, Final, NamedTuple

from runtime.errors import NotCopyable
from runtime.graph import CoFunctions, OperatorNode
from runtime.operators import Function, SharedItems, SourceFunction, must_be_shared


class _Borrowed(NamedTuple):
    """An object that is used itself, where, and why there is no copy of it."""

    function: Any
    operator: str
    error: Exception


class OwnFunctions:
    """The functions of one run. With `travels` they go to other processes by value, which copies them as well."""

    def __init__(self, *, travels: bool) -> None:
        self._travels = travels
        self._borrowed: list[_Borrowed] = []
        self._shares: dict[str, list[Any]] = {}

    def of(self, node: OperatorNode, index: int) -> Any:
        """What instance `index` works with. Raises `NotCopyable`."""
        if not node.traits.has_queue and node.parallelism > 1 and must_be_shared(node.function):
            shares = self._shares.get(node.name)
            if shares is None:
                shares = self._shares[node.name] = list(SharedItems(node.function, node.parallelism).shares())
            return shares[index]
        with_state = [function for function in node.functions if isinstance(function, Function | SourceFunction)]
        if not with_state:
            return node.function
        try:
            copies = copy.deepcopy(with_state)  # of two at once: what they share is shared by their copies
        except Exception as error:  # the border to user code
            if self._travels:
                return node.function
            if node.parallelism > 1:
                raise _not_copyable(node, with_state, error) from error
            self._borrowed += [_Borrowed(function, node.name, error) for function in with_state]
            return node.function
        own = {id(function): its_copy for function, its_copy in zip(with_state, copies, strict=True)}
        functions = [own.get(id(function), function) for function in node.functions]
        return CoFunctions(*functions) if isinstance(node.function, CoFunctions) else functions[0]

    def use(self) -> None:
        """The run begins: what is used itself cannot be used again. Raises `NotCopyable` if it has been already."""
        users: dict[int, str] = {}
        with _using:
            for each in self._borrowed:
                number = id(each.function)
                if number in _used or users.setdefault(number, each.operator) != each.operator:
                    raise _used_already(each, users.get(number))
            for each in self._borrowed:
                _note_use(each.function)


_used: Final[dict[int, weakref.ref[Any]]] = {}  # by id: objects that a run has worked with themselves
_using = threading.RLock()  # guards _used; a garbage collection may want it where it is held


def _note_use(function: Any) -> None:
    number = id(function)

    def forget(_: object) -> None:
        with _using:
            _used.pop(number, None)

    _used[number] = weakref.ref(function, forget)


def _not_copyable(node: OperatorNode, functions: list[Any], error: Exception) -> NotCopyable:
    names = " and ".join(type(function).__name__ for function in functions)
    return NotCopyable(
        f"{node.name!r} has parallelism {node.parallelism}, so each instance gets a copy of its {names}, and that "
        f"cannot be copied ({error}); open files, locks and connections in open()"
    )


def _used_already(each: _Borrowed, elsewhere: str | None) -> NotCopyable:
    where = "in a run before" if elsewhere is None else f"by {elsewhere!r}"
    kind = type(each.function).__name__
    refusal = NotCopyable(
        f"the {kind} of {each.operator!r} cannot be copied ({each.error}), so it is used itself, for one run of one "
        f"operator, and it is {where}; open files, locks and connections in open(), or give another {kind}"
    )
    refusal.__cause__ = each.error
    return refusal
