"""Values on their way to another process: as bytes, with large buffers beside them by reference. Knows no mail.

Everything goes through cloudpickle, so functions and classes of a notebook travel by value, and one that comes back is
the class that it was. A buffer of more than `LARGE` bytes (of an array, mostly) is put into Ray's object store once and
read there in place: it is not copied into messages, and what arrives is read-only.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Final, NamedTuple

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
        refs.append(ray.put(pickle.PickleBuffer(raw)))
        return False

    with io.BytesIO() as file:
        _pickler(file, protocol=5, buffer_callback=keep_in_band).dump(value)
        return Freight(file.getvalue(), tuple(refs))


def unpack(freight: Freight) -> Any:
    """The value. Raises what unpickling raises."""
    if not freight.refs:
        return pickle.loads(freight.blob)
    return pickle.loads(freight.blob, buffers=ray.get(list(freight.refs)))


def arrives(value: Any) -> bool:
    """Whether a value can be packed, and unpacked again."""
    try:
        unpack(pack(value))
    except Exception:  # noqa: BLE001  the border to user code
        return False
    return True
