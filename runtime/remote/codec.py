"""How values travel between processes, whatever carries them: what a codec does, and values that it has encoded."""

from __future__ import annotations

import io
import pickle
from typing import Any, NamedTuple, Protocol

from runtime.errors import NotSendable, error_text
from runtime.texts.preview import preview


class Serialized(NamedTuple):
    """An encoded value. `refs` say where its large buffers are, in a way that its codec knows."""

    blob: bytes
    refs: tuple[Any, ...] = ()


class Codec(Protocol):
    """How the processes of one platform say things to each other. Any thread may use it, also several at once."""

    @property
    def node(self) -> str | None:
        """The machine that this process runs on, as the platform names it; None if there is only one."""

    @property
    def pickler(self) -> Any:
        """The class of pickler by which functions and classes travel as this platform wants it."""

    def encode(self, value: Any) -> Serialized:
        """The value as bytes. Raises what pickling raises: whatever its classes do."""

    def decode(self, serialized: Serialized) -> Any:
        """The value. Raises what unpickling raises."""

    def pack(self, message: Any) -> Any:
        """A message, made of encoded values, as a call takes and returns it."""

    def unpack(self, packed: Any) -> Any:
        """The message. No code of the values in it runs."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        raise pickle.UnpicklingError("it would call something")


def is_plain(serialized: Serialized) -> bool:
    """Whether it can be unpacked without running anybody's code, and without asking for anything: text, numbers …"""
    if serialized.refs:
        return False
    try:
        _PlainUnpickler(io.BytesIO(serialized.blob)).load()
    except Exception:  # noqa: BLE001  whoever unpacks it hears why
        return False
    return True


class Pickled:
    """A value that was pickled already: packed in its place it arrives as the value, and no code of its class runs.

    So one thread may pickle what another one sends. Large buffers stay where they are until then. Raises `NotSendable`
    if the value cannot be pickled, or not be unpickled again.
    """

    __slots__ = ("_blob", "_buffers")

    def __init__(self, value: Any, codec: Codec) -> None:
        self._buffers: list[pickle.PickleBuffer] = []
        try:
            with io.BytesIO() as file:
                codec.pickler(file, protocol=5, buffer_callback=self._buffers.append).dump(value)
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


def require_sendable(value: Any, codec: Codec) -> None:
    """Raise `NotSendable` if a value cannot be packed, or not be unpacked again. Large buffers stay where they are."""
    Pickled(value, codec)


def not_sendable(value: Any, error: BaseException) -> NotSendable:
    """What to say of a value that cannot travel, because of `error`."""
    return NotSendable(
        f"{preview(value)} cannot travel to another process ({error_text(error)}); send what can be pickled: "
        "no locks, open files, connections or generators"
    )
