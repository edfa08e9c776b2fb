"""Values on their way to another process: as bytes, with large buffers beside them by reference. Knows no mail.

Everything goes through cloudpickle, so functions and classes of a notebook travel by value, and one that comes back is
the class that it was. A buffer of more than `LARGE` bytes (of an array, mostly) is put into Ray's object store once and
read there in place: it is not copied into messages, and what arrives is read-only. Passed on, it is the same object.
"""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any, Final, NamedTuple
from weakref import finalize

import ray
from ray import ObjectRef, cloudpickle

from runtime.errors import NotSendable, error_text
from runtime.texts.preview import preview

LARGE: Final = 100_000
"""Bytes; a buffer that is larger goes by reference."""


class Freight(NamedTuple):
    """A packed value. `refs` are its large buffers."""

    blob: bytes
    refs: tuple[ObjectRef[Any], ...] = ()


_pickler: Any = cloudpickle.Pickler


def pack(value: Any) -> Freight:
    """Pack a value. Raises what pickling raises: whatever its classes do."""
    refs: list[ObjectRef[Any]] = []

    def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes <= LARGE:
            return True
        refs.append(_put(raw))
        return False

    with io.BytesIO() as file:
        _pickler(file, protocol=5, buffer_callback=keep_in_band).dump(value)
        return Freight(file.getvalue(), tuple(refs))


class _HoldsRef(Exception):
    """Something refers to the object store."""


def _refuse(ref: ObjectRef[Any]) -> Any:
    raise _HoldsRef


def envelope(value: Any) -> Any:
    """A message, made of packed values, as an actor call takes or returns it; `opened` gives it back.

    As bytes, which Ray carries a fifth quicker than anything else. Only references to the object store must be seen by
    Ray itself; a message that holds any is not changed.
    """
    with io.BytesIO() as file:
        pickler = pickle.Pickler(file, protocol=5)
        pickler.dispatch_table = {ObjectRef: _refuse}
        try:
            pickler.dump(value)
        except _HoldsRef:
            return value
        return file.getvalue()


def opened(message: Any) -> Any:
    """What was put into an envelope."""
    return pickle.loads(message) if type(message) is bytes else message


def unpack(freight: Freight) -> Any:
    """The value. Raises what unpickling raises."""
    if not freight.refs:
        return pickle.loads(freight.blob)
    found = ray.get(list(freight.refs))
    numpy = _numpy()
    buffers = found if numpy is None else [numpy.frombuffer(buffer, dtype="u1") for buffer in found]
    value = pickle.loads(freight.blob, buffers=buffers)
    if numpy is not None:
        for ref, buffer in zip(freight.refs, buffers, strict=True):
            where = _where(buffer)
            _mapped[where] = ref
            finalize(buffer, _mapped.pop, where, None)  # which the value keeps alive
    return value


class _RunsCode(Exception):
    """Unpickling would call something."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        raise _RunsCode


def is_plain(freight: Freight) -> bool:
    """Whether it can be unpacked without running anybody's code, and without asking for anything: text, numbers …"""
    if freight.refs:
        return False
    try:
        _PlainUnpickler(io.BytesIO(freight.blob)).load()
    except Exception:  # noqa: BLE001  whoever unpacks it hears why
        return False
    return True


def _numpy() -> Any:
    """numpy, of whose arrays large buffers mostly are, if it is in use: its arrays say where they are."""
    return sys.modules.get("numpy")


def _where(buffer: Any) -> tuple[int, int]:
    """Where the bytes of an array are, and how many."""
    return buffer.__array_interface__["data"][0], buffer.nbytes


def _put(raw: memoryview) -> ObjectRef[Any]:
    """What refers to the bytes of a buffer in the object store: they are put there, unless they are there already."""
    numpy = _numpy()
    mapped = None if numpy is None else _mapped.get(_where(numpy.frombuffer(raw, dtype="u1")))
    return ray.put(pickle.PickleBuffer(raw)) if mapped is None else mapped


_mapped: Final[dict[tuple[int, int], ObjectRef[Any]]] = {}  # buffers that are in use here


class Pickled:
    """A value that was pickled already: packed in its place it arrives as the value, and no code of its class runs.

    So one thread may pickle what another one sends. Large buffers stay where they are until then. Raises `NotSendable`
    if the value cannot be pickled, or not be unpickled again.
    """

    __slots__ = ("_blob", "_buffers")

    def __init__(self, value: Any) -> None:
        self._buffers: list[pickle.PickleBuffer] = []
        try:
            with io.BytesIO() as file:
                _pickler(file, protocol=5, buffer_callback=self._buffers.append).dump(value)
                self._blob = file.getvalue()
            _unpickled(self._blob, *self._buffers)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the border to user code, which says how its values are pickled
            raise not_sendable(value, error) from error

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self._blob, *self._buffers)


def _unpickled(blob: bytes, *buffers: Any) -> Any:
    return pickle.loads(blob, buffers=buffers)


def require_sendable(value: Any) -> None:
    """Raise `NotSendable` if a value cannot be packed, or not be unpacked again. Large buffers stay where they are."""
    Pickled(value)


def not_sendable(value: Any, error: BaseException) -> NotSendable:
    """What to say of a value that cannot travel, because of `error`."""
    return NotSendable(
        f"{preview(value)} cannot travel to another process ({error_text(error)}); send what can be pickled: "
        "no locks, open files, connections or generators"
    )
