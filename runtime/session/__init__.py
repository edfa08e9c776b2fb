"""Session: the graph, its runs and the user's hand on them, as one object."""

from runtime.session.session import Change, Session

__all__ = ["Change", "Session"]
