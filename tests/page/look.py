"""Pictures of the view in many states, to be looked at: `python -m tests.page.look DIRECTORY [WORD ...]`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.browser import chromium
from tests.page import plans
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
        harness.close()


if __name__ == "__main__":
    main()
