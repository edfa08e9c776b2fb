"""A page that has Python in its own tab: runs a program there, and shows the session that it ends in.

No kernel, no widgets, nothing but `runtime` and this package. The page is the one of a notebook (`page/view.js`); its
messages are handed over as JSON, by the two calls of `Tab`. Knows nothing of JavaScript: whoever makes a `Tab` says how
a text gets to the page.
"""

from __future__ import annotations

import ast
import json
import linecache
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from runtime import Session
from sage_nb.links import Hear, text_of
from sage_nb.module import css, digest, esm, packed
from sage_nb.plan import COLLAPSE_BEYOND
from sage_nb.view_hub import hub_of
from sage_nb.wire import Frame, Part, Plan

PARTS: Final[tuple[Part, ...]] = ("toolbar", "graph", "inspector", "timeline", "log")
FILE: Final = "program.py"
"""What tracebacks call the program."""

Post = Callable[[str], object]
"""Hands a JSON text to the page: `{traits}` to be set, or a message as `{msg}`; `{shows}`, `{says}`, `{raised}`."""


class Tab:
    """What a page has of Python. One program at a time: another one closes the session of the one before."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._shown: TabView | None = None
        self._session: Session | None = None

    def page(self) -> str:
        """Script and style of a view, as JSON: `{esm, css}`."""
        return json.dumps({"esm": esm(), "css": css()})

    def run(self, program: str) -> bool:
        """Run it, and show the session that its last line gives: whether there is one. Say what else it gives."""
        self.close()
        try:
            value = _run(program)
            if isinstance(value, Session):
                self._show(value)
            elif value is not None:
                self._tell(says=f"{value!r}\n")
        except BaseException as error:  # noqa: BLE001  the border to what a reader has written
            self._tell(raised="".join(traceback.format_exception(_of_program(error))))
        return self._session is not None

    def receive(self, text: str) -> None:
        """A message of the view's page. Never waits."""
        if self._shown is not None:
            self._shown.receive(json.loads(text))

    def close(self) -> None:
        """Close the session that is shown. Its page stays, and shows how it was left."""
        self._shown, session, self._session = None, self._session, None
        if session is not None:
            session.close()

    def _show(self, session: Session) -> None:
        self._session = session
        link = hub_of(session).link(PARTS, "graph", partial(TabView, self._post))
        assert isinstance(link, TabView)
        self._shown = link
        self._tell(shows=link.traits())

    def _tell(self, **what: Any) -> None:
        self._post(json.dumps(what))


class TabView:
    """A session's view, as a `ViewLink`: what a widget's traits are in a notebook is posted."""

    def __init__(
        self, post: Post, name: str, parts: Sequence[Part], shown: str, *, plan: Plan, frame: str, **_: object
    ) -> None:
        self.name, self.parts, self.plan = name, list[str](parts), plan
        self._post, self._frame, self._shown = post, frame, shown
        self._hear: Hear | None = None

    def traits(self) -> Mapping[str, Any]:
        """All that a page asks its model for."""
        return {
            "parts": self.parts,
            "shown": self._shown,
            "collapse_beyond": COLLAPSE_BEYOND,
            "plan": self.plan,
            "frame": self._frame,
        }

    def receive(self, content: Any) -> None:
        """A message of the page."""
        if self._hear is not None:
            self._hear(self, content, ())

    def on_msg(self, hear: Hear) -> None:
        """As `Link` says."""
        self._hear = hear

    def show(self, plan: Plan, frame: Frame) -> None:
        """As `ViewLink` says."""
        self.plan, self._frame = plan, text_of(frame)
        self._set(plan=self.plan, frame=self._frame)

    def show_plan(self, plan: Plan) -> None:
        """As `ViewLink` says."""
        self.plan = plan
        self._set(plan=plan)

    def show_frame(self, text: str) -> None:
        """As `ViewLink` says."""
        self._frame = text
        self._set(frame=text)

    def send(self, content: Any) -> None:
        """As `Link` says."""
        self._post(json.dumps({"msg": content}))

    def send_page(self) -> None:
        """As `Link` says; a page in a tab has it already."""
        self.send({"page": digest(), "packed": packed()})

    def close(self) -> None:
        """As `Link` says."""
        self._hear = None

    def _set(self, **traits: Any) -> None:
        self._post(json.dumps({"traits": traits}))


def _run(program: str) -> object:
    """Run it as a module of its own; the value of its last line, if that is an expression."""
    linecache.cache[FILE] = (len(program), None, program.splitlines(keepends=True), FILE)  # for tracebacks
    tree = ast.parse(program, FILE)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(tree, FILE, "exec"), names)
    return eval(compile(ast.Expression(last.value), FILE, "eval"), names) if isinstance(last, ast.Expr) else None


def _of_program(error: BaseException) -> BaseException:
    """The error with the lines from the program on: of what has run that, its reader knows nothing."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != FILE:
        trace = trace.tb_next
    return error.with_traceback(trace)
