"""The page of a view as one ES module and one style sheet, packed for the way to the browser. Knows the files, not what
they do.

In `page/` they are real ES modules that import each other by name, which editors and linters understand; here they
are joined in the order of their imports. There is no build step: nothing is rewritten but the lines of the imports and
the word `export`. A widget brings `loader.js` only, which loads the rest once for all views of a document.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
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
    """The style sheet; everything in it is about what is inside `.sage-nb-view`, and around it."""
    return _text("view.css")


@cache
def loader() -> str:
    """The text of the ES module that every widget brings, which loads the one above."""
    return _text("loader.js")


@cache
def packed() -> str:
    """Script and style as `loader.js` unpacks them: JSON, by gzip, in base 64. The same in every process."""
    text = json.dumps({"esm": esm(), "css": css()}).encode()
    return base64.b64encode(gzip.compress(text, mtime=0)).decode("ascii")


@cache
def digest() -> str:
    """What tells this page from that of another version, in a document that shows both."""
    return hashlib.sha256(packed().encode()).hexdigest()[:16]


def _join(name: str, joined: dict[str, str]) -> None:
    """Append the module called `name` after those that it imports. Imports form no cycle."""
    text = _text(name)
    for found in _IMPORT.finditer(text):
        if found["name"] not in joined:
            _join(found["name"], joined)
    joined[name] = _EXPORT.sub("", _IMPORT.sub("", text))


def _text(name: str) -> str:
    return (_PAGE / name).read_text("utf-8")
