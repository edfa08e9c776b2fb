"""What each widget brings: it loads script and style once for all views of a document, wherever it finds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page

from sage_nb.module import digest, loader, packed
from tests.page import plans
from tests.page.harness import in_script

# `view(host, ways)` makes a widget of its own, with a model of its own, whose manager and kernel do as `ways` says.
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><main></main><script type="module">
const state = %(state)s, packed = %(packed)s, loader = %(loader)s;
window.asked = []; window.imports = 0; window.failures = [];
addEventListener('unhandledrejection', (event) => failures.push(String(event.reason)));
const made = URL.createObjectURL;
URL.createObjectURL = (blob) => { imports += 1; return made.call(URL, blob); };
window.view = async (host, {helper = true, kernel = true, aborted = false} = {}) => {
  const listeners = [];
  const model = {
    get: (name) => ({...state, page: %(digest)s, assets: 'IPY_MODEL_helper'})[name],
    on: (event, callback) => listeners.push([event, callback]),
    off: (event, callback) => listeners.splice(listeners.findIndex((each) => each[1] === callback), 1),
    send: (content) => {
      asked.push(content.cmd);
      const answer = {page: %(digest)s, packed};
      if (content.cmd === 'page' && kernel) queueMicrotask(() => {
        for (const [event, callback] of [...listeners]) if (event === 'msg:custom') callback(answer, []);
      });
    },
  };
  if (helper) model.widget_manager = {get_model: async (id) => {
    if (id !== 'helper') throw new Error(id);
    return {get: (name) => ({packed})[name]};
  }};
  const address = made.call(URL, new Blob([loader], {type: 'text/javascript'}));
  const {default: widget} = await import(address);
  const signal = aborted ? AbortSignal.abort() : new AbortController().signal;
  return widget.render({model, el: host, signal});
};
window.host = (parent = document.querySelector('main')) => parent.appendChild(document.createElement('div'));
window.ready = true;
</script></html>"""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    plan = plans.small()
    state: dict[str, Any] = {"plan": plan, "frame": "null", "parts": ["graph"], "shown": "graph"}
    texts = {"packed": packed(), "loader": loader(), "digest": digest(), "state": state}
    page.set_content(_PAGE % {name: in_script(text) for name, text in texts.items()})
    page.wait_for_function("window.ready")
    yield page
    failures = page.evaluate("failures")
    context.close()
    assert failures == []


def test_four_views_of_a_document_share_one_script_and_one_style_sheet(page: Page) -> None:
    page.evaluate("() => Promise.all([view(host()), view(host()), view(host())])")
    page.evaluate("() => view(host())")
    assert page.locator(".sage-nb-view .sn-graph [data-row]").count() == 4 * len(plans.small()["rows"])
    assert page.evaluate("[imports, document.adoptedStyleSheets.length, asked.includes('page')]") == [1, 1, False]
    assert page.evaluate("getComputedStyle(document.querySelector('.sage-nb-view')).containerType") == "inline-size"


@pytest.mark.parametrize("helper", ["{helper: false}", "{helper: false, kernel: true}"])
def test_where_no_helper_is_found_the_kernel_is_asked_and_only_once(page: Page, helper: str) -> None:
    page.evaluate(f"() => view(host(), {helper})")
    page.evaluate(f"() => view(host(), {helper})")
    assert page.locator(".sage-nb-view").count() == 2
    assert page.evaluate("asked.filter((each) => each === 'page').length") == 1
    assert page.evaluate("imports") == 1


def test_a_view_in_a_shadow_has_its_style_there(page: Page) -> None:
    page.evaluate("() => view(host(host().attachShadow({mode: 'open'})))")
    shadow = "document.querySelector('main > div').shadowRoot"
    assert page.evaluate(f"{shadow}.adoptedStyleSheets.length") == 1
    assert page.evaluate(f"getComputedStyle({shadow}.querySelector('.sage-nb-view')).containerType") == "inline-size"


def test_a_view_that_is_closed_before_its_page_has_come_shows_nothing(page: Page) -> None:
    page.evaluate("() => view(host(), {aborted: true})")
    assert page.locator(".sage-nb-view").count() == 0


def test_a_view_that_waits_for_a_kernel_which_is_gone_holds_up_no_other(page: Page) -> None:
    page.evaluate("() => { view(host(), {helper: false, kernel: false}); }")
    page.evaluate("() => view(host())")
    assert page.locator(".sage-nb-view").count() == 1
