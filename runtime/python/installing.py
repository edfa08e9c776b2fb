"""How this project is installed, for errors that name the command: from its folder, since it is on no index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parents[2]


def install_command(extra: str = "") -> str:
    """The command that installs the project into the running Python, with this extra of its `pyproject.toml`.

    Where its folder is not known, because what runs was installed from there once, the command is for that folder.
    """
    if sys.platform == "emscripten":
        return "install it by micropip, or by %pip in JupyterLite"
    extras = f"[{extra}]" if extra else ""
    from shlex import quote  # noqa: PLC0415  only where something is missing

    python = quote(sys.executable or "python")
    if (_FOLDER / "pyproject.toml").is_file():
        return f"{python} -m pip install --editable {quote(str(_FOLDER) + extras)}"
    return f"{python} -m pip install {quote('.' + extras)}, in the folder of sage-nb"
