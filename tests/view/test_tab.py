"""A session in a page that has Python in its own tab: no widget, the same messages, and a program of its reader."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.testing import PATIENCE_S
from sage_nb.tab import Tab

WORDS = """
import runtime
session = runtime.Session("words")
session.source(["to", "be"], name="words").collect(name="result")
session
"""


class Page:
    """The other end of a `Tab`."""

    def __init__(self) -> None:
        self.news = threading.Condition()  # guards both below
        self.posted: list[dict[str, Any]] = []
        self.acks: dict[str, Any] = {}
        self.tab = Tab(self.post)
        self._number = 0

    def post(self, text: str) -> None:
        with self.news:
            self.posted.append(json.loads(text))
            message = self.posted[-1].get("msg", {})
            if "ack" in message:
                self.acks[message["ack"]] = message
            self.news.notify_all()

    def all_of(self, kind: str) -> list[Any]:
        with self.news:
            return [each[kind] for each in self.posted if kind in each]

    def tell(self, cmd: str, **args: Any) -> str:
        self._number += 1
        self.tab.receive(json.dumps({"cmd": cmd, "args": args, "id": f"page-{self._number}"}))
        return f"page-{self._number}"

    def ask(self, cmd: str, **args: Any) -> Any:
        asked = self.tell(cmd, **args)
        with self.news:
            assert self.news.wait_for(lambda: asked in self.acks, PATIENCE_S)
            return self.acks[asked]


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page()
    yield page
    page.tell("unmount", view="page")
    page.tab.close()


def test_a_program_that_ends_in_a_session_shows_it_and_its_page_steers_it(page: Page) -> None:
    assert page.tab.run(WORDS)
    (traits,) = page.all_of("shows")
    assert [row["name"] for row in traits["plan"]["rows"]] == ["words", "result"]
    assert json.loads(traits["frame"])["state"] == "new"
    page.tell("mount", view="page")
    assert page.ask("start_paused")["ok"]
    assert page.ask("step", name="words")["python"] == "session.step('words')"
    refused = page.ask("step", name="nobody")
    assert (refused["ok"], refused["reason"].split(":")[0]) == (False, "UnknownName")


def test_frames_come_to_a_page_that_looks_and_say_how_the_job_has_ended(page: Page) -> None:
    page.tab.run(WORDS)
    page.tell("mount", view="page")
    page.ask("run")
    with page.news:

        def has_ended() -> bool:
            frames = [json.loads(each["traits"]["frame"]) for each in page.posted if "frame" in each.get("traits", {})]
            return any(frame["state"] == "completed" and frame["counts"]["done"] == 2 for frame in frames)

        assert page.news.wait_for(has_ended, PATIENCE_S)


def test_another_program_closes_the_session_of_the_one_before(page: Page) -> None:
    assert page.tab.run(WORDS.removesuffix("session\n") + "session.start(paused=True)\nsession\n")
    page.tell("mount", view="page")
    assert not page.tab.run("6 * 7")
    assert page.all_of("says") == ["42\n"]
    last = [each["traits"]["frame"] for each in page.posted if "frame" in each.get("traits", {})][-1]
    assert json.loads(last)["closed"] is True


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("x = 1\n1 / 0\n", 'File "program.py", line 2, in <module>\n    1 / 0'),
        ("x = (\n", 'File "program.py", line 1'),
        ("raise SystemExit('enough')", "SystemExit: enough"),
    ],
)
def test_what_a_program_raises_is_told_from_its_own_lines_on(page: Page, program: str, said: str) -> None:
    assert not page.tab.run(program)
    (text,) = page.all_of("raised")
    assert said in text
    assert "tab.py" not in text


def test_a_page_without_a_notebook_needs_neither_widgets_nor_ipython_nor_a_drawing() -> None:
    program = f"""
import sys
for name in ("ipywidgets", "anywidget", "traitlets", "IPython", "comm", "matplotlib", "networkx", "PIL", "tqdm"):
    sys.modules[name] = None
from sage_nb.tab import Tab
posted = []
tab = Tab(posted.append)
assert tab.run({WORDS!r}), posted
tab.close()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
