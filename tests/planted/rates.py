"""Bugs of policies that wait, and of rates."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, of, one

POLICY, SEEDED = "graph/policy.py", "scheduling/seeded.py"
RETRY = "18_retry"

OF_RATES: Final[tuple[Mutant, ...]] = (
    one(
        "Retry: comes before the exception wants",
        POLICY,
        "max(wait_s, _asked_for_s(error))",
        "wait_s",
        of(RETRY, "test_a_repeat_waits_for_the_larger_of_its_back_off_and_what_the_exception_asks_for"),
    ),
    one(
        "Retry: asks no member of a group",
        POLICY,
        "if isinstance(error, BaseExceptionGroup) else asked_s",
        "if False else asked_s",
        of(RETRY, "test_what_a_member_of_a_group_asks_for_is_waited_for"),
    ),
    one(
        "Retry: an exception may ask for more than the most",
        POLICY,
        "return min(max(wait_s, _asked_for_s(error)), self._most_s)",
        "return max(wait_s, _asked_for_s(error))",
        of(RETRY, "test_every_wait_is_what_the_rule_says"),
    ),
    one(
        "Retry: chance does not come from the seed",
        SEEDED,
        "return self._scheduler.chance()",
        "return super().chance()",
        of(RETRY, "test_jitter_repeats_under_a_seed_and_differs_between_seeds"),
    ),
    one(
        "Retry: repeats a group of which a member is not worth it",
        POLICY,
        "and all(map(self._is_worth_it",
        "and any(map(self._is_worth_it",
        of(RETRY, "test_only_errors_of_these_types_are_repeated_and_then_applies_to_all_others"),
    ),
    one(
        "Retry: repeats any error after the first",
        POLICY,
        "not self._is_worth_it(error)",
        "not (repeat or self._is_worth_it(error))",
        of(RETRY, "test_an_error_after_others_that_were_repeated_is_asked_about_as_well"),
    ),
)
