"""Replacing: another function takes the place of an operator's, in all its tasks or in none; or another object that of
a service. Knows no thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from runtime.context.worker_control import WorkerControl
from runtime.control.records import Record, Records
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import CommandRefused, GraphInvalid, NotPaused, TaskEnded, UnknownName, error_text
from runtime.factory import Handle
from runtime.factory.own_functions import OwnFunctions
from runtime.graph import CoFunctions, OperatorNode, ServiceNode
from runtime.graph.validation import takes, validate_service
from runtime.operators import Function
from runtime.operators.awaited import refuse_other_kind
from runtime.operators.function import callable_of
from runtime.scheduling.waiting import Until, Waiting
from runtime.texts.preview import preview, printable


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is to take the place of an operator's functions, or of a service's object: how, and what is said of it.

    `carry_out` comes to what there is to warn of. `text` is what to call it, the next version of `kind`.
    """

    name: str
    carry_out: Callable[[], Waiting[list[str]]]
    text: str
    kind: str
    given: tuple[str | None, ...]
    functions: tuple[Any, ...]


class Replacing:
    """Replaces functions of one run, and objects of its services.

    Only the thread of commands does, but for what says that it is the caller's.
    """

    def __init__(self, dispatcher: Dispatcher, workers: Workers, records: Records) -> None:
        self._dispatcher, self._workers, self._records = dispatcher, workers, records
        self._busy: set[str] = set()  # operators and services of which a replacement is under way
        self._versions: dict[str, int] = {}  # of those that have had one

    def new(self, name: str, functions: Sequence[Any]) -> Replacement:
        """The caller's part, which runs user code: copies, as tasks are given them.

        Raises as `Session.replace` says, but for what only the tasks can know.
        """
        for service in self._workers.graph.service_nodes:
            if service.name == name:
                return self._renewal(service, functions)
        node = self._operator(name)
        functions = _checked(node, functions)
        handles = self._workers.find(node.name)
        own = OwnFunctions(travels=self._workers.backend.travels)
        mended = replace(node, function=CoFunctions(*functions) if len(functions) > 1 else functions[0])
        copies = [own.of(mended, index) for index in range(node.parallelism)]
        own.use()
        sent = [
            self._workers.backend.sendable([handle], tuple(each) if type(each) is CoFunctions else (each,), stays=True)
            for handle, each in zip(handles, copies, strict=True)
        ]
        begins = any(map(_begins, functions))
        carry_out = partial(self._exchange, node.name, handles, sent, begins=begins)
        text, given = " and ".join(map(_called, functions)), (repr(node.name), *map(_name_of, functions))
        return Replacement(node.name, carry_out, text, "function", given, functions)

    def _renewal(self, service: ServiceNode, makes: Sequence[Any]) -> Replacement:
        if len(makes) != 1:
            raise GraphInvalid(f"service {service.name!r} has one object, and {len(makes)} to make one were given")
        (make,) = makes
        validate_service(replace(service, make=make))
        (handle,) = self._workers.find(service.name)
        sent = self._workers.backend.sendable([handle], make, stays=True)
        text, given = f"what {_called(make)} makes", (repr(service.name), _name_of(make))
        return Replacement(service.name, partial(_renew, handle, sent), text, "object", given, (make,))

    def _operator(self, name: str) -> OperatorNode:
        """The operator of this name, or that of the task. Raises `UnknownName`, `CommandRefused`."""
        graph = self._workers.graph
        found = self._workers.operator_of.get(name, name)
        if found not in graph.by_name:
            raise UnknownName("operator", name, graph.by_name)
        node = graph.by_name[found]
        if not node.traits.needs_function or not node.traits.replaceable:
            raise CommandRefused(
                f"{node.kind} {found!r} has no function that is called for each packet, and that another could replace"
            )
        return node

    def replace(self, new: Replacement) -> Waiting[None]:
        """Let it take the place of what there is, everywhere, or nowhere.

        Raises what carrying it out raises: then all is as it was.
        """
        yield Until(lambda: new.name not in self._busy, watched=False)
        self._busy.add(new.name)
        try:
            warnings = yield from new.carry_out()
        finally:
            self._busy.discard(new.name)
        self._put_down(new)
        for warning in warnings:
            self._dispatcher.warned(new.name, warning)

    def _exchange(
        self, name: str, handles: Sequence[Handle], sent: Sequence[Any], *, begins: bool
    ) -> Waiting[list[str]]:
        """Open the new functions in all tasks, then let them take the place of the old ones, which are closed.

        Where they are such that user code is run before they are called, it `begins`. Raises `NotPaused`, `TaskEnded`,
        and what opening raises.
        """
        controls = [handle.control for handle in handles]
        at_rest = yield from self._workers.at_its_gate(controls, lambda: _at_rest(controls))
        tasks = list(zip(controls, sent, at_rest, strict=True))
        if begins and False in at_rest:
            handle = handles[at_rest.index(False)]
            raise NotPaused(
                f"{handle.name!r} is paused in the middle of a packet, and the new function is to be opened on its "
                "thread; step() whom it waits for until it is done, or resume() and pause() again"
            )
        ready: list[WorkerControl] = []
        lost: dict[str, None] = {}
        try:
            for control, functions, is_at_rest in tasks:
                if is_at_rest:
                    lost |= dict.fromkeys((yield from control.have_done("prepare", functions)))
                    ready.append(control)
        except BaseException:
            for control in ready:
                yield from self._give_back(name, control)
            raise
        failed = ""
        for control, functions, is_at_rest in tasks:
            with suppress(TaskEnded):  # by a cancel: it has closed both
                if is_at_rest:
                    _, why = yield from control.have_done("exchange")
                    failed = failed or why
                elif is_at_rest is not None:
                    control.ask("replace_later", functions)
        names = ", ".join(lost)
        gone = f"attributes of the old function are gone ({names}): take_over(self, old) can keep them"
        raised = f"close() of the function that was replaced raised {failed}"
        return [*([gone] if lost else ()), *([raised] if failed else ())]

    def _give_back(self, name: str, control: WorkerControl) -> Waiting[None]:
        try:
            yield from control.have_done("give_back")
        except TaskEnded:  # it has closed both
            pass
        except Exception as error:  # noqa: BLE001  the border to user code; another error is on its way
            self._dispatcher.warned(name, f"close() of the function that was not wanted raised {error_text(error)}")

    def _put_down(self, new: Replacement) -> None:
        version = self._versions[new.name] = self._versions.get(new.name, 1) + 1
        text = f"replace: {printable(new.text)} is version {version} of its {new.kind}"
        turn = self._workers.turns()
        self._records.add(Record("replace", new.name, text, new.given, turn, functions=new.functions))
        self._dispatcher.edited(new.name, text)


def _renew(handle: Handle, make: Any) -> Waiting[list[str]]:
    failed = yield from handle.control.have_done("renew", make)
    return [f"close() of the object that was replaced raised {failed}"] if failed else []


def _at_rest(controls: Sequence[WorkerControl]) -> list[bool | None]:
    """Of each, whether it is at rest, or waits in mid-packet; None: it has ended. Raises `TaskEnded` if all have."""
    found: list[bool | None] = []
    over: TaskEnded | None = None
    for control in controls:
        try:
            found.append(control.ask("is_at_rest"))
        except TaskEnded as error:
            found.append(None)
            over = error
    if over is not None and found.count(None) == len(found):
        raise over
    return found


def _checked(node: OperatorNode, functions: Sequence[Any]) -> tuple[Any, ...]:
    """These, if they can take the place of an operator's. Raises `GraphInvalid`, `AsyncRefused`."""
    name, wanted = node.name, len(node.functions)
    if len(functions) != wanted:
        many = "a function for each of its two inputs" if wanted > 1 else "one function"
        raise GraphInvalid(f"{node.kind} {name!r} has {many}, and {len(functions)} were given")
    for new in functions:
        if not isinstance(new, Function) and not callable(new):
            raise GraphInvalid(f"{preview(new)} cannot take the place of the function of {name!r}: it cannot be called")
        refuse_other_kind(node.kind, name, new, is_awaited=node.traits.is_awaited)
        if not takes(callable_of(new), node.traits.arguments):
            raise GraphInvalid(
                f"{preview(new)} cannot take the place of the function of {name!r}, a {node.kind}: it has to be called "
                f"with {node.traits.arguments} argument{'s' if node.traits.arguments > 1 else ''}"
            )
    return tuple(functions)


def _begins(function: Any) -> bool:
    kind = type(function)
    return isinstance(function, Function) and (kind.open, kind.take_over) != (Function.open, Function.take_over)


def _called(function: Any) -> str:
    """What to call it in an event."""
    name = getattr(function, "__name__", None)
    return name if type(name) is str else type(function).__name__


def _name_of(function: Any) -> str | None:
    """By which name a cell may know it; None: by none."""
    name = _called(function)
    return name if name.isidentifier() and not isinstance(function, Function) else None
