"""The notebook's face of `runtime`: a session's graph as a picture, alive, and in parts.

Imports matplotlib and ipywidgets when they are needed; without matplotlib it paints pictures itself.
"""

from runtime import Session
from sage_nb.drawing import draw, to_svg
from sage_nb.parts import errors, graph, injector, queue_depths, service_form, stepper, stop_progress
from sage_nb.values import chart, table

__all__ = [
    "Session",
    "chart",
    "draw",
    "errors",
    "graph",
    "injector",
    "queue_depths",
    "service_form",
    "stepper",
    "stop_progress",
    "table",
    "to_svg",
]
