"""Which tests want the Ray cluster, and which of the promises' tests run on `remote` as well, in which sizes.

Not all do, as each makes processes: a job may have at most four, and what a test shares with its user functions has to
be shared by processes, too (`platform.log()`, `platform.moment()`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.endless import ENDLESS
from tests.platforms import Platform

Sizes = Mapping[str, Any]

_TWO_BY_TWO: Final[Sizes] = {"producers": 2, "consumers": 2, "capacity": 1}
_NARROW: Final[Sizes] = {"capacity": 1}

TESTS: Final[Mapping[str, Sizes]] = {
    "test_no_packet_is_lost_or_doubled_round_robin": _TWO_BY_TWO,
    "test_no_packet_is_lost_or_doubled_keyed": {**_TWO_BY_TWO, "capacity": 1024},
    "test_no_packet_is_lost_or_doubled_broadcast": _TWO_BY_TWO,
    "test_order_holds_per_producer_and_consumer": _TWO_BY_TWO,
    "test_what_finish_emits_arrives_before_the_stop_signal": _NARROW,
    "test_finish_does_not_run_after_a_cancel_but_close_does": {},
    "test_finish_does_not_run_where_a_producer_failed": {},
    "test_close_runs_once_where_open_failed": {},
    "test_stop_ends_the_sources_and_drains_all_that_is_under_way": {**_NARROW, "producers": 1},
    "test_cancel_counts_every_packet_that_it_drops": {**_NARROW, "producers": 1},
    "test_take_ends_an_infinite_source_that_nobody_else_needs": {},
    "test_what_only_a_take_needs_ends_with_it_however_much_it_could_still_make": {"build": ENDLESS["flat_map"]},
    "test_async_helpers_of_a_service_are_its_own_and_refused_where_they_are_called": {"method": "fetch"},
    "test_a_warning_that_a_task_logs_becomes_an_event": {},
    "test_any_edits_do_what_a_list_does_and_undo_is_their_reverse": {"seed": 3},
    "test_undo_takes_back_the_last_change_first_whatever_it_was_and_where": {},
    "test_steps_of_a_service_request_with_an_answer_and_with_an_error": {},
    "test_a_tasks_call_to_a_paused_service_waits_and_its_time_stands_still": {},
    "test_of_several_breakpoints_each_that_matches_is_hit_and_the_job_stops_once": {},
    "test_a_breakpoint_of_an_operator_before_the_start_is_of_all_its_tasks_and_of_a_task_of_that_one": {},
    "test_what_is_left_at_the_end_of_the_input_has_no_parents": {},
    "test_a_with_block_with_an_open_input_cancels_and_names_the_remedy": {},
}
"""By name: the one size in which it runs; of parameters that are not named here every value."""


def wants_ray(item: pytest.Item) -> bool:
    """Whether this test needs the cluster."""
    return item.get_closest_marker("on_ray") is not None or _platform_of(item) == "remote"


def is_left_out(item: pytest.Item) -> bool:
    """Whether this is a test of the promises, on `remote`, that is not in the subset."""
    if not isinstance(item, pytest.Function) or _platform_of(item) != "remote":
        return False
    sizes = TESTS.get(item.originalname or "")
    if sizes is None:
        return True
    return any(item.callspec.params.get(name) != size for name, size in sizes.items())


def _platform_of(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    platform = None if callspec is None else callspec.params.get("platform")
    return platform.name if isinstance(platform, Platform) else ""
