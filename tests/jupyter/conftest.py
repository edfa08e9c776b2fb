"""One Jupyter server for all tests here, and the browser of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.jupyter.kernel import Kernel, kernel
from tests.jupyter.notebooks import PATIENCE_MS, VIEWPORT, Applications, LoadedLab, Notebook
from tests.jupyter.server import Server, server

Open = Callable[[list[str]], Notebook]


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("notebooks")) as found:
        yield found


@pytest.fixture(scope="session")
def context(one_chromium: tuple[Browser, asyncio.AbstractEventLoop]) -> BrowserContext:
    """One for all, so that JupyterLab is loaded once."""
    chromium, loop = one_chromium
    asyncio._set_running_loop(loop)
    context = chromium.new_context(reduced_motion="reduce", viewport=VIEWPORT)
    context.set_default_timeout(PATIENCE_MS)
    asyncio._set_running_loop(None)
    return context


@pytest.fixture(scope="session")
def lab() -> LoadedLab:
    return LoadedLab()


@pytest.fixture
def applications(
    request: pytest.FixtureRequest, jupyter: Server, context: BrowserContext, chromium: Browser, lab: LoadedLab
) -> Iterator[Applications]:
    found = Applications(jupyter, context, lab)
    failed_before = request.session.testsfailed
    yield found
    found.close(well=request.session.testsfailed == failed_before)


@pytest.fixture(params=["lab", pytest.param("notebook", marks=pytest.mark.long)])
def application(request: pytest.FixtureRequest) -> str:
    """JupyterLab, and in a long run Notebook 7, which runs the same plugin; some tests ask for both always."""
    name: str = request.param
    return name


@pytest.fixture
def open_notebook(applications: Applications, application: str) -> Open:
    """Opens a notebook of these cells, in each application in turn, and runs the first."""

    def open_notebook(cells: list[str]) -> Notebook:
        notebook = applications.open_loaded(application, applications.write(cells))
        notebook.run(0)
        notebook.view.wait_for()
        return notebook

    return open_notebook


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel without a page."""
    with kernel(tmp_path) as found:
        yield found
