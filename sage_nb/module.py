"""The page of a view as one ES module and one style sheet, as anywidget wants them. Knows the files, not what they do.

In `page/` they are real ES modules that import each other by name, which editors and linters understand; here they
are joined in the order of their imports. There is no build step: nothing is rewritten but the lines of the imports and
the word `export`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

_PAGE: Final = files("sage_nb") / "page"
_FIRST: Final = "view.js"
_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./(?P<name>[a-z_]+\.js)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:function|class|const)\b)", re.MULTILINE)


@cache
def esm() -> str:
    """The text of the ES module, which exports `{render}`."""
    joined: dict[str, str] = {}
    _join(_FIRST, joined)
    parts = [f"// {name}\n{text}" for name, text in joined.items()]
    return "\n".join([*parts, "export default { render };\n"])


@cache
def css() -> str:
    """The style sheet; everything in it is about what is inside `.sage-nb-view`."""
    return (_PAGE / "view.css").read_text("utf-8")


def _join(name: str, joined: dict[str, str]) -> None:
    """Put the module called `name` behind those that it imports. They form no circle."""
    text = (_PAGE / name).read_text("utf-8")
    for found in _IMPORT.finditer(text):
        if found["name"] not in joined:
            _join(found["name"], joined)
    joined[name] = _EXPORT.sub("", _IMPORT.sub("", text))
