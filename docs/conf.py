"""How `make docs` makes one site of the notebooks, the recipes and the docstrings. Nothing here runs a notebook.

The notebooks are shown with the outputs they are saved with; that those are true is what nbval tests.
"""

import json
import shutil
from importlib import metadata
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

# Sphinx takes pages from below this directory only, and follows no links out of it. git ignores the copy.
_HERE = Path(__file__).parent
shutil.rmtree(_HERE / "notebooks", ignore_errors=True)
shutil.copytree(_HERE.parent / "notebooks", _HERE / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
for _path in (_HERE / "notebooks").glob("*.ipynb"):
    _notebook = json.loads(_path.read_text("utf-8"))
    _first = _notebook["cells"][0]
    if "it cannot be run" not in "".join(_first["source"]):
        _link = f'<a href="../lite/notebooks/index.html?path={_path.name}">Run it in your browser</a>'
        _first["source"] = ["".join(_first["source"]), f"\n\n{_link}, with nothing to install."]
        _path.write_text(json.dumps(_notebook), "utf-8")

project = "sage-nb"
author = "the sage-nb authors"
project_copyright = author
release = version = metadata.version("sage-nb")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build", "extra", "**/.ipynb_checkpoints"]

# Docstrings mark code by single backticks, as Markdown does: a link where such a name is known, else just code.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True
# A live view needs a kernel. What stands behind it, its one line of text and the picture, does not.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

html_theme = "pydata_sphinx_theme"
html_title = "sage-nb"
html_static_path = ["_static"]
html_extra_path = ["extra"]  # a page of its own, copied as it is: tools/browser_site.py puts Python beside it
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
copybutton_exclude = ".linenos, .gp, .go"


def setup(app: Sphinx) -> None:
    """Mermaid, which a code host draws, is shown as it is written: what draws it would come from another host."""
    app.add_lexer("mermaid", TextLexer)
