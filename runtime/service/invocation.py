"""The user's object behind a service, whose methods are asked for by name, and one request as interceptors see it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from runtime.communication.calls import Request
from runtime.context import ServiceContext
from runtime.errors import AsyncRefused, GraphInvalid, UnknownName, WrongArguments
from runtime.graph import ServiceNode
from runtime.python.asynchronous import is_async, is_async_generator
from runtime.scheduling.parker import Parker
from runtime.service.awaiting import ServiceLoop
from runtime.texts.near import did_you_mean

LIFE: Final = ("setup", "close")
"""The methods that the runtime calls itself."""


class ServiceObject:
    """The user's object behind one service: made, set up, asked for its public methods, closed."""

    def __init__(self, node: ServiceNode, has_to_await: bool | None = None) -> None:
        self._has_to_await = has_to_await  # None: how requests are answered is settled with it
        self.interceptors: tuple[Interceptor, ...] = ()  # that requests go through, from the next one on
        self._service, self._node = node.name, node
        self._instance: Any = None
        self.loop: ServiceLoop | None = None  # awaits, if some method is an `async def`
        self._known: dict[str, Callable[..., Any]] = {}

    def another(self, make: Callable[[], Any]) -> ServiceObject:
        """One that can take its place, of the same service."""

        def make_another() -> Any:
            if (made := make()) is self._instance:
                raise GraphInvalid(
                    f"what was to replace the object of service {self._service!r} has returned that object itself, "
                    "which is to be closed; let it make another one"
                )
            return made

        return ServiceObject(replace(self._node, make=make_another), self.loop is not None)

    def set_up(self, ctx: ServiceContext, parkers: Sequence[Parker]) -> None:
        """Make it, give it `ctx` if it has none of its own, and let it set itself up. Raises what its code raises."""
        instance = self._instance = self._node.make()
        awaits = has_async_methods(instance)
        if self._node.concurrency > 1 and self._has_to_await not in (None, awaits):
            raise self._other_kind(awaits=awaits)
        if awaits:
            self.loop = ServiceLoop(ctx, parkers[0], self._node.concurrency)
            ctx = self.loop.ctx
        before = getattr(instance, "ctx", None)
        # It may have one of an earlier run, if `make` returns one object again.
        if before is None or isinstance(before, ServiceContext):
            with suppress(AttributeError):  # slots, or a property: it does without
                instance.ctx = ctx
        set_up = getattr(instance, "setup", None)
        if callable(set_up):
            self._come_to(set_up())

    def go_on(self) -> None:
        """After another one was tried out on its thread: that waits by the loop of this one again, if it has one."""
        if self.loop is not None:
            self.loop.serve()

    def close(self) -> None:
        """Let it close itself, if it was made and can. Raises what its code raises."""
        loop, close = self.loop, getattr(self._instance, "close", None)
        made: Any = None
        try:
            made = close() if callable(close) else None
        finally:
            if loop is not None:
                loop.close(made)

    def _come_to(self, made: Any) -> Any:
        return made if self.loop is None else self.loop.come_to(made)

    def intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these."""
        self.interceptors = interceptors

    def answer(self, request: Request, parker: Parker) -> Any:
        """Execute a request, through the interceptors. Raises what it raises."""
        if not self.interceptors:
            return self.call(request, request.args, request.kwargs)
        return Invocation(request, self, parker).proceed()

    def find(self, name: str) -> Callable[..., Any]:
        """The method.

        Raises `UnknownName` for what is private, no method, or the runtime's to call, and `AsyncRefused` for an `async
        def` that was not there at the set-up, and for one that yields.
        """
        method = self._known.get(name)
        if method is None:
            hidden = name.startswith("_") or name in LIFE
            method = None if hidden else getattr(self._instance, name, None)
            if not callable(method):
                raise UnknownName(f"public method of service {self._service!r} called", name, self.names())
            if self.loop is None:
                self._refuse_unseen(name, method)
            elif is_async_generator(method):
                raise AsyncRefused(
                    f"method {name!r} of service {self._service!r} is an asynchronous generator, and a reply is one "
                    "value; return a list"
                )
            self._known[name] = method
        return method

    def names(self) -> list[str]:
        """What can be called by name. No property is run to find out."""
        return [
            name
            for name in dir(self._instance)
            if not name.startswith("_")
            and name not in LIFE
            and (callable(found := inspect.getattr_static(self._instance, name)) or isinstance(found, classmethod))
            and not (is_async(found) if self.loop is None else is_async_generator(found))
        ]

    def _refuse_unseen(self, name: str, method: Any) -> None:
        if is_async(method):
            raise AsyncRefused(
                f"method {name!r} of service {self._service!r} is an `async def` that was not there when the service "
                "was set up, so nothing awaits it: define it in its class, or make it a plain `def`"
            )

    def _other_kind(self, *, awaits: bool) -> AsyncRefused:
        has, had = ("`async def` methods", "none")[:: 1 if awaits else -1]
        return AsyncRefused(
            f"what is to replace the object of service {self._service!r} has {has}, and that has {had}: how several "
            f"requests are answered at once was settled when it was made; give one that has {had}, or run the job again"
        )

    def call(self, request: Request, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call what is asked for, and wait until it has come. Raises as `invoke`, and what an `async def` raises."""
        made = self.invoke(request, args, kwargs)
        return made if self.loop is None else self.loop.come_to(made)

    def invoke(self, request: Request, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call what is asked for; of an `async def`, what is to be awaited.

        Raises `WrongArguments` if it does not take these, and what it raises itself.
        """
        method = self._known.get(request.method) or self.find(request.method)
        try:
            return method(*args, **kwargs)
        except TypeError as error:
            refusal = _refusal(f"{self._service}.{request.method}", method, args, kwargs)
            if refusal is None:  # it took them, and raised by itself
                raise
            raise refusal from error


def has_async_methods(instance: Any) -> bool:
    """Whether some method of it, or of what a class makes, is an `async def`. No property is run to find out."""
    return any(is_async(inspect.getattr_static(instance, name, None)) for name in dir(instance) if name[:1] != "_")


def _refusal(
    what: str, method: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> WrongArguments | None:
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # written in C, without one
        return None
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        unknown = [name for name in kwargs if name not in signature.parameters]
        hint = did_you_mean(unknown[0], signature.parameters) if unknown else ""
        return WrongArguments(f"{what}{signature} cannot be called so: {error}{hint}")
    return None


class Invocation:
    """A request about to be executed, on the service's thread. `args` and `kwargs` may be replaced before `proceed`.

    * `service`, `method`, `callers` (who waits for the answer, the outermost first), `number` (of their calls).
    * `sleep(seconds)`: waits in the job's time, so that a seeded run repeats it; a cancel wakes it.
    """

    __slots__ = ("_inside", "_interceptors", "_object", "_request", "args", "kwargs", "sleep")

    def __init__(self, request: Request, asked: ServiceObject, parker: Parker) -> None:
        self._request, self._object = request, asked
        self._interceptors = asked.interceptors  # of this request, whatever comes meanwhile
        self.sleep: Callable[[float], None] = parker.sleep
        self._inside = 0  # how many interceptors are at work
        self.args: tuple[Any, ...] = request.args
        self.kwargs: dict[str, Any] = dict(request.kwargs)

    @property
    def service(self) -> str:
        """Which service is asked."""
        return self._request.service

    @property
    def method(self) -> str:
        """Which of its methods."""
        return self._request.method

    @property
    def callers(self) -> tuple[str, ...]:
        """Who waits for the answer, the outermost first."""
        return self._request.callers

    @property
    def number(self) -> int:
        """How many calls these `callers` had made before: the same call has the same number in every run."""
        return self._request.number

    def proceed(self) -> Any:
        """Execute the request, through the interceptors that follow. Raises what it raises. May be called again."""
        place = self._inside
        if place == len(self._interceptors):
            return self._object.call(self._request, self.args, self.kwargs)
        self._inside += 1
        try:
            return self._interceptors[place](self)
        finally:
            self._inside = place


Interceptor = Callable[[Invocation], Any]
"""Called in place of the method; returns the reply, mostly `invocation.proceed()`."""
