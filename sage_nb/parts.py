"""The parts of a view one by one, as widgets that somebody can lay out. Brings in ipywidgets when one is asked for.

They belong to their session and are closed with it. What is drawn live is the same widget in all cells that show it; a
form is a new one each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime import Session

if TYPE_CHECKING:
    from sage_nb.view import View
    from sage_nb.wire import Part


def graph(session: Session) -> View:
    """The graph, live: queues that fill and drain, states, the stop signal on its way."""
    return _view(session, "graph")


def queue_depths(session: Session) -> View:
    """How many packets wait in front of each task, live."""
    return _view(session, "depths")


def stop_progress(session: Session) -> View:
    """Of each task, which of its producers have ended, and in which order the tasks do, live."""
    return _view(session, "stops")


def errors(session: Session) -> View:
    """What failed or was skipped, with traceback, to be retried or discarded."""
    return _view(session, "errors")


def injector(session: Session) -> Any:
    """A form that puts a packet into a queue, an `ipywidgets.VBox`.

    What is typed is a Python literal or a text, or, where its reader allows it, an expression of the notebook's names.
    """
    from sage_nb.panels import Injector  # noqa: PLC0415  it imports ipywidgets

    return Injector(session).box


def stepper(session: Session) -> Any:
    """Buttons that pause, step and resume the job, and the last steps as text, an `ipywidgets.VBox`."""
    from sage_nb.panels import Stepper  # noqa: PLC0415  it imports ipywidgets

    return Stepper(session).box


def service_form(session: Session, name: str) -> Any:
    """A form for a service, made from the signatures of its methods, an `ipywidgets.VBox`. Raises `UnknownName`."""
    from sage_nb.panels import ServiceForm  # noqa: PLC0415  it imports ipywidgets

    return ServiceForm(session, name).box


def _view(session: Session, part: Part) -> View:
    from sage_nb.view_hub import hub_of  # noqa: PLC0415  it imports the widgets

    return hub_of(session).view((part,))
