"""The notebook's face of `runtime`: a session's graph as a picture. Imports matplotlib and networkx when it draws."""

from runtime import Session
from sage_nb.drawing import draw, to_svg

__all__ = ["Session", "draw", "to_svg"]
