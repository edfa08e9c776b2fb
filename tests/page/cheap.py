"""What it costs to show two hundred tasks, ten times a second: `python -m tests.page.cheap`.

Painted means that the second animation frame after the arrival of a frame's text has begun, which is up to 16 ms later
than a screen shows it. Chromium itself reports animation frames that took longer than 50 ms.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from dataclasses import dataclass
from statistics import median

from sage_nb.wire import Frame
from tests.browser import chromium
from tests.page import plans
from tests.page.harness import Harness, Shown

_MEASURE = """async frames => {
  const slow = [], late = [], gaps = [];
  const observer = new PerformanceObserver(list => slow.push(...list.getEntries().map(each => each.duration)));
  observer.observe({type: 'long-animation-frame'});
  const status = document.querySelector('.sn-status-text');
  let arrived = 0, last = performance.now(), going = true;
  const seen = new MutationObserver(() => {
    const since = arrived;
    requestAnimationFrame(() => requestAnimationFrame(() => late.push(performance.now() - since)));
  });
  seen.observe(status, {subtree: true, characterData: true, childList: true});
  const tick = now => { gaps.push(now - last); last = now; if (going) requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
  for (const frame of frames) {
    arrived = performance.now();
    kernelSets('frame', frame);  // as text, as from the kernel
    await new Promise(done => setTimeout(done, Math.max(0, 100 - (performance.now() - arrived))));
  }
  await new Promise(done => setTimeout(done, 200));
  going = false; observer.disconnect(); seen.disconnect();
  return {slow, late, gaps};
}"""


@dataclass
class Cost:
    """In ms: how long animation frames over 50 ms took, and each frame from its arrival until it was painted."""

    slow: list[float]
    late: list[float]
    gaps: list[float]

    def __str__(self) -> str:
        slow = f"{len(self.slow)} animation frames over 50 ms {[round(each) for each in self.slow]}"
        late = f"painted after {median(self.late):.0f} ms (median), {max(self.late):.0f} ms (slowest)"
        return f"{late}; longest gap between animation frames {max(self.gaps):.0f} ms; {slow}"


def cost(shown: Shown, pushed: int) -> Cost:
    """Push so many frames, in each of which every column of every row is another, ten in a second."""
    frames = [json.dumps(each) for each in _frames(shown, pushed)]
    return Cost(**shown.page.evaluate(_MEASURE, frames))


def _frames(shown: Shown, pushed: int) -> list[Frame]:
    return [plans.running(shown.plan, number) for number in range(100, 100 + pushed)]


def main() -> None:
    """Print what each way to look costs, alone and beside as many busy processes as there are cores."""
    plan = plans.large()
    for busy in (0, multiprocessing.cpu_count()):
        burners = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(busy)]
        for burner in burners:
            burner.start()
        with chromium() as browser:
            for look in ("graph", "whole graph", "table", "inspector open"):
                harness = Harness(browser)
                table = "table" if look == "table" else "graph"
                shown = harness.load(plan, plans.running(plan, 1), shown=table, collapse=20)
                if look == "whole graph":
                    shown.root.get_by_role("button", name="Fit all of the graph").click()
                if look == "inspector open":
                    shown.row("stage 1#3").click()
                    shown.root.locator("[data-tab=queue]").click()
                sys.stdout.write(f"{look}, {busy} other processes: {cost(shown, 100)}\n")
                harness.close()
        for burner in burners:
            burner.terminate()
            burner.join()


def _burn() -> None:
    while True:
        sum(range(10_000))


if __name__ == "__main__":
    main()
