"""Values and messages for another process of Ray's: as bytes, with large buffers beside them by reference.

Everything goes through cloudpickle, so functions and classes of a notebook travel by value, and one that comes back is
the class that it was. A buffer of more than `LARGE` bytes (of an array, mostly) is put into Ray's object store once and
read there in place: it is not copied into messages, and what arrives is read-only. Passed on, it is the same object.
"""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any, Final
from weakref import finalize

import ray
from ray import ObjectRef, cloudpickle

from runtime.remote.codec import Serialized

LARGE: Final = 100_000
"""Bytes; a buffer that is larger goes by reference."""


class RayCodec:
    """Pickles by cloudpickle, and puts large buffers into the object store."""

    pickler: Any = cloudpickle.Pickler

    def encode(self, value: Any) -> Serialized:
        """The value as bytes. Raises what pickling raises: whatever its classes do."""
        refs: list[ObjectRef[Any]] = []

        def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes <= LARGE:
                return True
            refs.append(_put(raw))
            return False

        with io.BytesIO() as file:
            self.pickler(file, protocol=5, buffer_callback=keep_in_band).dump(value)
            return Serialized(file.getvalue(), tuple(refs))

    def decode(self, serialized: Serialized) -> Any:
        """The value. Raises what unpickling raises."""
        if not serialized.refs:
            return pickle.loads(serialized.blob)
        found = ray.get(list(serialized.refs))
        numpy = _numpy()
        buffers = found if numpy is None else [numpy.frombuffer(buffer, dtype="u1") for buffer in found]
        value = pickle.loads(serialized.blob, buffers=buffers)
        if numpy is not None:
            for ref, buffer in zip(serialized.refs, buffers, strict=True):
                where = _where(buffer)
                _mapped[where] = ref
                finalize(buffer, _mapped.pop, where, None)  # which the value keeps alive
        return value

    @property
    def node(self) -> str:
        """The node of the cluster that this process runs on."""
        node: str = ray.get_runtime_context().get_node_id()
        return node

    def pack(self, message: Any) -> Any:
        """A message as bytes, which Ray carries a fifth quicker than anything else.

        References to the object store must be seen by Ray itself: a message that holds any is not changed.
        """
        with io.BytesIO() as file:
            try:
                _PicklerOfMessages(file, protocol=5).dump(message)
            except pickle.PicklingError:
                return message
            return file.getvalue()

    def unpack(self, packed: Any) -> Any:
        """The message."""
        return pickle.loads(packed) if type(packed) is bytes else packed


CODEC: Final = RayCodec()


def _refuse(ref: ObjectRef[Any]) -> Any:
    raise pickle.PicklingError("it refers to the object store")


class _PicklerOfMessages(pickle.Pickler):
    dispatch_table = {ObjectRef: _refuse}  # noqa: RUF012  as pickle declares it


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
