"""While Python works as fast as it can, the page has its turns all the same: nothing of it stands behind a backlog."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.site.conftest import BOTH, PATIENCE_MS, Site
from tests.site.test_small_page import open_page, run

pytestmark = pytest.mark.timeout(600)
expect.set_options(timeout=PATIENCE_MS)

# A timer of JavaScript, set again and again; what is counted is how often a stack has gone on until it fires.
PROGRAM: Final = """
import itertools, json
import runtime
from pyodide.code import run_js
from pyodide.ffi import run_sync
from runtime.browser.stacks import counts, breathe

timer = run_js('''(counts) => new Promise((fired) => {
  const switches = () => counts.parks + counts.breaths, before = switches();
  setTimeout(() => fired(switches() - before), 1);
})''')
session = runtime.Session("busy", capacity=CAPACITY, chaining=CHAINING)
session.source(itertools.count).map(abs).filter(bool).map(abs).sink(abs)
session.start()
waited = []
while len(waited) < 10:
    before = counts.parks + counts.breaths
    while counts.parks + counts.breaths - before < 300:
        breathe()
    waited.append(run_sync(timer(counts)))
session.close()
print(json.dumps(waited))
"""
A_TURN: Final = 500
"""Switches, more than which 8 ms have no room for."""


@pytest.mark.parametrize(("capacity", "chaining"), [(64, True), (4, False)])
@BOTH
def test_a_timer_of_the_page_does_not_wait_longer_and_longer(
    page: Page, site: Site, capacity: int, chaining: bool
) -> None:
    open_page(page, site)
    run(page, PROGRAM.replace("CAPACITY", str(capacity)).replace("CHAINING", str(chaining)))
    expect(page.locator("#printed")).to_contain_text("]")
    waited: list[Any] = json.loads(page.locator("#printed").inner_text())
    assert max(waited) < A_TURN, waited
