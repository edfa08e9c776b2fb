"""The figure of painting: how soon a browser shows what has come, in a bare page, with the real ES module."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from playwright.sync_api import Browser, CDPSession, Page

from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, check
from sage_nb.wire import Plan
from tests.browser import chromium
from tests.page import plans
from tests.page.harness import Harness

MS: Final = "ms"
CPU_MS: Final = "ms of CPU"
PERIOD_MS: Final = 100
TASKS: Final = 200
LONG_MS: Final = 50  # from here on Chromium itself calls an animation frame long, and reports it
LONG: Final = f"animation frames over {LONG_MS} ms"
SOON: Final = "arrival to painted"
GAP: Final = "between animation frames"
PEER: Final = f"a table of {TASKS} rows by hand"

# A frame is painted when an animation frame begins in which every row in sight says what is so: what it says was put
# there in the one before, which is on the screen. `gaps` are the times between animation frames.
_MEASURE: Final = """async ({rows, texts, period}) => {
  const root = document.querySelector('.sage-nb-view');
  const area = root.querySelector('.sn-area').getBoundingClientRect();
  const inSight = [...root.querySelectorAll('.sn-graph [data-row]')].filter((row) => {
    const {left, right, top, bottom} = row.getBoundingClientRect();
    return left < area.right && right > area.left && top < Math.min(area.bottom, innerHeight) && bottom > area.top;
  }).filter((row) => rows[row.dataset.row].capacity > 0);
  const slow = [], late = [], gaps = [];
  const observer = new PerformanceObserver((list) => slow.push(...list.getEntries().map((each) => each.duration)));
  observer.observe({type: 'long-animation-frame'});
  const nextFrame = () => new Promise(requestAnimationFrame);
  const says = (row, depths) => {
    const index = row.dataset.row;
    const [depth, capacity] = [depths[index], rows[index].capacity].map((each) => each.toLocaleString('en'));
    return row.getAttribute('aria-label').includes(`queue ${depth} of ${capacity}`);
  };
  let last = await nextFrame();
  for (const text of texts) {
    const {depths} = JSON.parse(text);
    const arrived = performance.now();
    kernelSets('frame', text);
    let shown = false;
    while (!shown || performance.now() - arrived < period) {
      const now = await nextFrame();
      gaps.push(now - last);
      last = now;
      if (!shown && inSight.every((row) => says(row, depths))) {
        shown = true;
        late.push(performance.now() - arrived);
      }
      if (performance.now() - arrived > 10_000) throw new Error('a frame has not been painted');
    }
  }
  observer.disconnect();
  return {slow, late, gaps, inSight: inSight.length};
}"""


# What somebody would write by hand: a table, whose cells all get another text in one animation frame.
_PEER: Final = """<!doctype html>
<main class="sage-nb-view"><div class="sn-area"><table class="sn-graph"></table></div></main>
<script>
const columns = ['depths', 'processed', 'emitted', 'errors'];
window.start = (plan) => {
  const written = (number) => number.toLocaleString('en');
  const table = document.querySelector('table');
  const rows = plan.rows.map((row, index) => {
    const element = table.insertRow();
    element.dataset.row = index;
    const cells = columns.map(() => element.insertCell().appendChild(document.createTextNode('')));
    return {row, element, cells};
  });
  window.kernelSets = (_, text) => {
    const frame = JSON.parse(text);
    requestAnimationFrame(() => rows.forEach(({row, element, cells}, index) => {
      columns.forEach((column, place) => { cells[place].data = frame[column][index]; });
      const [depth, capacity] = [frame.depths[index], row.capacity].map(written);
      element.setAttribute('aria-label', `${row.name}, queue ${depth} of ${capacity}`);
    }));
  };
};
</script>"""


def by_view(browser: Browser, plan: Plan, *, whole: bool) -> Iterator[Page]:
    """The view in a page; `whole` so small that all of it is in sight."""
    harness = Harness(browser)
    shown = harness.load(plan, plans.running(plan, 1), width=1400, height=1000, collapse=TASKS)
    if whole:
        shown.root.get_by_role("button", name="Fit all of the graph").click()
    shown.settle()
    yield shown.page
    harness.close()  # raises if a script failed


def by_hand(browser: Browser, plan: Plan) -> Iterator[Page]:
    """The table in a page high enough for all of it."""
    context = browser.new_context(viewport={"width": 1400, "height": 8000})
    page = context.new_page()
    page.set_content(_PEER)
    page.evaluate("plan => start(plan)", plan)
    yield page
    context.close()


def painted(frames: int, load: Callable[[Browser, Plan], Iterator[Page]]) -> Sample:
    """Let frames arrive, ten in a second, in each of which every column of every row is another one."""
    plan = plans.large()
    check("tasks", len(plan["rows"]), TASKS)
    texts = [json.dumps(plans.running(plan, number)) for number in range(100, 100 + frames)]
    with chromium() as browser, contextmanager(load)(browser, plan) as page:
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        began_s = _cpu_s(tools)
        found = page.evaluate(_MEASURE, {"rows": plan["rows"], "texts": texts, "period": PERIOD_MS})
        used_s = _cpu_s(tools) - began_s
    check("frames painted", len(found["late"]), frames)
    return {
        f"{CPU_MS}, per update": 1e3 * used_s / frames,
        f"{MS}, {SOON}, median": statistics.median(found["late"]),
        f"{MS}, {SOON}, worst": max(found["late"]),
        f"{MS}, {GAP}, 99 %": statistics.quantiles(found["gaps"], n=100)[98],
        f"{MS}, {GAP}, worst": max(found["gaps"]),
        LONG: len(found["slow"]),
        f"{MS}, longest of these": max(found["slow"], default=0.0),
        "rows in sight": found["inSight"],
    }


def _cpu_s(tools: CDPSession) -> float:
    """CPU time of the page's main thread."""
    metrics = {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def paint(scale: Scale) -> Figure:
    """A picture of many tasks keeps up with them, and the notebook around it can be scrolled meanwhile."""
    ways: dict[str, Callable[[Browser, Plan], Iterator[Page]]] = {
        f"{TASKS} tasks, as many as fit": partial(by_view, whole=False),
        f"{TASKS} tasks, all in sight": partial(by_view, whole=True),
        PEER: by_hand,
    }

    def conclude(samples: Samples) -> list[Row]:
        rows = []
        for name in ways:
            aims = (Target("at most", PERIOD_MS), Target("at most", 0)) if name != PEER else (None, None)
            rows += [
                Row(f"{name}: {SOON}, worst", MS, samples.of(name, f"{MS}, {SOON}, worst"), aims[0]),
                Row(f"{name}: {LONG}", "of them", samples.of(name, LONG), aims[1]),
            ]
        return rows

    return Figure(
        "paint",
        "headless Chromium gets ten frames a second, in each of which all columns of all rows have changed",
        tuple(Case(name, partial(painted, scale.painted, load), 3) for name, load in ways.items()),
        conclude,
    )
