"""The errors travel: from the process where they were raised to the one that has to hear of them."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import pytest

import runtime
from runtime import errors
from runtime.facts import Outcome


def every_error() -> Iterable[runtime.DataflowError]:
    """One of each class, with what its class is made from."""
    made: dict[type[runtime.DataflowError], runtime.DataflowError] = {
        errors.UnknownName: errors.UnknownName("task", "cuont", ["count", "words"]),
        errors.TaskFailed: errors.TaskFailed("count", (1, 2), ValueError("no"), Outcome("failed", 3, 1)),
    }
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in classes:
        if issubclass(kind, runtime.DataflowError):
            yield made.get(kind) or kind(f"a {kind.__name__}")


@pytest.mark.parametrize("error", list(every_error()), ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_in_another_process(error: runtime.DataflowError) -> None:
    error.__cause__ = ValueError("the original")
    error.add_note("where")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
    assert repr(copy.__cause__) == repr(error.__cause__)
