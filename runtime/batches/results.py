"""What a function of `map_batches` may return: one result for each packet, in whatever holds them in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set, Sized
from typing import Any, Final

from runtime.errors import WrongBatch
from runtime.texts.preview import preview

_UNORDERED: Final = (str, bytes, bytearray, Mapping, Set)
"""What has a length and can be gone through, but does not hold results in the order of packets."""


def one_for_each(made: Any, packets: int) -> list[Any]:
    """What the function has returned for so many packets, as a list. Raises `WrongBatch`."""
    results = made if type(made) is list else _listed(made)
    if len(results) != packets:
        raise WrongBatch(
            f"the function of map_batches returned {len(results):,} results for a batch of {packets:,} "
            "packets; it has to return one for each of them, in their order"
        )
    return results


def _listed(made: Any) -> list[Any]:
    """The results that an array, a column or the like holds. Raises `WrongBatch`."""
    if isinstance(made, _UNORDERED) or not (isinstance(made, Sized) and isinstance(made, Iterable)):
        raise WrongBatch(
            f"the function of map_batches returned {preview(made)}; it has to return a list, an array or a column, "
            "with one result for each packet, in their order"
        )
    return list(made)
