"""`python -m benchmarks` runs to its end and writes what it promises. How fast anything is, is not tested here."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(300)  # all of it, with two kernels, two applications and a browser for each
ROOT = Path(__file__).parents[1]
FIGURES = {
    "throughput", "keyed", "broadcast", "hop", "pipelines", "prompt", "sleep", "memory", "end", "start", "many",
    "snapshot", "sampler", "call", "flight", "intercept", "send", "answer", "hand", "back", "origins", "turns", "join",
    "batches", "awaits", "at once", "served", "asks", "mending", "frame", "sender", "paint", "click", "display"
}  # fmt: skip


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The table and the JSON of one quick run of everything."""
    path = tmp_path_factory.mktemp("bench") / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, json.loads(path.read_text(encoding="utf-8"))


def test_every_figure_has_cases_and_a_row_with_a_target(quick_run: tuple[str, dict[str, Any]]) -> None:
    _, result = quick_run
    assert set(result["figures"]) == FIGURES
    for name, figure in result["figures"].items():
        assert figure["cases"], name
        assert any(row["target"] is not None for row in figure["rows"]), name


def test_every_value_lies_in_its_spread(quick_run: tuple[str, dict[str, Any]]) -> None:
    _, result = quick_run
    for figure in result["figures"].values():
        measured = [quantity for case in figure["cases"].values() for quantity in case.values()]
        for spread in measured + figure["rows"]:
            assert all(math.isfinite(value) for value in spread["values"])
            assert spread["min"] == min(spread["values"]) <= spread["median"] <= spread["max"] == max(spread["values"])


def test_the_table_shows_every_row_and_the_json_where_it_was_measured(quick_run: tuple[str, dict[str, Any]]) -> None:
    shown, result = quick_run
    for figure in result["figures"].values():
        for row in figure["rows"]:
            assert row["what"] in shown
            assert (row["met"] is None) == (row["target"] is None)
    assert result["quick"]
    assert result["machine"]["cores"] >= 1


def test_no_queue_was_deeper_than_its_capacity(quick_run: tuple[str, dict[str, Any]]) -> None:
    """The one target that does not depend on how fast the machine is."""
    _, result = quick_run
    (depth,) = (row for row in result["figures"]["memory"]["rows"] if "deepest" in row["what"])
    assert depth["met"] is True


def test_strict_exits_with_1_only_for_a_missed_target(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import __main__ as program
    from benchmarks.harness import Case, Figure, Row, Scale, Target

    def slow(_scale: Scale) -> Figure:
        row = Row("how fast", "×", [1.0, 2.0, 3.0], Target("at least", 2.5))
        return Figure("slow", "never fast enough", (Case("one", lambda: {"ns": 1.0}),), lambda _samples: [row])

    monkeypatch.setitem(program.FIGURES, "slow", slow)
    given = ["--only", "slow", "--rounds", "2", "--json", str(tmp_path / "figures.json")]
    assert program.main(given) == 0
    assert "BELOW TARGET" in capsys.readouterr().out
    assert program.main([*given, "--strict"]) == 1


@pytest.mark.parametrize("figure", ["line", "words", "sums"])
def test_what_is_compared_with_ours_comes_to_the_same_result(figure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs of `benchmarks.others`, by hand and ours; other libraries are left out, as where they are missing."""
    from benchmarks import others
    from benchmarks.flow import PLAIN, RUNTIME
    from benchmarks.harness import WrongResult, measure

    monkeypatch.setattr(others, "has", lambda _: False)
    monkeypatch.setattr(others, "PACKETS", 4_000)
    monkeypatch.setattr(others, "FEWER", 800)
    made = others.FIGURES[figure]()
    shown = others.shown(made, measure([made], 1)[made.name])
    assert [each.name for each in made.cases if each.name not in shown] == []
    assert {PLAIN, others.BY_LISTS, RUNTIME} <= {each.name for each in made.cases}
    with pytest.raises(WrongResult):
        others.case("wrong", 1, lambda: 1, 2).measure()
