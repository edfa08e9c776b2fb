"""Pictures of the view for README and docs, taken in a real JupyterLab: `make screenshots`. Knows no test.

`python tools/screenshots.py NAME ...` takes some of them.

What they show is brought about by gates in the example, not by waiting, so that they say the same each time; only
times and what depends on them (the timeline) differ.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image
from playwright.sync_api import ViewportSize

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tests`: it is not installed

from tests.browser import chromium
from tests.jupyter.notebooks import PATIENCE_MS, Applications, Notebook
from tests.jupyter.server import server

ROOT: Final = Path(__file__).parents[1]
PICTURES: Final = ROOT / "docs" / "pictures"
VIEWPORT: Final[ViewportSize] = {"width": 1280, "height": 1500}
SCALE: Final = 2
COLORS: Final = 256
GAP: Final = 16
MAX_BYTES: Final = 200_000

EXAMPLE: Final = """
import threading, time
import runtime

ITEMS = {"tea": 310, "milk": 120, "bread": 240, "honey": 550, "juice": 290}
CITIES = ("Leipzig", "Lyon", "Turin", "Porto", "Ghent", "Malmö", "Graz", "Bergen")
LINES = [f"{city}; {item}; {number % 3 + 1}" for number in range(60) for city, item in
         zip(CITIES, [*ITEMS, *ITEMS][number % 5:], strict=False)]
gates = [threading.Event() for _ in range(4)]

class Prices:
    '''What an item costs; of saffron, somebody has to be asked.'''
    def process(self, item: str, currency: str = "EUR") -> int:
        return 1250 if item == "saffron" and gates[1].wait() else ITEMS[item]

def parse(line):
    city, item, number = line.split("; ")
    return {"city": city, "item": item, "number": int(number)}

class Price(runtime.Function):
    def process(self, order):
        cents = self.ctx.call_service("prices", order["item"], timeout=600)
        return {"item": order["item"], "cents": order["number"] * cents}

def shop(lines):
    session = runtime.Session("orders", capacity=8)
    session.service("prices", Prices, capacity=12)
    orders = session.source(lines, name="lines").map(parse, name="parse", on_error="skip")
    priced = orders.key_by(lambda order: order["city"]).map(Price(), name="price", parallelism=3)
    priced.key_by(lambda order: order["item"]).reduce(
        lambda sum, order: sum + order["cents"], initial=0, name="total", parallelism=2
    ).collect(name="report")
    return session

def still(session):  # until no packet moves any more; user code that waits is still at work to settle()
    seen = None
    while seen != (seen := {task.name: (task.processed, task.depth) for task in session.snapshot()}):
        time.sleep(0.3)

def slow():
    yield from LINES[:240]
    gates[0].wait()
    yield "Turin; saffron; 1"
    gates[3].wait()
    yield from LINES[240:]

def wrong():
    yield from LINES[:240]
    yield "Porto; tea; two"
    gates[2].wait()
    yield "Ghent; sugar; 1"
    gates[1].wait(1)  # by then, the job has failed
"""


def show(notebook: Notebook, index: int, name: str) -> None:
    """Run the cell with a session that is new, and start it in its view."""
    notebook.run(index)
    notebook.sees("new")
    notebook.click(name)


def open_tab(notebook: Notebook, row: str, tab: str) -> None:
    """Select a row, and a tab of the inspector."""
    notebook.row(row).click()
    notebook.view.locator(f"[data-tab={tab}]").click()


def running(notebook: Notebook) -> None:
    """One call of a service takes long: queues fill, and the source is held back. Below it, what has come out."""
    notebook.run(6)
    notebook.sees("new")
    notebook.run(7)
    notebook.click("Run")
    notebook.ask("[still(session), gates[0].set(), still(session), gates[3].set(), still(session)]")
    chart = notebook.page.locator(".sn-values").last
    chart.scroll_into_view_if_needed()
    chart.get_by_text("values").first.wait_for()
    open_tab(notebook, "prices", "service")


def paused(notebook: Notebook) -> None:
    """A job held still from its beginning, moved on by steps, and one of its queues looked into."""
    show(notebook, 1, "Start paused")
    notebook.sees("paused")
    notebook.run(2)
    notebook.row("parse").click()
    notebook.click("Step task")
    open_tab(notebook, "parse", "queue")
    notebook.view.locator(".sn-packet").nth(1).click()


def failed(notebook: Notebook) -> None:
    """A packet that could not be parsed is a dead letter; one that has no price has failed the job."""
    show(notebook, 3, "Run")
    notebook.ask("[still(session), gates[2].set()]")
    notebook.sees("failed")
    open_tab(notebook, "price#0", "errors")
    notebook.view.locator("summary", has_text="Traceback").first.wait_for()


def ended(notebook: Notebook) -> None:
    """A run before one's eyes, to its end: who ended when."""
    show(notebook, 4, "Run")
    notebook.sees("completed")
    open_tab(notebook, "total#0", "task")


def asked(notebook: Notebook) -> None:
    """A question on its way, with the value and the time at each box."""
    show(notebook, 5, "Run")
    notebook.sees("running")
    open_tab(notebook, "order", "ask")
    notebook.view.get_by_label("Ask with").fill("tea honey")
    panel = notebook.view.locator("[role=tabpanel]:visible")
    panel.get_by_role("button", name="Watch it").click()
    steps = notebook.view.locator(".sn-asked-steps > li")
    for number in range(3):
        panel.get_by_role("button", name="Next step").click()
        steps.nth(number).wait_for()


CELLS: Final = [
    EXAMPLE,
    "session = shop(LINES)\nsession",
    """
session.resume("prices")
for task, turns in [("lines", 8), ("parse", 8), ("lines", 8), ("price#0", 1), ("price#1", 1), ("price#2", 1),
                    ("parse", 2), ("lines", 2), ("total#0", 1), ("lines", 0)]:
    for _ in range(turns):
        session.step(task)
session.pause("prices")
""",
    "session = shop(wrong)\nsession",
    "session = shop(LINES)\nsession",
    """
session = runtime.Session("orders")
items = session.input("order").flat_map(str.split, name="items")
items.map(ITEMS.__getitem__, name="price", on_error="skip").reply(name="answer")
session
""",
    "session = shop(slow)\nsession",
    """
import sage_nb

def cents(pair):
    return pair[1]

def item(pair):
    return pair[0]

sage_nb.chart(session, "report", cents, item)
""",
]
SCENES: Final[dict[str, tuple[Callable[[Notebook], None], str]]] = {
    "paused": (paused, "JupyterLab Light"),
    "failed": (failed, "JupyterLab Light"),
    "ended": (ended, "JupyterLab Dark"),
    "asked": (asked, "JupyterLab Light"),
    "running": (running, "JupyterLab Light"),  # the last one: its chart stays
}


# No focus, no news; and in a traceback, no folders of this machine.
_CLEAN: Final = """(root) => {
  document.activeElement?.blur();
  document.querySelectorAll('.Toastify').forEach((each) => each.remove());
  document.querySelectorAll('.sage-nb-view pre').forEach((each) => {
    const { scrollTop } = each;
    for (const part of [...each.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)) {
      const text = part.data.replaceAll(`${root}/`, '');
      part.data = text.replace(/\\/\\S*\\/ipykernel_\\d+\\/\\d+\\.py/g, 'In [1]');
    }
    each.scrollTop = scrollTop;
  });
}"""


def stacked(pictures: list[Image.Image]) -> Image.Image:
    """One below the other, on the ground of the first."""
    width, height = max(each.width for each in pictures), sum(each.height + GAP for each in pictures) - GAP
    whole = Image.new("RGB", (width, height), pictures[0].getpixel((4 * SCALE, 4 * SCALE)))
    top = 0
    for each in pictures:
        whole.paste(each, (0, top))
        top += each.height + GAP
    return whole


def take(notebook: Notebook, name: str) -> Path:
    """The view as a PNG of few colours; of several, one below the other."""
    notebook.page.mouse.move(0, 0)
    notebook.page.evaluate(_CLEAN, str(ROOT))
    notebook.page.wait_for_timeout(1_500)  # until the log may speak again, and what moved has come to rest
    views = notebook.page.locator(".sage-nb-view:visible").all()
    picture = stacked([Image.open(io.BytesIO(view.screenshot())).convert("RGB") for view in views])
    path = PICTURES / f"{name}.png"
    picture.quantize(COLORS, kmeans=3, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def main() -> None:
    """Take all pictures; say how large they are."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        home, folder = (Path(opened.enter_context(TemporaryDirectory())) for _ in range(2))
        browser = opened.enter_context(chromium())
        context = browser.new_context(reduced_motion="reduce", viewport=VIEWPORT, device_scale_factor=SCALE)
        context.set_default_timeout(PATIENCE_MS)
        applications = Applications(opened.enter_context(server(home, folder)), context)
        opened.callback(applications.close)
        notebook = applications.open("lab", applications.write(CELLS))
        notebook.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        notebook.run(0)
        for name, (scene, theme) in SCENES.items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            notebook.page.evaluate(
                f"() => window.jupyterapp.commands.execute('apputils:change-theme', {{theme: '{theme}'}})"
            )
            scene(notebook)
            path = take(notebook, name)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")
            if path.stat().st_size > MAX_BYTES:
                sys.exit(f"{path.name} is larger than {MAX_BYTES:,} bytes")


if __name__ == "__main__":
    main()
