"""What user functions in actors share with the test that waits for them: a moment, a log, a packet to hold."""

from __future__ import annotations

import os
import pickle
import select
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from runtime.testing import PATIENCE_S, Moment

_FOLDER: Final = tempfile.TemporaryDirectory(prefix="shared-")


class SharedMoment(Moment):
    """A `Moment` of several processes: a pipe with a name, in which a byte stays once it has come."""

    def __init__(self, name: str = "the moment") -> None:
        super().__init__(name)
        handle, path = tempfile.mkstemp(dir=_FOLDER.name)
        os.close(handle)
        os.unlink(path)
        os.mkfifo(path)
        self._path = path
        self._pipe = _Pipe(path)

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "_path": self._path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._pipe = _Pipe(self._path)

    def set(self) -> None:
        """Let it come."""
        os.write(self._pipe.number, b".")

    @property
    def has_come(self) -> bool:
        """Whether it was set."""
        return bool(select.select([self._pipe.number], [], [], 0)[0])

    def wait(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until it is set."""
        if not select.select([self._pipe.number], [], [], timeout_s)[0]:
            raise AssertionError(f"{self.name} has not come within {timeout_s} s")


class _Pipe:
    """A named pipe, open for reading and writing."""

    def __init__(self, path: str) -> None:
        self.number = os.open(path, os.O_RDWR)
        _open_pipes.append(self.number)


_open_pipes: Final[list[int]] = []


def close_pipes() -> None:
    """After a test: forget its moments."""
    while _open_pipes:
        os.close(_open_pipes.pop())


class SharedLog(Sequence[Any]):
    """A list that several processes append to: a file of pickles."""

    def __init__(self) -> None:
        handle, self._path = tempfile.mkstemp(dir=_FOLDER.name)
        os.close(handle)

    def append(self, value: Any) -> None:
        """Write one line, in one step."""
        line = pickle.dumps(value)
        with open(self._path, "ab", buffering=0) as file:
            file.write(len(line).to_bytes(4, "little") + line)

    def _values(self) -> list[Any]:
        written = Path(self._path).read_bytes()
        values = []
        while written:
            length = int.from_bytes(written[:4], "little")
            values.append(pickle.loads(written[4 : 4 + length]))
            written = written[4 + length :]
        return values

    def __getitem__(self, index: Any) -> Any:
        return self._values()[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __eq__(self, other: object) -> bool:
        return self._values() == (other._values() if isinstance(other, SharedLog) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._values())


class SharedHold:
    """As `runtime.testing.Hold`, in another process: passes what it gets, and waits once, where `when` is true.

    As a context it is released at the end, so that a test that fails in it fails by its own error, and at once.
    """

    def __init__(self, when: Callable[[Any], object] = lambda _: True) -> None:
        self.reached, self.released = SharedMoment("the packet to hold"), SharedMoment("the release")
        self._when = when

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __call__(self, value: Any) -> Any:
        if not self.reached.has_come and self._when(value):
            self.reached.set()
            self.released.wait()
        return value

    def release(self) -> None:
        """Let the held packet, and every other, pass."""
        self.released.set()
