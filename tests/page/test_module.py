"""The files of the page as one module: it loads, nothing is imported any more, no name is there twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from sage_nb.module import css, esm
from tests.page import plans
from tests.page.harness import Shown


def test_the_joined_module_needs_no_other_and_exports_one_thing() -> None:
    assert "import " not in re.sub(r"//.*|/\*.*?\*/", "", esm(), flags=re.DOTALL).replace("import(", "")
    assert re.findall(r"^export .*$", esm(), re.MULTILINE) == ["export default { render };"]


def test_no_name_is_declared_twice() -> None:
    names = Counter(re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", esm(), re.MULTILINE))
    assert len(names) > 50
    assert not [name for name, number in names.items() if number > 1]


def test_every_rule_of_the_style_sheet_is_for_what_is_ours_or_holds_it() -> None:
    """A view, a form of ours and its last line, or the box that has one in it."""
    ours = re.compile(r"\.(sage-nb-(view|form|host|line)|sn-line-lost)\b")
    text = re.sub(r"/\*.*?\*/", "", css(), flags=re.DOTALL)
    selectors = [each.strip() for each in re.findall(r"([^{}]+)\{", text)]
    selectors = [each for each in selectors if not each.startswith("@") and each not in ("from", "to")]
    outside = [one for each in selectors for one in re.split(r",(?![^(]*\))", each) if not ours.search(one)]
    assert len(selectors) > 50
    assert outside == []


def test_the_view_shows_the_graph_and_says_how_the_job_stands(load: Callable[..., Shown]) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, 10))
    assert shown.root.locator(".sn-status-text").inner_text() == "running · 8,740 in · 360 out · 2 errors"
    assert shown.root.locator(".sn-graph [data-row]").count() == len(plan["rows"])
