"""Calls of actors, from whoever has their handles: their answers, waited for, and their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import ray
from ray.exceptions import RayError

NoAnswer: Final = RayError
"""What waiting for an answer raises where there is none: its actor has died, cannot be made, or does not answer."""


def answer_of(asked: Any) -> Any:
    """Wait for what a call returns. Raises `NoAnswer`."""
    return ray.get(asked)


def answered(asked: Sequence[Any], most: int, timeout_s: float | None = None) -> tuple[list[Any], list[Any]]:
    """Wait for the answers, or the failures, of `most` calls, or for so long: which are there, and which are not."""
    return ray.wait(list(asked), num_returns=most, timeout=timeout_s)


def kill(actor: Any) -> None:
    """End its process at once."""
    ray.kill(actor)
