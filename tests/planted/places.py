"""Bugs that can be planted where a session is shown, and in what an import brings in."""

from __future__ import annotations

from tests.planted.records import Mutant, one

OUTPUTS = "../sage_nb/outputs.py"
ALONE = "view/test_without_jupyter.py::test_a_session_is_shown_there_by_its_live_view_and_forms_by_parts_of_it"
COLAB = "view/test_part_stills.py::test_what_loads_widgets_in_colab_is_told_to_it"
LIGHT = "test_graph.py::test_importing_the_engine_or_its_face_imports_nothing_that_only_some_need"

OF_PLACES: tuple[Mutant, ...] = (
    one(
        "what loads a live view's widgets is lost",
        OUTPUTS,
        "update=update, metadata=more)",
        "update=update)",
        COLAB,
    ),
    one("a stepper without ipywidgets has no buttons", "../sage_nb/panels.py", '("toolbar", "log")', '("log",)', ALONE),
    one(
        "what only a slip needs is imported at once",
        "texts/near.py",
        "from collections.abc import Iterable\n",
        "import difflib\nfrom collections.abc import Iterable\n",
        LIGHT,
    ),
)
