"""Figures of a notebook in a real application: how soon a click has been heard, and how soon a graph is there."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import ViewportSize

from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, by_round, check
from tests.browser import chromium
from tests.jupyter.notebooks import PATIENCE_MS, Applications, Notebook
from tests.jupyter.server import server

MS: Final = "ms"
VIEWPORT: Final[ViewportSize] = {"width": 1280, "height": 900}
APPLICATIONS: Final = {"lab": "JupyterLab", "notebook": "Notebook 7"}


@contextmanager
def opener(application: str) -> Iterator[Callable[..., Notebook]]:
    """Opens notebooks of the given cells, each with a kernel and a browser's profile of its own."""
    with ExitStack() as opened:
        home, folder = (Path(opened.enter_context(TemporaryDirectory())) for _ in range(2))
        browser = opened.enter_context(chromium())
        jupyter = opened.enter_context(server(home, folder))

        def open_notebook(*cells: str) -> Notebook:
            context = browser.new_context(reduced_motion="reduce", viewport=VIEWPORT)
            context.set_default_timeout(PATIENCE_MS)
            applications = Applications(jupyter, context)
            opened.callback(applications.close)
            return applications.open(application, applications.write(list(cells)))

        yield open_notebook


# ── click ──

TURNS: Final = (("Pause", "session.pause()", "paused"), ("Resume", "session.resume()", "running"))
HEARD: Final = "click to acknowledged"
_IDLE: Final = """
import runtime
session = runtime.Session("idle")
session.input("numbers").map(abs, name="absolute").collect(name="result")
session.start()
session
"""

# From the browser's own time of the click until the view shows the line of Python that did the same: it comes with
# the acknowledgement.
_LISTEN: Final = """() => {
  const view = document.querySelector('.sage-nb-view');
  let clicked = 0;
  window.heard = [];
  const look = (now) => {
    if (clicked === 0 || !view.querySelector('.sn-python-line').textContent.includes(window.expected)) return;
    window.heard.push(performance.now() - clicked);
    clicked = 0;
  };
  view.addEventListener('click', (event) => { clicked = event.timeStamp; }, true);
  new MutationObserver(look).observe(view, {subtree: true, childList: true, characterData: true});
}"""


def clicks(application: str, times: int) -> Sample:
    """Pause and resume in turn, each as soon as the other one has been seen to work."""
    with opener(application) as open_notebook:
        notebook = open_notebook(_IDLE)
        notebook.run(0)
        notebook.sees("running")
        notebook.page.evaluate(_LISTEN)
        for number in range(times):
            name, line, state = TURNS[number % 2]
            notebook.page.evaluate("(line) => { window.expected = line; }", line)
            notebook.click(name)
            notebook.page.wait_for_function("(count) => heard.length === count", arg=number + 1, timeout=PATIENCE_MS)
            notebook.sees(state)
            check("held", notebook.ask("session.snapshot()['absolute'].held"), name == "Pause")
        heard: list[float] = notebook.page.evaluate("heard")
    return {f"{MS}, median": statistics.median(heard), f"{MS}, worst": max(heard)}


def click(scale: Scale) -> Figure:
    """A button answers as if it did not have to ask another process."""
    applications = dict(list(APPLICATIONS.items())[: scale.applications])
    return Figure(
        "click",
        f"{scale.clicks} clicks on Pause and Resume, one by one, kernel idle, until the view shows what they did",
        tuple(Case(name, partial(clicks, key, scale.clicks), 2) for key, name in applications.items()),
        lambda samples: [
            Row(f"{name}: {HEARD}, {which}", MS, samples.of(name, f"{MS}, {which}"), Target("at most", 150))
            for name in applications.values()
            for which in ("median", "worst")
        ],
    )


# ── display ──

TASKS: Final = 50
LATER: Final = 5  # sessions, behind the first
FIRST: Final = "the first one of a kernel"
NEXT: Final = "each further one"
PEER: Final = f"a bare anywidget of {TASKS} rows"
# Few enough tasks for each operator that each has a row.
_SESSIONS: Final = f"""
import runtime
def session_of(number):
    session = runtime.Session(f"mesh {{number}}")
    stream = session.source([], name="source", parallelism=5)
    for layer in range(8):
        stream = stream.map(abs, name=f"stage {{layer}}", parallelism=5)
    stream.sink(print, name="sink", parallelism=5)
    return session
sessions = [session_of(number) for number in range({LATER + 1})]
def show():
    return sessions.pop(0)
"""
_PEERS: Final = """
sessions = list(range(LATER + 1))
def show():
    import anywidget, traitlets
    class Peer(anywidget.AnyWidget):
        _esm = '''export default { render({ model, el }) {
            const row = (number) => `<div data-row="${number}" aria-label="${number}, new">${number}</div>`;
            const rows = Array.from({ length: TASKS }, (_, number) => row(number));
            const name = `Graph mesh ${model.get("number")}`;
            el.className = "sage-nb-view";
            el.innerHTML = `<div class="sn-drawing" aria-label="${name}">${rows.join("")}</div>`;
        } };'''
        number = traitlets.Int().tag(sync=True)
    return Peer(number=sessions.pop(0))
""".replace("LATER", str(LATER)).replace("TASKS", str(TASKS))
SETUPS: Final = {f"graph of {TASKS} tasks": _SESSIONS, PEER: _PEERS}
_PASS: Final = "pass"
_SHOW: Final = "show()"

# From the command to run a cell until an animation frame begins in which all rows say how they stand.
_DISPLAY: Final = """async ({index, name, rows}) => {
  const panel = window.notebookPanel;
  panel.content.activeCellIndex = index;
  panel.content.deselectAll();
  const nextFrame = () => new Promise(requestAnimationFrame);
  await nextFrame();
  const began = performance.now();
  const ran = window.jupyterapp.commands.execute('notebook:run-cell');
  if (rows === 0) await ran;
  else {
    const shown = () => document.querySelectorAll(
      `.sage-nb-view .sn-drawing[aria-label="Graph ${name}"] [data-row][aria-label*=", new"]`).length;
    while (shown() < rows) {
      await nextFrame();
      if (performance.now() - began > 30_000) throw new Error(`${shown()} of ${rows} rows have been shown`);
    }
    await nextFrame();
  }
  const took = performance.now() - began;
  await ran;
  return took;
}"""


def displays(notebook: Notebook) -> dict[str, float]:
    """Show the first session (or peer) of a kernel, then some more, and run a cell that does nothing before each."""
    notebook.run(0)
    nothing, shown = [], []
    for number in range(LATER + 1):
        nothing.append(notebook.page.evaluate(_DISPLAY, {"index": 1, "name": "", "rows": 0}))
        shown.append(notebook.page.evaluate(_DISPLAY, {"index": 2, "name": f"mesh {number}", "rows": TASKS}))
    check("sessions left", notebook.ask("len(sessions)"), 0)
    return {_PASS: statistics.median(nothing), FIRST: shown[0], NEXT: statistics.median(shown[1:])}


def side_by_side(application: str) -> Sample:
    """What sessions take, and what widgets that do nothing take, in the same minute."""
    with opener(application) as open_notebook:
        found = {who: displays(open_notebook(setup, _PASS, _SHOW)) for who, setup in SETUPS.items()}
    return {f"{MS}, {who}, {what}": took for who, times in found.items() for what, took in times.items()}


def display(scale: Scale) -> Figure:
    """A session that is written at the end of a cell is there at once.

    The first one of a kernel is dearer: the kernel imports its widgets, and the browser fetches what shows them.
    """
    applications = dict(list(APPLICATIONS.items())[: scale.applications])

    def conclude(samples: Samples) -> list[Row]:
        rows = []
        for name in applications.values():
            for which in (FIRST, NEXT):
                ours, peer = (samples.of(name, f"{MS}, {who}, {which}") for who in SETUPS)
                rows += [
                    Row(f"{name}: {which}", MS, ours, Target("at most", 300)),
                    Row(f"{name}: {which}, longer than {PEER}", MS, by_round(lambda a, b: a - b, ours, peer)),
                ]
        return rows

    return Figure(
        "display",
        f"from running a cell to a graph of {TASKS} tasks painted; `{_PASS}`: a cell with nothing else, to its end",
        tuple(Case(name, partial(side_by_side, key), 3) for key, name in applications.items()),
        conclude,
    )
