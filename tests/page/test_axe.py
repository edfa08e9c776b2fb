"""What axe-core finds: nothing serious, in light and dark, while it runs and with each part of the inspector open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from tests.page import answers, plans
from tests.page.harness import Shown

Load = Callable[..., Shown]
AXE: Final = Axe()
LOOKS: Final = [{"theme": "light"}, {"theme": "dark", "system": "dark"}, {"system": "light"}, {"system": "dark"}]


def faults(shown: Shown) -> list[str]:
    """Serious and critical violations, each with where it is."""
    found = AXE.run(shown.page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else each['help']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("moment", [plans.frame_of, plans.running, plans.paused, plans.ended])
def test_axe_finds_nothing_serious_at_any_moment(load: Load, look: Any, moment: Any) -> None:
    plan = plans.small()
    shown = load(plan, moment(plan), **look)
    shown.row("count#1").click()
    shown.settle()
    assert faults(shown) == []


@pytest.mark.parametrize("look", LOOKS[:2], ids=str)
@pytest.mark.parametrize("tab", ["packet", "queue", "task", "service", "errors"])
def test_axe_finds_nothing_serious_in_the_inspector(load: Load, look: Any, tab: str) -> None:
    plan = plans.small()
    shown = load(plan, plans.paused(plan, lanes={"2": [2, 5]}), answers=answers.ALL, **look)
    shown.row("count#1").click()
    shown.root.locator("[data-tab=queue]").click()
    shown.root.locator(".sn-packet").first.dblclick()
    shown.root.locator(f"[data-tab={tab}]").click()
    if tab == "packet":
        shown.root.get_by_role("button", name="Show full repr").click()
    if tab == "service":
        shown.root.get_by_label("ticks").fill("5")
        shown.root.get_by_role("button", name="Call").click()
    if tab == "errors":
        shown.root.locator("summary").first.click()
        shown.root.get_by_role("button", name="Edit and retry").first.click()
    shown.settle()
    assert faults(shown) == []


@pytest.mark.parametrize("look", LOOKS[:2], ids=str)
def test_axe_finds_nothing_serious_in_the_table_and_looking_back(load: Load, look: Any) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, 1), shown="table", **look)
    shown.push(*(plans.running(plan, number) for number in range(2, 9)))
    shown.root.get_by_role("button", name="One look back").click()
    shown.root.locator(".sn-log-all summary").click()
    shown.settle()
    assert faults(shown) == []


@pytest.mark.parametrize("part", ["depths", "stops", "errors"])
def test_axe_finds_nothing_serious_in_a_part_alone(load: Load, part: str) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, order=[0], ended=[0, 1, 0, 0, 0, 0]), parts=[part], answers=answers.ALL)
    shown.settle()
    assert faults(shown) == []


@pytest.mark.parametrize("look", LOOKS[:2], ids=str)
def test_axe_finds_nothing_serious_before_anything_is_selected_in_a_graph_that_is_cut_off(
    load: Load, look: Any
) -> None:
    plan = plans.middle()
    shown = load(plan, plans.running(plan), width=900, **look)
    assert shown.root.locator(".sn-beyond:visible").count() > 0
    assert faults(shown) == []
