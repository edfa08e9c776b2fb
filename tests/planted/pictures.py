"""Bugs in what a still picture says of calls."""

from __future__ import annotations

from typing import Final

from tests.planted.records import Mutant, one

CALLS, SVG = "../sage_nb/picture_calls.py", "../sage_nb/svg_painter.py"
LINES = "test_calls_in_pictures.py::test_a_line_leads_from_each_caller_to_each_service_that_it_has_called"

OF_PICTURES: Final[tuple[Mutant, ...]] = (
    one(
        "pictures: of an operator with several tasks the calls of one are counted",
        CALLS,
        "found[names[caller], name] += calls",
        "found[names[caller], name] = calls",
        LINES,
    ),
    one(
        "pictures: what one service has called of another is no line",
        CALLS,
        "    names |= {name: name for name in services}\n",
        "",
        LINES,
    ),
    one(
        "pictures: one of the two painters leaves the numbers of calls out",
        SVG,
        "    if call.label:\n",
        "    if not call.label:\n",
        "test_calls_in_pictures.py::test_both_painters_draw_the_same_lines_with_the_same_words_in_the_same_places",
    ),
)
