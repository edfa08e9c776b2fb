"""A notebook in a real application, in a real browser, with a real kernel: what a story is told with."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from typing import Any, Final

import nbformat as _nbformat
from playwright.sync_api import BrowserContext, Error, Locator, Page, ViewportSize, expect

from tests.jupyter.server import Server

nbformat: Any = _nbformat  # it has no types

PATIENCE_MS: Final = 30_000
VIEWPORT: Final[ViewportSize] = {"width": 1280, "height": 900}
PATHS: Final = {
    # A workspace of its own: JupyterLab leaves one that another page has open, in the middle of everything.
    "lab": "/lab/workspaces/{workspace}/tree/{name}?token={token}",
    "notebook": "/notebooks/{name}?token={token}",
}

# The widgets in the main area of a shell; in JupyterLab 3 they come one by one from an iterator of its own kind.
_ALL_WIDGETS: Final = """(shell) => {
  const found = shell.widgets('main');
  if (Symbol.iterator in found) return [...found];
  const widgets = [];
  for (let each; (each = found.next()) !== undefined;) widgets.push(each);
  return widgets;
}"""

# Ready: the panel is there, its session has a kernel, and that kernel has answered once.
_UNTIL_READY: Final = """async () => {
  const all = ALL_WIDGETS;
  const until = async (what, find) => {
    for (const end = Date.now() + 30000; Date.now() < end; await new Promise((done) => setTimeout(done, 50))) {
      const found = find();
      if (found) return found;
    }
    throw new Error('no ' + what);
  };
  const isNotebook = (widget) => widget.context && widget.sessionContext && widget.content?.widgets;
  const panel = await until('notebook', () => window.jupyterapp && all(window.jupyterapp.shell).find(isNotebook));
  await panel.context.ready;
  window.notebookPanel = panel;
  await panel.sessionContext.ready;
  const session = await until('kernel', () => panel.sessionContext.session?.kernel && panel.sessionContext.session);
  await session.kernel.info;
}""".replace("ALL_WIDGETS", _ALL_WIDGETS)

# In a JupyterLab that is loaded already; everything else in it is closed before.
_OPEN_ANOTHER: Final = """async (path) => {
  delete window.notebookPanel;
  const {shell, commands} = window.jupyterapp;
  for (const widget of (ALL_WIDGETS)(shell)) widget.dispose();
  await commands.execute('docmanager:open', {path, factory: 'Notebook'});
}""".replace("ALL_WIDGETS", _ALL_WIDGETS)

_RUN: Final = """async (index) => {
  const panel = window.notebookPanel;
  panel.content.activeCellIndex = index;
  panel.content.deselectAll();
  await window.jupyterapp.commands.execute('notebook:run-cell');
  return (panel.content.model.sharedModel.cells[index].toJSON().outputs ?? [])
    .filter((output) => output.output_type === 'error').map((output) => `${output.ename}: ${output.evalue}`);
}"""

_ASK: Final = """async (code) => {
  const kernel = window.notebookPanel.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, silent: false, store_history: false});
  let answer = null;
  future.onIOPub = (message) => {
    if (message.header.msg_type === 'execute_result') answer = message.content.data['text/plain'];
    if (message.header.msg_type === 'error') answer = `${message.content.ename}: ${message.content.evalue}`;
  };
  await future.done;
  return answer;
}"""


class Notebook:
    """One notebook, opened fresh in one application."""

    def __init__(self, page: Page, patience_ms: int = PATIENCE_MS) -> None:
        self.page = page
        self._patience_ms = patience_ms

    @property
    def view(self) -> Locator:
        """The live view in it."""
        return self.page.locator(".sage-nb-view").first

    def run(self, index: int) -> None:
        """Run a cell and wait until it has ended; it must not raise."""
        assert (errors := self.page.evaluate(_RUN, index)) == [], errors

    def begin(self, index: int) -> None:
        """Run a cell, and do not wait for it."""
        self.page.evaluate(f"(index) => {{ ({_RUN})(index); }}", index)

    def ask(self, expression: str) -> Any:
        """The value of an expression in the kernel, by JSON."""
        answer = self.page.evaluate(_ASK, f"__import__('json').dumps({expression})")
        assert answer is not None, expression
        assert answer.startswith(("'", '"')), answer
        return json.loads(eval(answer))

    def cells(self) -> list[Any]:
        """The cells as they would be saved."""
        found: list[Any] = self.page.evaluate(
            "() => window.notebookPanel.content.model.sharedModel.cells.map((cell) => cell.toJSON())"
        )
        return found

    def save(self) -> None:
        """Save it into its file."""
        self.page.evaluate("async () => { await window.notebookPanel.context.save(); }")

    def click(self, name: str) -> None:
        """Click the button of this name in the toolbar."""
        self.view.locator(".sn-toolbar").get_by_role("button", name=name, exact=True).click()

    def row(self, name: str) -> Locator:
        """A task or service in the graph."""
        return self.view.locator(f'.sn-graph [data-row][aria-label^="{name},"]')

    def sees(self, text: str) -> None:
        """Wait until the view's status says `text`."""
        expect(self.view.locator(".sn-status")).to_contain_text(text, timeout=self._patience_ms)

    def shut_down(self) -> None:
        """End its kernel."""
        with suppress(Error):  # the kernel of a page that a test has broken goes with the server
            self.page.evaluate("async () => { await window.notebookPanel?.sessionContext.shutdown(); }")


class LoadedLab:
    """A page with JupyterLab in it, which takes seconds to load, and which one test after the other may use."""

    def __init__(self) -> None:
        self.page: Page | None = None

    def take(self) -> Page | None:
        """The page, if there is one. It is gone for others until it is given back."""
        page, self.page = self.page, None
        return page


class Applications:
    """Opens notebooks in one browser context, whose cache all share, and closes what it has opened."""

    def __init__(self, server: Server, context: BrowserContext, lab: LoadedLab | None = None) -> None:
        self._server, self._context, self._lab = server, context, lab or LoadedLab()
        self._notebooks: list[Notebook] = []
        self._lent: Notebook | None = None

    def write(self, cells: list[str]) -> str:
        """A new notebook file of code cells; its name."""
        name = f"{secrets.token_hex(4)}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self._server.folder / name)
        return name

    def open(self, application: str, name: str) -> Notebook:
        """Open a notebook's file, in a new page."""
        page = self._context.new_page()
        path = PATHS[application].format(name=name, token=self._server.token, workspace=secrets.token_hex(4))
        page.goto(self._server.address + path)
        return self._opened(page)

    def open_loaded(self, application: str, name: str) -> Notebook:
        """Open a notebook's file, in a JupyterLab that another test has loaded, if that is to be its application."""
        page = self._lab.take() if application == "lab" and self._lent is None else None
        if page is None:
            notebook = self.open(application, name)
        else:
            page.set_viewport_size(VIEWPORT)
            page.evaluate(_OPEN_ANOTHER, name)
            notebook = self._opened(page)
        if application == "lab" and self._lent is None:
            self._lent = notebook
        return notebook

    def _opened(self, page: Page) -> Notebook:
        notebook = Notebook(page)
        self._notebooks.append(notebook)
        page.evaluate(_UNTIL_READY)
        return notebook

    def close(self, *, well: bool = False) -> None:
        """Close all. A loaded JupyterLab is kept for others if all went `well` in it."""
        for notebook in self._notebooks:
            notebook.shut_down()
            if well and notebook is self._lent:
                self._lab.page = notebook.page
            else:
                notebook.page.close()
