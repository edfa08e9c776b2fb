"""Calling services by hand: the services of a session by name, their methods as attributes. Knows no queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from runtime.communication.calls import DEFAULT_METHOD
from runtime.control.breakpoints import Home
from runtime.errors import CommandRefused, UnknownName
from runtime.texts.preview import preview


class Service:
    """One service, called by hand: `service(5)` calls `process`, `service.now()` any other public method.

    A call waits for the answer, 10 seconds at most, and raises what `Session.call` raises; that one takes a timeout.
    """

    _name: str
    _home: Home

    def __init__(self, name: str, home: Home) -> None:
        self.__dict__.update(_name=name, _home=home)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method `process`."""
        return self._home.call(self._name, (DEFAULT_METHOD, args, kwargs))

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """What calls `method`. Whether there is such a method, the service itself says when it is called."""
        if method.startswith("_"):  # what Python and notebooks ask every object for
            raise AttributeError(f"{method!r} is private, and no method of a service")
        return partial(self._ask, method)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse it: this calls the service and is not it. Raises `CommandRefused`."""
        raise CommandRefused(
            f"{name} = {preview(value)} would be set on what calls service {self._name!r}, not on the service; what it "
            f"keeps is changed by a method of its own: session.services[{self._name!r}].set_{name}(…), say"
        )

    def __delattr__(self, name: str) -> None:
        """Refuse it as well. Raises `CommandRefused`."""
        raise CommandRefused(f"{name!r} cannot be deleted by what calls service {self._name!r}")

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._home.call(self._name, (method, args, kwargs))

    def __repr__(self) -> str:
        return f"Service({self._name!r})"


class Services(Mapping[str, Service]):
    """The services of a session by name. Raises `UnknownName` for others."""

    def __init__(self, names: Iterable[str], home: Home) -> None:
        self._services = {name: Service(name, home) for name in names}

    def __getitem__(self, name: str) -> Service:
        try:
            return self._services[name]
        except KeyError:
            raise UnknownName("service", name, self._services) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._services)

    def __len__(self) -> int:
        return len(self._services)

    def __repr__(self) -> str:
        return f"Services({', '.join(self._services)})"
