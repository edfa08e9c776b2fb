"""Figures of the pages that run Python: `make docs`, then `python -m benchmarks.in_tab --minutes 60`.

Everything is measured in Chromium, by the clock and by what all processes of the browser have taken of the processor:
on a machine that is busy with other things only the latter says how fast the runtime is.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import chromium
from tests.site.serving import served

PATIENCE_MS: Final = 300_000
SITE: Final = Path("build/docs")
NAMES: Final = ("small", "cell", "line", "click", "growth")
LINE: Final = """
import time
import runtime

def line(capacity, packets):
    with runtime.Session(capacity=capacity) as session:
        ended = session.source(range(packets)).map(lambda n: n + 1).filter(lambda n: n % 2 == 0).map(lambda n: n * 2)
        ended.sink(abs)
        assert session.run().packets_out == packets // 2

line({capacity}, 1_000)
began_s = time.perf_counter()
line({capacity}, {packets})
print("took", time.perf_counter() - began_s)
"""
LINES: Final = {1_024: (1_000_000, 1_000_000), 64: (500_000, None), 4: (100_000, 20_000)}
"""By capacity: packets, and how many of them in a second are wanted."""
BUSY: Final = """
import itertools
import runtime

session = runtime.Session("busy", capacity={capacity})
session.source(itertools.count).map(abs).filter(bool).map(abs).sink(abs)
session.start()
session
"""
CLICK_MS, SMALL_S, WARM_S, COLD_S, GROWTH_MB = 350, 15, 20, 60, 20
# From the browser's own time of a click until the view's status says what it did.
LISTEN: Final = """(expected) => new Promise((heard) => {
  const view = document.querySelector('.sage-nb-view');
  let clicked = 0;
  const watcher = new MutationObserver(() => {
    if (clicked === 0 || !view.querySelector('.sn-status-text').textContent.startsWith(expected)) return;
    watcher.disconnect();
    heard(performance.now() - clicked);
  });
  watcher.observe(view, {subtree: true, childList: true, characterData: true});
  view.addEventListener('click', (event) => { clicked = event.timeStamp; }, {capture: true, once: true});
})"""
FIRST_CELL: Final = """async () => {
  await window.jupyterapp.commands.execute('notebook:run-cell');
}"""
IN_CELL: Final = """() => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  if (panel?.context?.sessionContext?.session?.kernel?.status !== 'idle') return false;
  panel.content.activeCellIndex = panel.content.widgets.findIndex((cell) => cell.model.type === 'code');
  return true;
}"""


def browser_processes() -> list[int]:
    """This process's Chromium: all processes below this one that are of it."""
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(each.parent.name)] = int(each.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below, found = {os.getpid()}, set[int]()
    while below:
        below = {child for child, parent in parents.items() if parent in below}
        found |= below
    return [pid for pid in found if "chrom" in _command(pid)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0]
    except OSError:
        return ""


def cpu_s() -> float:
    """What the browser has taken of the processor."""
    ticks = 0
    for pid in browser_processes():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb() -> float:
    """What the browser's processes have for themselves."""
    kilobytes = 0
    for pid in browser_processes():
        try:
            found = re.search(r"^RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        except OSError:
            continue
        kilobytes += int(found[1]) if found else 0
    return kilobytes / 1_000


@contextmanager
def context_of(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own, with nothing in its cache."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


def say(what: str, value: str, wanted: str, met: bool | None) -> None:
    """One line of the report."""
    verdict = "" if met is None else "  met" if met else "  MISSED"
    print(f"{what}: {value} ({wanted}; load {os.getloadavg()[0]:.1f}){verdict}", flush=True)


def run_program(page: Page, program: str) -> None:
    """Put another program into the small page, and run it."""
    page.locator("#program").fill(program)
    page.locator("#run").click()


def until_small_page_moves(page: Page, site: str) -> float:
    """Seconds until a packet has been through."""
    began_s = time.monotonic()
    page.goto(f"{site}try/index.html")
    page.wait_for_function("/[1-9][0-9,]* out/.test(document.querySelector('.sn-status-text')?.textContent)")
    return time.monotonic() - began_s


def until_first_cell(page: Page, site: str) -> float:
    """Seconds until the first cell of the first notebook has run."""
    began_s = time.monotonic()
    page.goto(f"{site}lite/notebooks/index.html?path=01-first-dataflow.ipynb")
    page.wait_for_function(IN_CELL)
    page.evaluate(FIRST_CELL)
    return time.monotonic() - began_s


def openings(
    browser: Browser, site: str, name: str, until: Callable[[Page, str], float], limits: Sequence[int]
) -> None:
    """A page with an empty cache, and once more."""
    with context_of(browser) as context:
        for cache, limit in zip(("cold", "warm"), limits, strict=True):
            page = context.new_page()
            before_s = cpu_s()
            took_s = until(page, site)
            found = f"{took_s:.1f} s, {cpu_s() - before_s:.1f} s of the processor"
            say(f"{name}, {cache}", found, f"at most {limit} s", took_s <= limit)
            page.close()


def lines(page: Page) -> None:
    """Packets of a line of five tasks, in a second."""
    for capacity, (packets, wanted) in LINES.items():
        rates, per_cpu = [], []
        for _ in range(3):
            before_s = cpu_s()
            run_program(page, LINE.format(capacity=capacity, packets=packets))
            page.wait_for_function("document.querySelector('#run').disabled === false")
            used_s = cpu_s() - before_s
            took = re.search(r"took ([\d.]+)", page.locator("#printed").inner_text())
            assert took is not None, page.locator("#printed").inner_text()
            rates.append(packets / float(took[1]))
            per_cpu.append(packets / used_s)
        best, middle = max(rates), statistics.median(rates)
        found = f"{best:,.0f} packets/s (median of 3: {middle:,.0f}), {max(per_cpu):,.0f} in a second of the processor"
        what = f"line of five, capacity {capacity:,}"
        say(what, found, f"at least {wanted:,}" if wanted else "no limit", best >= wanted if wanted else None)


def clicks(page: Page, capacity: int, times: int = 6) -> None:
    """Pause and resume in turn, while packets flow as fast as they can."""
    run_program(page, BUSY.format(capacity=capacity))
    page.wait_for_function("document.querySelector('.sn-status-text')?.textContent.startsWith('running')")
    took = []
    for number in range(2 * times):
        name, expected = (("Pause", "paused"), ("Resume", "running"))[number % 2]
        page.evaluate(f"(expected) => {{ window.heard = ({LISTEN})(expected); }}", expected)
        page.locator(".sn-toolbar").get_by_role("button", name=name, exact=True).click()
        took.append(float(page.evaluate("window.heard")))
        time.sleep(0.3)
    for name, found in (("Pause", took[::2]), ("Resume", took[1::2])):
        middle = statistics.median(found)
        what = f"{name} at full speed, capacity {capacity:,}, until the view shows it"
        times_ms = f"{middle:.0f} ms ({min(found):.0f} to {max(found):.0f})"
        say(what, times_ms, f"at most {CLICK_MS} ms", middle <= CLICK_MS)


def growth(page: Page, minutes: float) -> None:
    """What the browser has more at the end of a long run than two minutes after its begin."""
    run_program(page, BUSY.format(capacity=64))
    page.wait_for_function("document.querySelector('.sn-status-text')?.textContent.startsWith('running')")
    found: list[float] = []
    ends_s = time.monotonic() + 60 * minutes
    while time.monotonic() < ends_s:
        time.sleep(min(30.0, 30 * minutes))
        found.append(memory_mb())
        print(f"  {page.locator('.sn-status-text').inner_text()}: {found[-1]:.0f} MB", flush=True)
    begun = found[min(3, len(found) - 1)]
    end = statistics.median(found[-3:])
    grown = end - begun
    say(
        f"growth in {minutes:g} minutes",
        f"{grown:+.0f} MB, of {begun:.0f}",
        f"at most {GROWTH_MB} MB",
        grown <= GROWTH_MB,
    )


def measure(name: str, browser: Browser, site: str, minutes: float) -> None:
    """One of the figures of `NAMES`."""
    if name == "small":
        openings(browser, site, "small page", until_small_page_moves, (COLD_S, SMALL_S))
    elif name == "cell":
        openings(browser, site, "first cell", until_first_cell, (COLD_S, WARM_S))
    else:
        with context_of(browser) as context:
            page = context.new_page()
            until_small_page_moves(page, site)
            if name == "line":
                lines(page)
            elif name == "click":
                clicks(page, 1_024)
                clicks(page, 4)
            else:
                growth(page, minutes)


def main(given: Sequence[str] | None = None) -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_tab", description=__doc__)
    parser.add_argument("--site", type=Path, default=SITE, help=f"as `make docs` builds it (default {SITE})")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long the run is whose growth is measured")
    chosen = parser.parse_args(given)
    with served(chosen.site) as site, chromium() as browser:
        print(f"Chromium {browser.version}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for name in chosen.only:
            measure(name, browser, site, chosen.minutes)


if __name__ == "__main__":
    main()
