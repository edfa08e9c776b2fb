"""tools/house_figures.py counts what it says it counts."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any, Final

import pytest

TOOL: Final = Path(__file__).parent.parent / "tools" / "house_figures.py"
LANE: Final = '''"""A docstring
of two lines."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.task.base import Task

Tell = Callable[[int], None]


class Lane:
    """Holds packets."""

    def __init__(self, tell: Tell, ask: "Callable[[], int] | None", size: int) -> None:
        self.tell, self.ask = tell, ask
        self.size: int = size  # a comment beside code
        self.next: Lane | None = None

    def link(self, other: "Lane") -> None:
        # Its own attribute, on another of its kind.
        other.next = self
'''
TASK: Final = """
class Task:
    def __init__(self) -> None:
        from runtime.service import service
        self.lane = service.lane

    def work(self, error: Exception) -> None:
        self.lane.size += 1
        self.lane.peer, number = None, 1
        error.__cause__ = None
"""


@pytest.fixture
def counted(tmp_path: Path) -> Any:
    files = {
        "__init__": "import runtime.task.base\n",
        "communication/lane": LANE,
        "task/base": TASK,
        "service/service": "from runtime.task import base\nlane = base\n",
    }
    for name, text in files.items():
        path = tmp_path / "runtime" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "ARCHITECTURE.md").write_text("0123456789")
    return runpy.run_path(str(TOOL))["count"](tmp_path)


def test_every_figure_counts_what_it_says(counted: Any) -> None:
    assert counted.values == {
        "callbacks for each __init__": 1.0,  # two in one of two
        "attributes of a class, of ten the largest but one": 4,
        "attributes of a class, the most": 4,
        "attributes written from outside their class": 2,
        "classes for each 1,000 lines of code": pytest.approx(2 / 23 * 1000, abs=0.1),
        "folders in a cycle": 2,  # an import in a function counts, one for the type checker does not
        "modules at the root": 1,
        "lines of code": 23,
        "bytes of ARCHITECTURE.md": 10,
    }


def test_each_place_is_named(counted: Any) -> None:
    assert counted.places == {
        "callbacks for each __init__": ["runtime.communication.lane.Lane(tell, ask) 2"],
        "attributes written from outside their class": [
            "runtime.task.base:8 self.lane.size",
            "runtime.task.base:9 self.lane.peer",
        ],
        "folders in a cycle": ["service", "task"],
    }
