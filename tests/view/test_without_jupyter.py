"""Where there is no kernel of Jupyter, but marimo, which asks an object what to show in its place."""

from __future__ import annotations

import pytest

import runtime
import sage_nb
from sage_nb import display


def test_a_session_is_shown_there_by_its_live_view_and_forms_by_parts_of_it(session: runtime.Session) -> None:
    session.input("numbers").collect()
    session.service("clock", object)
    assert session._display_() is session.dashboard()
    forms = [sage_nb.injector(session), sage_nb.service_form(session, "clock"), sage_nb.stepper(session)]
    assert [form._display_().parts for form in forms] == [["inspector"], ["inspector"], ["toolbar", "log"]]


def test_what_cannot_be_drawn_there_is_text(session: runtime.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no widgets")

    monkeypatch.setattr(display, "dashboard", broken)
    with pytest.warns(RuntimeWarning, match="'test' could not be drawn"):
        assert session._display_() == "Session('test': 0 operators, 0 tasks)"
