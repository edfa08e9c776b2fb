"""How much memory a value takes, about: near the truth for what fills memory, in bounded time, and never an error."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from runtime.python.size import estimated_size

KB = 1_000


@dataclasses.dataclass
class Page:
    number: int
    body: bytes


class Hostile:
    def __sizeof__(self) -> int:
        raise LookupError("not told")

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


class Odd(list[int]):
    def __iter__(self) -> Any:
        raise LookupError("not now")


class Boastful:
    nbytes = "very many"


@pytest.mark.parametrize(
    ("value", "least"),
    [
        (bytes(500 * KB), 500 * KB),
        ("a" * 500 * KB, 500 * KB),
        (bytearray(500 * KB), 500 * KB),
        (np.zeros(500 * KB, dtype="u1"), 500 * KB),
        (np.zeros(1000 * KB, dtype="u1")[::2], 500 * KB),
        (memoryview(bytes(500 * KB)), 500 * KB),
        (np.float64(1), 8),
        ((1, bytes(500 * KB)), 500 * KB),
        ([bytes(50 * KB)] * 10, 500 * KB),
        ({"a": bytes(500 * KB)}, 500 * KB),
        ({bytes(500 * KB): 1}, 500 * KB),
        (frozenset([bytes(500 * KB)]), 500 * KB),
        (Page(1, bytes(500 * KB)), 500 * KB),
        (list(range(100_000)), 3_000 * KB),
    ],
    ids=[
        "bytes",
        "text",
        "bytearray",
        "array",
        "view",
        "memoryview",
        "scalar",
        "tuple",
        "list",
        "value",
        "key",
        "set",
        "fields",
        "numbers",
    ],
)
def test_what_fills_memory_is_seen(value: Any, least: int) -> None:
    assert least <= estimated_size(value) <= 2 * least + 2 * KB


def test_a_small_value_is_small_and_no_value_is_an_error() -> None:
    for value in (None, 1, "", (), [], {}, object(), Hostile(), Boastful(), [Hostile()], Odd([1]), len, Page):
        assert 0 < estimated_size(value) < 3 * KB
