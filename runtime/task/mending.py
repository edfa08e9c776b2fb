"""Mending: lets another function take the place of an operator's, on the task's own thread, between two packets.

In two steps, so that of several tasks all change or none: `prepare` opens the new one, while the old one stays; then
`exchange`, or, where another task could not be prepared, `give_back`. What the operator itself remembers, and what a
function keeps in the context's state, is neither's, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from runtime.errors import CommandRefused, error_text
from runtime.operators import Function, Operator
from runtime.task.policy_operator import PolicyOperator

if TYPE_CHECKING:
    from runtime.task.base_task import BaseTask


class Mending:
    """What one task does of a replacement. By its own thread alone."""

    def __init__(self, task: BaseTask) -> None:
        self._task = task
        self._next: tuple[Any, ...] = ()  # prepared, to take the place of what there is
        self._opened: list[Function[Any, Any]] = []

    def prepare(self, functions: tuple[Any, ...]) -> tuple[str, ...]:
        """Open these, and let them take over what they want. What they do not take over: names of attributes.

        Raises what that raises, after they were closed again, and `CommandRefused`.
        """
        self._require_thread(functions)
        lost: dict[str, None] = {}
        try:
            self._between_packets(lambda: self._open(functions, lost))
        except BaseException:
            self.give_back()
            raise
        self._next = functions
        return tuple(lost)

    def _open(self, functions: Sequence[Any], lost: dict[str, None]) -> None:
        for old, new in zip(self._operator.functions, functions, strict=True):
            if any(new is opened for opened in self._opened):
                continue
            operator = self._operator
            if isinstance(new, Function):
                self._opened.append(new)
                operator.come_to(new._opened_in(operator.context_of(self._task.ctx)), f"open() of {self._task.name!r}")
            if not isinstance(old, Function):
                continue
            if isinstance(new, Function) and type(new).take_over is not Function.take_over:
                operator.come_to(new.take_over(old), f"take_over() of {self._task.name!r}")
            else:
                lost |= dict.fromkeys(name for name in vars(old) if name != "ctx")

    def _require_thread(self, functions: Sequence[Any]) -> None:
        """Raise `CommandRefused` where a function would want one thread for its life, and may get several."""
        if self._task.may_change_threads and any(_keeps_thread(function) for function in functions):
            raise CommandRefused(
                f"{self._task.name!r} may be worked by several threads in turn, in a chain, and the new function "
                "overrides open(), so that it would want one for its life; say chain=False where the graph is written"
            )

    def exchange(self) -> tuple[int, str]:
        """Let them take the place of what there was, which is closed: the version, and what that has raised."""
        operator = self._operator
        old = {id(function): function for function in operator.functions if isinstance(function, Function)}
        could_reach_context = operator.has_context
        operator.replace(self._next, self._task.ctx)
        if operator.has_context and not could_reach_context:
            self._task.hear_context(operator)
        self._next, self._opened = (), []
        try:
            self._between_packets(lambda: _close(operator, list(old.values())))
        except Exception as error:  # noqa: BLE001  the border to user code; nobody waits for it any more
            return operator.version, error_text(error)
        return operator.version, ""

    def replace(self, functions: tuple[Any, ...]) -> None:
        """Both at once, of what needs no opening."""
        self.prepare(functions)
        if self.exchange()[1]:
            self._task.reporter.warned(self._task.name, "close() of the function that was replaced has raised")

    def give_back(self) -> None:
        """Close them: they will not take anybody's place. Raises what that raises."""
        opened, self._next, self._opened = self._opened, (), []
        self._between_packets(lambda: _close(self._operator, opened))

    def end(self) -> None:
        """The task ends: what was prepared is closed."""
        try:
            self.give_back()
        except BaseException as error:  # noqa: BLE001  the border to user code; the old one still has to be closed
            self._task.reporter.warned(
                self._task.name, f"close() of a function that was prepared raised {error_text(error)}"
            )

    @property
    def _operator(self) -> Operator:
        operator = self._task.operator
        return operator.inner if isinstance(operator, PolicyOperator) else operator

    def _between_packets(self, work: Callable[[], None]) -> None:
        """Do it; what user code sends meanwhile belongs to no packet."""
        operator = self._task.operator
        if isinstance(operator, PolicyOperator):
            operator.outside_of_packets(work)
        else:
            work()


def _close(operator: Operator, functions: Sequence[Any]) -> None:
    """All of them, whatever the others raise."""
    with ExitStack() as closing:
        for function in functions:
            closing.callback(operator.close_function, function)


def _keeps_thread(function: Any) -> bool:
    return isinstance(function, Function) and type(function).open is not Function.open
