"""A codec for platforms on which values travel by what `pickle` makes of them."""

from __future__ import annotations

import pickle
from typing import Any, Final

from runtime.remote.codec import Serialized


class PickleCodec:
    """Pickles values in one piece, buffers included; messages go as they are to whatever pickles them."""

    pickler: Any = pickle.Pickler
    node = None

    def encode(self, value: Any) -> Serialized:
        """The value as bytes. Raises what pickling raises."""
        return Serialized(pickle.dumps(value, protocol=5))

    def decode(self, serialized: Serialized) -> Any:
        """The value. Raises what unpickling raises."""
        return pickle.loads(serialized.blob)

    def pack(self, message: Any) -> Any:
        """The message itself."""
        return message

    def unpack(self, packed: Any) -> Any:
        """The message itself."""
        return packed


CODEC: Final = PickleCodec()
