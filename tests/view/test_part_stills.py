"""Every part leaves a picture or a table where no view is alive: the same in every run."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable
from typing import Any, Final

import ipywidgets
import pytest

import runtime
import sage_nb


class Prices:
    def process(self, item: str, loud: bool = False) -> str:
        return item.upper() if loud else item


def graph(session: runtime.Session) -> None:
    numbers = session.source([1, 0, 2], name="num<b>ers")
    numbers.map(lambda n: 6 // n, name="divide", on_error="skip", parallelism=2).collect(name="result")
    session.service("prices", Prices)


PARTS: Final[dict[str, Callable[[runtime.Session], Any]]] = {
    "dashboard": runtime.Session.dashboard,
    "graph": sage_nb.graph,
    "queue_depths": sage_nb.queue_depths,
    "stop_progress": sage_nb.stop_progress,
    "errors": sage_nb.errors,
    "injector": sage_nb.injector,
    "stepper": sage_nb.stepper,
    "service_form": lambda session: sage_nb.service_form(session, "prices"),
}

WIDGET: Final = "application/vnd.jupyter.widget-view+json"
FORMS: Final = ("injector", "stepper", "service_form")


def outputs(monkeypatch: pytest.MonkeyPatch, widget: Any) -> list[dict[str, Any]]:
    """What showing it puts into a cell."""
    published: list[dict[str, Any]] = []
    monkeypatch.setattr("sage_nb.outputs.kernel_shell", object)
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, **_: published.append(data))
    widget._ipython_display_()
    return published


def test_what_loads_widgets_in_colab_is_told_to_it(monkeypatch: pytest.MonkeyPatch, session: runtime.Session) -> None:
    """By metadata of the live view alone; nothing of Colab is here, so this is as far as it can be tried."""
    manager = types.SimpleNamespace(_installed_url="https://manager.example")
    colab: Any = types.SimpleNamespace(enable_custom_widget_manager=lambda: None, _widgets=manager)
    monkeypatch.setitem(sys.modules, "google.colab.output", colab)
    published: list[Any] = []
    monkeypatch.setattr("sage_nb.outputs.kernel_shell", object)
    monkeypatch.setattr("IPython.display.publish_display_data", lambda _, metadata, **__: published.append(metadata))
    session.dashboard()._ipython_display_()  # type: ignore[attr-defined]
    of_view: Any = {"colab": {"custom_widget_manager": {"url": "https://manager.example"}}}
    # With ipywidgets 7 a hook of Colab's own adds it to what is published.
    assert published == [{WIDGET: of_view} if hasattr(ipywidgets.Widget, "_repr_mimebundle_") else {}, {}]


def text_of(still: dict[str, Any]) -> str:
    return re.sub(r"<style>.*?</style>|<[^>]+>", " ", still["text/html"])


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_shown_alive_and_behind_it_is_its_still(
    monkeypatch: pytest.MonkeyPatch, session: runtime.Session, part: str
) -> None:
    graph(session)
    live, still = outputs(monkeypatch, PARTS[part](session))
    assert set(live) == {WIDGET, "text/plain"}
    assert 'class="sage-nb-still"' in still["text/html"]
    assert WIDGET not in still
    assert "<b>ers" not in still["text/html"]


@pytest.mark.parametrize("part", PARTS)
def test_the_still_of_a_part_is_the_same_in_every_run_and_after_the_close(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    seen = []
    for _ in range(2):
        with runtime.Session("still") as session:
            graph(session)
            session.run()
            seen.append(outputs(monkeypatch, PARTS[part](session))[1])
        if part not in FORMS:
            seen.append(outputs(monkeypatch, PARTS[part](session))[1])
    assert seen == seen[:1] * len(seen)


def test_stills_say_what_a_run_has_come_to(monkeypatch: pytest.MonkeyPatch, session: runtime.Session) -> None:
    graph(session)
    session.run()
    told = {part: text_of(outputs(monkeypatch, make(session))[1]) for part, make in PARTS.items()}
    assert "0 of 1,024 left" in told["queue_depths"]
    assert re.search(r"result\s+2 of 2\s+completed", told["stop_progress"])
    assert "1 raised" in told["errors"]
    assert "result" in told["injector"]
    assert "item, loud" in told["service_form"]


def test_without_a_kernel_a_part_is_what_ipywidgets_make_of_it(session: runtime.Session) -> None:
    graph(session)
    with pytest.raises(NotImplementedError):
        sage_nb.graph(session)._ipython_display_()
