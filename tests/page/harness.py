"""The module in bare Chromium with a stand-in for the model: what a test loads, pushes, and reads back.

`kernel` in the page answers every message, as `answers` says for its command: an entry of it is (part of) an Ack, and
None is silence. `sent` holds the messages, `failures` every script error; a test in which there was one fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Browser, Page

from sage_nb.module import css, esm
from sage_nb.plan import COLLAPSE_BEYOND
from sage_nb.wire import Frame, Plan

DASHBOARD: Final = ["toolbar", "graph", "table", "inspector", "timeline", "log"]

THEMES: Final = {
    "": "",
    "light": "--jp-layout-color0: white; --jp-content-font-color0: #000; --jp-brand-color1: #1976d2;",
    "dark": "--jp-layout-color0: #111; --jp-content-font-color0: #fff; --jp-brand-color1: #2196f3;",
}
"""What JupyterLab's own themes set of what the view looks at."""

_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>sage-nb</title>
<style>body { margin: 0; %(theme)s background: var(--jp-layout-color0, Canvas); } main { width: %(width)spx; }</style>
<style>%(css)s</style><main id="root"></main><script type="module">
const state = %(state)s, listeners = {}, unsaved = {};
const emit = (event, ...args) => (listeners[event] ?? []).slice().forEach((callback) => callback(...args));
window.answers = %(answers)s;
window.sent = []; window.traits = []; window.failures = [];
addEventListener('error', (event) => failures.push(String(event.message)));
addEventListener('unhandledrejection', (event) => failures.push(String(event.reason)));
const signal = () => {
  const slots = new Set();
  return {connect: (slot) => slots.add(slot), disconnect: (slot) => slots.delete(slot),
          emit: (args) => slots.forEach((slot) => slot(null, args)), slots};
};
if (%(application)s)
  window.kernel = {status: 'idle', statusChanged: signal(), connectionStatusChanged: signal(), disposed: signal()};
// The events of the classic Notebook's kernels, as jQuery has them.
const told = new Map();
window.classic = {
  on: (name, act) => told.set(name, (told.get(name) ?? new Set()).add(act)),
  off: (name, act) => told.get(name)?.delete(act),
  tell: (name) => told.get(name)?.forEach((act) => act()),
  listening: () => [...told.values()].reduce((sum, each) => sum + each.size, 0),
};
const model = {
  widget_manager: {kernel: window.kernel, comm_manager: %(classic)s ? {kernel: {events: window.classic}} : undefined},
  get: (name) => state[name],
  set: (name, value) => { state[name] = unsaved[name] = value; emit('change:' + name); emit('change'); },
  save_changes: () => { for (const name in unsaved) { traits.push([name, unsaved[name]]); delete unsaved[name]; } },
  send: (content) => {
    sent.push(content);
    const answer = content.cmd in answers ? answers[content.cmd] : {};
    if (answer === null) return;
    const ack = {ack: content.id, ok: true, reason: '', python: '', text: '', ...structuredClone(answer)};
    queueMicrotask(() => kernelSends(ack));
  },
  on: (event, callback) => event.split(' ').forEach((one) => (listeners[one] ??= []).push(callback)),
  off: (event, callback) => {
    for (const one of event ? event.split(' ') : Object.keys(listeners))
      listeners[one] = callback ? (listeners[one] ?? []).filter((each) => each !== callback) : [];
  },
};
window.kernelSets = (name, value) => { state[name] = value; emit('change:' + name); emit('change'); };
// The kernel says that it is there, unless a test lets it go.
window.beating = true;
setInterval(() => beating && emit('msg:custom', {beat: 1, busy: window.busy === true}), 400);
window.kernelSends = (content) => emit('msg:custom', content, []);
window.listening = () => Object.values(listeners).reduce((sum, each) => sum + each.length, 0);
window.painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
try {
  const module = await import(URL.createObjectURL(new Blob([%(module)s], {type: 'text/javascript'})));
  const cleanups = [];
  const el = document.getElementById('root');
  window.another = async () => { cleanups.push(await module.default.render({model, el})); };
  await another();
  window.unmount = async () => { for (const cleanup of cleanups) await cleanup(); };
} catch (error) { failures.push(String(error)); }
await painted();
window.ready = true;
</script></html>"""


def in_script(value: Any) -> str:
    """JSON that cannot end the script element it stands in; half a surrogate stays what it is."""
    return json.dumps(value).replace("<", "\\u003c")


@dataclass
class Shown:
    """A view in a page."""

    page: Page
    plan: Plan
    root: Any = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.page.locator(".sage-nb-view")

    def push(self, *frames: Frame) -> None:
        """Let frames arrive, and wait until they are painted."""
        for frame in frames:
            self.page.evaluate("text => kernelSets('frame', text)", json.dumps(frame))
        self.settle()

    def settle(self) -> None:
        """Wait until answers have come and everything is painted."""
        self.page.evaluate("painted()")

    def paint_timeline(self) -> None:
        """Have the timeline, which takes its time, paint all there is, and wait until it has."""
        self.page.evaluate(
            """() => { document.querySelector('.sn-slider').removeAttribute('max');
                       document.querySelector('.sn-lane-area').dispatchEvent(new Event('scroll')); }"""
        )
        self.page.wait_for_function("document.querySelector('.sn-slider').hasAttribute('max')")

    def answer(self, **answers: Any) -> None:
        """From now on, answer these commands so."""
        self.page.evaluate("more => Object.assign(answers, more)", answers)

    def sent(self, *commands: str) -> list[dict[str, Any]]:
        """The messages with these commands, without their ids."""
        messages = self.page.evaluate("sent")
        return [
            {"cmd": each["cmd"], "args": each["args"]} for each in messages if not commands or each["cmd"] in commands
        ]

    def row(self, name: str) -> Any:
        """A row of the graph by its name."""
        return self.root.locator(f".sn-graph [data-row='{self.index(name)}']")

    def index(self, name: str) -> int:
        return [row["name"] for row in self.plan["rows"]].index(name)


class Harness:
    """Loads views in one browser, one page after the other; `close()` says what went wrong in them."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.failures: list[str] = []
        self.page: Page | None = None
        self.clocked = False  # the page's time stands still, for good

    def _page(self, anew: bool) -> Page:
        """An empty page. To take the last one again is much faster than a new one; its document is another."""
        self._collect()
        contexts = self.browser.contexts
        if anew:
            for context in contexts:
                context.close()
            contexts = []
        context = contexts[0] if contexts else self.browser.new_context()
        page = context.pages[0] if context.pages else context.new_page()
        page.set_default_timeout(10_000)
        page.goto("about:blank")
        self.page = page
        return page

    def _collect(self) -> None:
        if self.page is not None and not self.page.is_closed():
            self.failures += self.page.evaluate("window.failures ?? []")

    def load(
        self,
        plan: Plan,
        frame: Frame | None = None,
        *,
        parts: list[str] | None = None,
        shown: str = "graph",
        collapse: int | None = None,
        answers: dict[str, Any] | None = None,
        width: int = 1200,
        height: int = 900,
        theme: str = "",
        system: Any = "light",
        motion: Any = "reduce",
        clock: bool = False,
        application: bool = False,
        classic: bool = False,
        more: dict[str, Any] | None = None,
    ) -> Shown:
        """A view of `plan`, painted. `theme` is the notebook's, `system` the reader's; both "light" or "dark".

        Operators with more tasks than `collapse` are one row.

        With `application` it tells what becomes of its kernel, as JupyterLab does: `kernel` in the page; with `classic`
        as the classic Notebook does: `classic` in the page.
        `more` are further traits of the model.
        With `clock` the page's time stands still, and goes on by `shown.page.clock.run_for(ms)`.
        """
        page = self._page(anew=self.clocked or clock)
        self.clocked = clock
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=system, reduced_motion=motion)
        state: dict[str, Any] = {
            "plan": plan,
            "frame": json.dumps(frame),
            "parts": DASHBOARD if parts is None else parts,
            "shown": shown,
            "collapse_beyond": COLLAPSE_BEYOND if collapse is None else collapse,
            **(more or {}),
        }
        page.set_content(
            _PAGE
            % {
                "theme": THEMES[theme],
                "width": width,
                "css": css(),
                "state": in_script(state),
                "application": json.dumps(application),
                "classic": json.dumps(classic),
                "answers": in_script({} if answers is None else answers),
                "module": in_script(esm()),
            }
        )
        page.wait_for_function("window.ready")
        if clock:
            page.clock.install()
            page.clock.pause_at(page.evaluate("Date.now()") + 1)
        return Shown(page, plan)

    def close(self) -> None:
        """Leave an empty page. Raises if a script failed in one before."""
        self._page(anew=self.clocked)
        assert not self.failures, self.failures
