"""What is to happen when user code raises: fail the job, skip the packet, try again first. Knows no tasks.

Another policy is another class of `Policy`; what it says is carried out in `task/policy_operator.py`.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeGuard

from runtime.errors import GraphInvalid
from runtime.texts.preview import preview

Verdict = Literal["fail", "skip"] | tuple[Any, ...]
"""What becomes of a packet that is not tried again; or what is sent in place of what it should have made."""


class Policy:
    """What an exception in user code does to the packet it was raised for: as it stands here, skip it. By value."""

    __slots__ = ()

    def repeat_after_s(self, repeat: int) -> float | None:
        """How long to wait before repeat 0, 1, 2 …; None: there is no such repeat."""
        return None

    def given_up(self, error: Exception) -> Verdict:
        """What becomes of a packet whose last attempt has raised `error`."""
        return "skip"


@dataclass(frozen=True, slots=True)
class Retry(Policy):
    """Try a packet again up to `n` times; if none of the attempts succeeds, do what `then` says.

    The task waits `backoff` seconds before the first repeat, and twice as long before each further one; nothing
    overtakes the packet, and a cancel ends the wait at once. What an attempt made is sent only if it succeeds; what it
    changed elsewhere (state, files, services) is not taken back. There is no repeat for a generator, which its own
    error has finished, nor after `ResultsTooLarge`: there `then` applies at once.

    Raises `GraphInvalid`.
    """

    n: int
    backoff: float = 0.0
    then: Literal["fail", "skip"] = "fail"

    def __post_init__(self) -> None:
        if type(self.n) is not int or self.n < 1:
            raise GraphInvalid(f"n of Retry is {preview(self.n)}; it must be a whole number of at least 1")
        if type(self.backoff) not in (int, float) or not 0 <= self.backoff < math.inf:
            raise GraphInvalid(
                f"backoff of Retry is {preview(self.backoff)}; it must be a number of seconds, 0 or more"
            )
        if self.then not in ("fail", "skip"):
            raise GraphInvalid(f"then of Retry is {preview(self.then)}; it can be 'fail' or 'skip'")

    def wait_s(self, repeat: int) -> float:
        """How long to wait before repeat 0, 1, 2 …; never longer than a lock can be waited for."""
        try:
            return min(math.ldexp(self.backoff, repeat), threading.TIMEOUT_MAX)
        except OverflowError:
            return threading.TIMEOUT_MAX

    def repeat_after_s(self, repeat: int) -> float | None:
        """That long, `n` times."""
        return self.wait_s(repeat) if repeat < self.n else None

    def given_up(self, error: Exception) -> Verdict:
        """What `then` says."""
        return self.then


OnError = Literal["fail", "skip"] | Retry
"""What an exception in an operator's user code does.

`"fail"`: the job is cancelled and `wait()` raises. `"skip"`: the packet is counted and kept in `session.dead_letters`,
the job goes on. `Retry`: try again first.

Policies are for packets (of a source, its items), and for errors that can be meant for them. What `open`, `finish` and
`close` raise fails the job under every policy; so does what is no `Exception` (`SystemExit`, `KeyboardInterrupt`,
`GeneratorExit`), and `MemoryError`.

Under `"skip"` and `Retry` the results of one packet are sent all or none, once it is done with, and held in memory till
then: at most about `max_results_bytes` of them, or `ResultsTooLarge` is the packet's error; under `"fail"` each is sent
as it is made. What user code has changed before it raised is not taken back: state is not rolled back.
"""

MAX_RESULTS_BYTES: Final = 256 * 2**20
"""About how many bytes of one packet's results are held back, if nothing else is said."""


def is_policy(policy: object) -> TypeGuard[OnError | Policy]:
    """Whether this can be an `on_error`."""
    return isinstance(policy, Policy) or (type(policy) is str and policy in ("fail", "skip"))


def policy_of(on_error: OnError | Policy) -> Policy:
    """The policy of an operator that does not fail at its first error."""
    return on_error if isinstance(on_error, Policy) else Policy()
