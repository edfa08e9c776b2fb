"""Stands before the package of this name in workers, until something of it is used; then it is that package.

Ray imports jsonschema, which imports rfc3987_syntax where there is one (Jupyter brings it), and that compiles a
grammar: 0.9 s of the 1.3 that a worker takes to import Ray, for a check that hardly anybody makes.
"""

import importlib
import os
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

_THIS = sys.modules[__name__]
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_spec = PathFinder.find_spec(__name__, [path for path in sys.path if os.path.abspath(path or ".") != _HERE])
if _spec is None or _spec.submodule_search_locations is None:
    raise ModuleNotFoundError(f"No module named {__name__!r}", name=__name__)
__path__ = list(_spec.submodule_search_locations)  # so that its modules are found


def _package() -> ModuleType:
    """The package itself, which is imported under this name from now on."""
    if sys.modules.get(__name__) is _THIS:
        sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != _HERE]
        del sys.modules[__name__]
    return importlib.import_module(__name__)


def is_valid_syntax(*arguments: Any, **named: Any) -> Any:
    """What jsonschema imports by name."""
    return _package().is_valid_syntax(*arguments, **named)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_package(), name)
