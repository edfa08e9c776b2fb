"""The small page: a pipeline that runs, held, stepped and fed by hand, its program changed and run again."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.site.conftest import BOTH, PATIENCE_MS, Site

pytestmark = pytest.mark.timeout(600)
expect.set_options(timeout=PATIENCE_MS)

RUNS: Final = re.compile("^It runs")
SPINS: Final = "while True:\n    pass\n"


def open_page(page: Page, site: Site, dark: bool = False) -> None:
    if dark:
        page.emulate_media(color_scheme="dark")
    page.goto(f"{site.address}try/index.html")
    expect(page.get_by_role("status").first).to_have_text(RUNS)


def status(page: Page) -> Any:
    return page.locator(".sn-status-text")


def out(page: Page) -> int:
    """How many packets have been through."""
    found = re.search(r"([\d,]+) out", status(page).inner_text())
    assert found is not None
    return int(found[1].replace(",", ""))


def press(page: Page, name: str) -> None:
    page.locator(".sn-toolbar").get_by_role("button", name=name, exact=True).click()


def run(page: Page, program: str) -> None:
    page.locator("#program").fill(program)
    page.get_by_role("button", name="Run", exact=True).last.click()


@BOTH
def test_a_pipeline_runs_in_the_page_and_is_held_stepped_and_fed_by_mouse(page: Page, site: Site) -> None:
    open_page(page, site)
    expect(status(page)).to_have_text(re.compile(r"running · .* [1-9]\d* out"))
    press(page, "Pause")
    expect(status(page)).to_have_text(re.compile("^paused"))
    before = out(page)
    page.locator("#into").select_option("shelf")
    page.get_by_role("button", name="Inject").first.click()
    expect(page.locator("#status")).to_have_text("(3, 25) is in the queue of shelf")
    page.locator(".sn-graph").get_by_text("shelf", exact=True).click()
    press(page, "Step task")
    expect(status(page)).to_have_text(re.compile(rf"paused · .* {before + 1} out"))
    press(page, "Resume")
    expect(status(page)).to_have_text(re.compile("^running"))
    press(page, "Stop")
    expect(status(page)).to_have_text(re.compile("^stopped"))
    expect(page.locator("#status")).to_have_text("The job is stopped.")


def test_the_program_is_changed_and_run_again_and_says_what_it_prints_and_raises(page: Page, site: Site) -> None:
    open_page(page, site)
    words = "import runtime\nsession = runtime.Session('words')\nsession.source(['to', 'be'], name='words').collect()\n"
    run(page, f"{words}print(session.run())\nsession\n")
    expect(page.locator(".sn-job-name")).to_have_text("words")
    expect(page.locator("#printed")).to_have_text("Outcome(completed: 2 in, 2 out)\n")
    expect(status(page)).to_have_text(re.compile(r"^completed · 2 in"))
    run(page, f"{words}session.source([1, 0]).map(lambda n: 1 / n).collect()\nsession.run()\n")
    expect(page.locator("#printed")).to_contain_text("ZeroDivisionError")
    expect(page.locator("#printed")).to_contain_text('File "program.py", line 4')
    run(page, "6 * 7")
    expect(page.locator("#printed")).to_have_text("42\n")


def test_a_program_that_spins_is_told_and_ended_without_loading_the_page_anew(page: Page, site: Site) -> None:
    open_page(page, site)
    run(page, SPINS)
    expect(page.locator("#status")).to_have_text(re.compile("^Python does not answer"))
    page.locator("#program").fill("import runtime\nruntime.Session('again')")
    page.get_by_role("button", name="Start afresh").click()
    expect(page.locator(".sn-job-name")).to_have_text("again")


def test_it_can_be_embedded_in_a_page_of_somebody_else(page: Page, site: Site) -> None:
    page.goto(f"{site.address}try/try.css")  # of this host: any page will do
    page.set_content(f'<iframe title="it" width="700" height="600" src="{site.address}try/index.html"></iframe>')
    frame = page.frame_locator("iframe")
    expect(frame.locator("#status")).to_have_text(RUNS)
    expect(frame.locator(".sn-status-text")).to_have_text(re.compile("^running"))


@pytest.mark.parametrize(
    ("one_browser", "dark"), [("chromium", False), ("chromium", True), ("firefox", False)], indirect=["one_browser"]
)
def test_axe_finds_nothing_serious(page: Page, site: Site, dark: bool) -> None:
    open_page(page, site, dark)
    run(page, "print('it')\nimport runtime\nruntime.Session('it')")
    expect(page.locator("#printed")).to_have_text("it\n")
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], node["target"]) for each in serious for node in each["nodes"]] == []
