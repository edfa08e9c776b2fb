"""One error as bytes, by the best form that arrives: as it is, in parts, or as a stand-in. Knows no other error.

User code says how its errors are pickled, and may be wrong. So a form is sent only after it was read back; the last one
consists of texts, and cannot fail. `refers` and `refer` turn errors within an error into what stands for them.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from tblib import Traceback

from runtime.errors import DataflowError
from runtime.texts.preview import preview, type_name

Refers = Callable[[Any], object | None]
"""What stands for a value in the bytes of another one; None: the value itself."""

Dumps = Callable[[Any], bytes]
"""Pickles a value. Raises what pickling raises."""

Refer = Callable[[Any], Any]
"""What that stood for."""

_slots: Final = vars(BaseException)  # what a class of the user's says of itself is not asked


@cache
def _referring(pickler: Any) -> Any:
    """A class of pickler that asks what stands for values."""

    further = getattr(pickler, "reducer_override", None)

    class Pickler(pickler):  # type: ignore[misc]  # untyped
        def __init__(self, file: io.BytesIO, refers: Refers) -> None:
            super().__init__(file, protocol=5)
            self._refers = refers

        def persistent_id(self, value: Any) -> object | None:
            return self._refers(value)

        def reducer_override(self, value: Any) -> Any:
            if issubclass(type(value), DataflowError):  # without its cause, which is sent beside it
                return _as_it_was, (type(value), value.args, vars(value))
            return NotImplemented if further is None else further(self, value)

    return Pickler


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, refer: Refer) -> None:
        super().__init__(file)
        self._refer = refer

    def persistent_load(self, pid: Any) -> Any:
        return self._refer(pid)


def dumps_by(pickler: Any, refers: Refers) -> Dumps:
    """What pickles values by a class of pickler, but for what `refers` stands for. Raises what pickling raises."""
    kind = _referring(pickler)

    def dumps(value: Any) -> bytes:
        with io.BytesIO() as file:
            kind(file, refers).dump(value)
            return file.getvalue()

    return dumps


def loads(blob: bytes, refer: Refer) -> Any:
    """The value. Raises what unpickling raises."""
    return _Unpickler(io.BytesIO(blob), refer).load()


def _as_it_was(kind: type[BaseException], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    """An error without a call of its class, which may be made from something else than its arguments."""
    native = next(each for each in kind.__mro__ if not each.__flags__ & _HEAP_TYPE)
    error: BaseException = native.__new__(kind, *arguments)
    _slots["args"].__set__(error, arguments)
    _slots["__dict__"].__get__(error).update(attributes)
    return error


_HEAP_TYPE: Final = 1 << 9  # of a class that a class statement has made


class Part(NamedTuple):
    """A value as it travels, and the text that arrives in its place if it cannot."""

    blob: bytes | None
    text: str

    @classmethod
    def of(cls, value: Any, dumps: Dumps) -> Self:
        """What arrives of a value. Raises nothing."""
        try:
            return cls(dumps(value), preview(value))
        except BaseException:  # noqa: BLE001  the border to user code, which says how its values are pickled
            return cls(None, preview(value))

    def value(self, refer: Refer) -> Any:
        """The value, or its text. Raises nothing but an interrupt."""
        if self.blob is not None:
            try:
                return loads(self.blob, refer)
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001  the border to user code
                pass
        return self.text


class _Parts(NamedTuple):
    """An error whose type arrives, with what of its arguments and attributes does."""

    kind: bytes
    arguments: tuple[Part, ...]
    attributes: dict[str, Part]

    def error(self, refer: Refer) -> BaseException:
        arguments = tuple(part.value(refer) for part in self.arguments)
        attributes = {name: part.value(refer) for name, part in self.attributes.items()}
        return _as_it_was(loads(self.kind, refer), arguments, attributes)


class _StandIn(NamedTuple):
    """An error of a class that does not arrive: one of the same name, under the nearest class above it that does."""

    base: bytes
    module: str
    name: str
    arguments: tuple[Part, ...]

    def error(self, refer: Refer) -> BaseException:
        arguments = tuple(part.value(refer) for part in self.arguments)
        return _as_it_was(_stand_in(loads(self.base, refer), self.module, self.name), arguments, {})


@lru_cache(maxsize=1_000)  # the same class for all errors of one
def _stand_in(base: type[BaseException], module: str, name: str) -> type[BaseException]:
    return type(name, (base,), {"__module__": module, "__doc__": "Stands for a class that cannot be pickled."})


def _in_parts(error: BaseException, dumps: Dumps) -> _Parts:
    attributes = _slots["__dict__"].__get__(error)
    return _Parts(
        dumps(type(error)),
        _arguments(error, dumps),
        {name: Part.of(value, dumps) for name, value in dict.items(attributes) if type(name) is str},
    )


def _as_stand_in(error: BaseException, dumps: Dumps) -> _StandIn:
    kind = type(error)
    base = next(each for each in kind.__mro__[1:] if _travels(each, dumps))
    module = kind.__module__
    return _StandIn(dumps(base), module if type(module) is str else "?", type_name(kind), _arguments(error, dumps))


def _travels(kind: type, dumps: Dumps) -> bool:
    try:
        return loads(dumps(kind), _nothing) is not None
    except BaseException:  # noqa: BLE001  the border to user code: a metaclass
        return False


def _arguments(error: BaseException, dumps: Dumps) -> tuple[Part, ...]:
    return tuple(Part.of(value, dumps) for value in _slots["args"].__get__(error))


_FORMS: Final[tuple[Callable[[BaseException, Dumps], Any], ...]] = (lambda error, _: error, _in_parts, _as_stand_in)


def body_of(error: BaseException, dumps: Dumps) -> bytes:
    """The best form of an error that can be read back, as bytes; none can: no bytes. Raises nothing.

    Errors that it refers to, and itself, are given to what `dumps` asks.
    """
    for form in _FORMS:
        try:
            blob = dumps(form(error, dumps))
            read = _read(blob, _some_error)
            if isinstance(read, BaseException) and type_name(type(read)) == type_name(type(error)):
                return blob
        except BaseException:  # noqa: BLE001  the border to user code; the next form asks less of it
            continue
    return b""


def error_of(body: bytes, text: str, refer: Refer) -> BaseException:
    """The error. Raises nothing but an interrupt: what cannot be read here, though it could be there, is its text."""
    try:
        error = _read(body, refer)
        if isinstance(error, BaseException):
            return error
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  the border to user code
        pass
    return DataflowError(f"{text} (an error that cannot be unpickled)")


def _read(body: bytes, refer: Refer) -> Any:
    form = loads(body, refer)
    return form.error(refer) if isinstance(form, (_Parts, _StandIn)) else form


def _some_error(_: object) -> BaseException:
    """Stands for another error while it is tried out whether a form arrives."""
    return Exception()


def _nothing(_: object) -> None:
    """Stands for what no class refers to."""


# ── tracebacks ──


class FrameFacts(NamedTuple):
    """What arrives of one frame of a traceback."""

    file: str
    function: str
    line: int
    module: str


def frames_of(traceback: TracebackType | None, most: int) -> tuple[FrameFacts, ...]:
    """The frames of a traceback, the innermost last.

    Of one with more than `most` frames, the outermost fifth and the innermost rest, and between them, how many are left
    out.
    """
    frames = list(_walk(traceback))
    if (excess := len(frames) - most) <= 0:
        return tuple(frames)
    outermost = most // 5
    gap = FrameFacts("…", f"{excess:,} frames are left out", 0, "")
    return (*frames[:outermost], gap, *frames[outermost + excess :])


def _walk(traceback: TracebackType | None) -> Iterable[FrameFacts]:
    while traceback is not None:
        frame = traceback.tb_frame
        code, module = frame.f_code, dict.get(frame.f_globals, "__name__")
        yield FrameFacts(
            code.co_filename, code.co_name, traceback.tb_lineno or 0, module if type(module) is str else "?"
        )
        traceback = traceback.tb_next


def traceback_of(frames: Iterable[FrameFacts]) -> TracebackType | None:
    """A traceback with these frames, for people and for tools that print it."""
    inner: dict[str, Any] | None = None
    for each in reversed(tuple(frames)):
        inner = {
            "tb_frame": {
                "f_globals": {"__name__": each.module, "__file__": each.file},
                "f_code": {"co_filename": each.file, "co_name": each.function},
                "f_lineno": each.line,
            },
            "tb_lineno": each.line,
            "tb_next": inner,
        }
    traceback: TracebackType | None = None if inner is None else Traceback.from_dict(inner).as_traceback()
    return traceback
