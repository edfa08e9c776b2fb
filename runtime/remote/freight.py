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
        mapped = _mapped.get(_where(raw))
        refs.append(ray.put(pickle.PickleBuffer(raw)) if mapped is None else mapped)
        return False

    with io.BytesIO() as file:
        _pickler(file, protocol=5, buffer_callback=keep_in_band).dump(value)
        return Freight(file.getvalue(), tuple(refs))


def unpack(freight: Freight) -> Any:
    """The value. Raises what unpickling raises."""
    if not freight.refs:
        return pickle.loads(freight.blob)
    views = [memoryview(buffer) for buffer in ray.get(list(freight.refs))]
    for ref, view in zip(freight.refs, views, strict=True):
        if (where := _where(view)) is not None:
            _mapped[where] = ref
            finalize(view, _mapped.pop, where, None)
    return pickle.loads(freight.blob, buffers=views)


def _where(view: memoryview) -> tuple[int, int] | None:
    """Where the bytes of a buffer are, and how many; None if that cannot be told."""
    numpy = sys.modules.get("numpy")  # whose arrays large buffers mostly are; else each is put anew
    if numpy is None:
        return None
    return numpy.frombuffer(view, dtype="u1").__array_interface__["data"][0], view.nbytes


_mapped: Final[
    dict[tuple[int, int] | None, ObjectRef[Any]]
] = {}  # buffers that are in use here


def arrives(value: Any) -> bool:
    """Whether a value can be packed, and unpacked again."""
    try:
        unpack(pack(value))
    except Exception:  # noqa: BLE001  the border to user code
        return False
    return True
