"""What is to happen when user code raises: fail the job, skip the packet, try again first. Knows no tasks.

Another policy is another class of `Policy`; what it says is carried out in `task/policy_operator.py`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Final, Literal, TypeGuard

from runtime.errors import GraphInvalid
from runtime.texts.preview import preview

Verdict = Literal["fail", "skip", "hold"] | tuple[Any, ...]
"""What becomes of a packet that is not tried again; or what is sent in place of what it should have made."""

_VERDICTS: Final = ("fail", "skip", "hold")


Chance = Callable[[], float]
"""A number of at least 0 and below 1, another one at each call; under a seed the same ones in each run."""


class Policy:
    """What an exception in user code does to the packet it was raised for: as it stands here, skip it. By value."""

    __slots__ = ()

    @property
    def may_hold(self) -> bool:
        """Whether `given_up` may say "hold": then a packet stays in its lane until it is done."""
        return False

    def repeat_after_s(self, repeat: int, error: Exception, chance: Chance) -> float | None:
        """How long to wait before repeat 0, 1, 2 …, after `error`; None: there is no such repeat."""
        return None

    def given_up(self, error: Exception) -> Verdict:
        """What becomes of a packet whose last attempt has raised `error`."""
        return "skip"


class Hold(Policy):
    """Hold the packet, and the job with it, until somebody has mended what is wrong."""

    __slots__ = ()
    may_hold = True

    def given_up(self, error: Exception) -> Verdict:
        """Hold it."""
        return "hold"


@dataclass(frozen=True, slots=True)
class Retry(Policy):
    """Try a packet again up to `n` times; if none of the attempts succeeds, do what `then` says.

    The task waits `backoff` seconds before the first repeat, and twice as long before each further one; with `jitter`
    a part of that, which chance chooses, so that many tasks do not try again all at once. If the exception has an
    attribute `retry_after`, a number of seconds, as those of many HTTP clients, it waits so long at least; of an
    `ExceptionGroup`, that of the member that wants most. No wait is longer than `most` seconds.

    `on` says which exceptions are worth another attempt, by their types; of all others `then` applies at once. A group
    is worth one if its type is among them, or each of its members is worth one.

    Nothing overtakes a packet that waits, and a cancel ends the wait at once. What an attempt made is sent only if it
    succeeds; what it changed elsewhere (state, files, services) is not taken back. There is no repeat for a generator,
    which its own error has finished, nor after `ResultsTooLarge`: there `then` applies at once. Under a seed waits are
    virtual, and the parts of `jitter` the same in each run.

    Raises `GraphInvalid`.
    """

    n: int
    backoff: float = 0.0
    then: Literal["fail", "skip", "hold"] = "fail"
    _: KW_ONLY
    on: type[Exception] | tuple[type[Exception], ...] = (Exception,)
    most: float = 60.0
    jitter: bool = False

    def __post_init__(self) -> None:
        if type(self.n) is not int or self.n < 1:
            raise GraphInvalid(f"n of Retry is {preview(self.n)}; it must be a whole number of at least 1")
        if type(self.backoff) not in (int, float) or not 0 <= self.backoff < math.inf:
            raise GraphInvalid(
                f"backoff of Retry is {preview(self.backoff)}; it must be a number of seconds, 0 or more"
            )
        if type(self.most) not in (int, float) or not self.most >= 0:
            raise GraphInvalid(
                f"most of Retry is {preview(self.most)}; it must be a number of seconds, 0 or more, or math.inf"
            )
        if self.then not in _VERDICTS:
            raise GraphInvalid(f"then of Retry is {preview(self.then)}; it can be 'fail', 'skip' or 'hold'")
        if not self._types or not all(isinstance(each, type) and issubclass(each, Exception) for each in self._types):
            raise GraphInvalid(
                f"on of Retry is {preview(self.on)}; it must be a subclass of Exception, or a tuple of some: what is "
                "none, as SystemExit, fails the job under every policy"
            )
        if type(self.jitter) is not bool:
            raise GraphInvalid(f"jitter of Retry is {preview(self.jitter)}; it must be True or False")

    def __repr__(self) -> str:
        """As it is written, without what is said by name and is as by default."""
        shown = [each for each in fields(self) if not each.kw_only or getattr(self, each.name) != each.default]
        return f"Retry({', '.join(f'{each.name}={getattr(self, each.name)!r}' for each in shown)})"

    @property
    def _types(self) -> tuple[Any, ...]:
        return self.on if type(self.on) is tuple else (self.on,)

    @property
    def may_hold(self) -> bool:
        """If `then` says so."""
        return self.then == "hold"

    def wait_s(self, repeat: int) -> float:
        """How long to wait before repeat 0, 1, 2 …, if neither chance nor the exception says otherwise."""
        try:
            return min(math.ldexp(self.backoff, repeat), self._most_s)
        except OverflowError:
            return self._most_s

    @property
    def _most_s(self) -> float:
        return min(self.most, threading.TIMEOUT_MAX)

    def repeat_after_s(self, repeat: int, error: Exception, chance: Chance) -> float | None:
        """That long, or as the exception says, `n` times."""
        if repeat >= self.n or not self._is_worth_it(error):
            return None
        wait_s = self.wait_s(repeat)
        if self.jitter:
            wait_s *= chance()
        return min(max(wait_s, _asked_for_s(error)), self._most_s)

    def _is_worth_it(self, error: BaseException) -> bool:
        if isinstance(error, self._types):
            return True
        return isinstance(error, BaseExceptionGroup) and all(map(self._is_worth_it, error.exceptions))

    def given_up(self, error: Exception) -> Verdict:
        """What `then` says."""
        return self.then


def _asked_for_s(error: BaseException) -> float:
    """How long the exception itself wants to be waited for; 0 if it says nothing that can be understood."""
    try:
        seconds = getattr(error, "retry_after", None)
    except Exception:  # noqa: BLE001  the border to user code: it may be a property
        seconds = None
    asked_s: float = seconds if isinstance(seconds, int | float) and seconds >= 0 else 0.0
    return max(asked_s, *map(_asked_for_s, error.exceptions)) if isinstance(error, BaseExceptionGroup) else asked_s


OnError = Literal["fail", "skip", "hold"] | Retry
"""What an exception in an operator's user code does.

`"fail"`: the job is cancelled and `wait()` raises. `"skip"`: the packet is counted and kept in `session.dead_letters`,
the job goes on. `"hold"`: the packet stays first in its lane and the job pauses, until somebody has mended the function
(`session.replace`), edited the packet or skipped it (`session.held`), and resumes. `Retry`: try again first.

Policies are for packets (of a source, its items), and for errors that can be meant for them. What `open`, `finish` and
`close` raise fails the job under every policy; so does what is no `Exception` (`SystemExit`, `KeyboardInterrupt`,
`GeneratorExit`), and `MemoryError`. The items of a source have no queue in which they could wait: where packets are
held, they fail.

Under `"skip"`, `"hold"` and `Retry` the results of one packet are sent all or none, once it is done with, and kept in
memory till then: at most about `max_results_bytes` of them, or `ResultsTooLarge` is the packet's error; under `"fail"`
each is sent as it is made. What user code has changed before it raised is not taken back: state is not rolled back.
"""

MAX_RESULTS_BYTES: Final = 256 * 2**20
"""About how many bytes of one packet's results are held back, if nothing else is said."""


def is_policy(policy: object) -> TypeGuard[OnError | Policy]:
    """Whether this can be an `on_error`."""
    return isinstance(policy, Policy) or (type(policy) is str and policy in _VERDICTS)


def policy_of(on_error: OnError | Policy) -> Policy:
    """The policy of an operator that does not fail at its first error."""
    if isinstance(on_error, Policy):
        return on_error
    return Hold() if on_error == "hold" else Policy()
