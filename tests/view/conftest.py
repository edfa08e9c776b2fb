"""Views without a browser: every widget of a test opens a recording comm, and none may be left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import runtime
from sage_nb.view_hub import hub_of
from sage_nb.wire import Part
from tests.view.pages import Page, close_kept, open_widgets, record_comms

ShowPage = Callable[..., Page]


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    record_comms(monkeypatch)
    before = open_widgets()
    yield
    close_kept()
    assert open_widgets() <= before, "a widget was left behind"


@pytest.fixture
def session() -> Iterator[runtime.Session]:
    session = runtime.Session("test")
    yield session
    session.close()


@pytest.fixture
def show() -> ShowPage:
    def show(session: runtime.Session, *parts: Part, name: str = "page") -> Page:
        return Page(hub_of(session).view(parts or ("graph",)), name).mount()

    return show
