"""Pictures of the view in many states, to be looked at: `python -m tests.page.look DIRECTORY [WORD ...]`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.browser import chromium
from tests.page import answers, plans
from tests.page.harness import Harness


def main() -> None:
    """Take every picture whose name has all the words in it."""
    folder, words = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        harness = Harness(browser)
        for size, make in (("5", plans.small), ("50", plans.middle), ("200", plans.large)):
            plan = make()
            frames = {
                "new": plans.frame_of(plan),
                "running": plans.running(plan, 10),
                "paused": plans.paused(plan, 10),
                "failed": plans.ended(plan, how="failed"),
                "ended": plans.ended(plan),
            }
            for state, frame in frames.items():
                for theme in ("light", "dark"):
                    for width in (700, 1200):
                        name = f"{size}-{state}-{theme}-{width}"
                        if all(word in name.split("-") for word in words):
                            shown = harness.load(plan, frame, width=width, theme=theme)
                            shown.page.screenshot(path=folder / f"{name}.png", full_page=True)
        if not words or "tabs" in words:
            tabs(harness, folder)
        harness.close()


def tabs(harness: Harness, folder: Path) -> None:
    """Every tab of the inspector, below the graph and beside it, and the parts that stand alone."""
    plan = plans.small()
    run = [plans.running(plan, number) for number in range(1, 40)] + [
        plans.paused(plan, number) for number in range(40, 60)
    ]
    for theme, width in (("light", 1200), ("dark", 1500), ("light", 700)):
        shown = harness.load(plan, run[0], answers=answers.ALL, width=width, theme=theme, height=1100)
        shown.push(*run)
        shown.paint_timeline()
        shown.row("count#1").click()
        for tab in ("packet", "queue", "task", "service", "errors"):
            shown.root.locator(f"[data-tab={tab}]").click()
            if tab == "queue":
                shown.root.locator(".sn-packet").nth(2).click()
            if tab == "task":
                shown.root.get_by_role("button", name="Step", exact=True).last.click()
                shown.root.locator("[data-tab=task]").click()
                shown.root.get_by_role("button", name="Show state").click()
            if tab == "errors":
                shown.root.locator("summary").first.click()
            shown.settle()
            shown.paint_timeline()
            shown.page.screenshot(path=folder / f"tab-{tab}-{theme}-{width}.png", full_page=True)
    frame = plans.running(plan, 50, ended=[0, 1, 1, 0, 1, 0], order=[0, 1], states="ccrrhi")
    for part in ("depths", "stops", "errors", "graph", "table", "inspector", "timeline", "log"):
        shown = harness.load(plan, frame, parts=[part], answers=answers.ALL, width=800, height=300)
        shown.settle()
        if part == "timeline":
            shown.paint_timeline()
        shown.page.screenshot(path=folder / f"alone-{part}.png", full_page=True)


if __name__ == "__main__":
    main()
