"""The result for a person and for a program: a table, and JSON with every value. Knows nothing of what was measured."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import Figure, Row, Samples
from benchmarks.machine import LOADED_CORES

WIDTH: Final = 84  # of the first column
VERDICTS: Final = {True: "met", False: "BELOW TARGET", None: ""}


def as_json(figures: Sequence[Figure], found: Mapping[str, Samples], **about: Any) -> dict[str, Any]:
    """Everything that was measured and concluded, as plain values."""
    return {
        **about,
        "figures": {
            figure.name: {
                "meaning": figure.meaning,
                "cases": {
                    case: {quantity: _spread(values) | {"values": values} for quantity, values in columns.items()}
                    for case, columns in found[figure.name].columns().items()
                },
                "rows": [_row(row) for row in figure.conclude(found[figure.name])],
            }
            for figure in figures
        },
    }


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write `result`, making the folder it goes to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def table(result: Mapping[str, Any]) -> str:
    """The result as text: under each figure its cases, then what follows from them, with targets."""
    lines, quick = [_heading(result)], result["quick"]
    for name, figure in result["figures"].items():
        lines += ["", f"{name}: {figure['meaning']}"]
        for case, quantities in figure["cases"].items():
            for position, (quantity, spread) in enumerate(quantities.items()):
                lines.append(_line("" if position else f"  {case}", quantity, spread))
        for row in figure["rows"]:
            target = row["target"]
            goal = f"{target['how']} {target['limit']:g}" if target else ""
            verdict = "" if quick else VERDICTS[row["met"]]
            lines.append(f"{_line('  → ' + row['what'], row['unit'], row)} {goal:14} {verdict}")
    if quick:
        return _joined(lines)
    missed = [f"{name}: {row['what']}" for name, row in rows_of(result) if row["met"] is False]
    judged = sum(row["met"] is not None for _, row in rows_of(result))
    lines += ["", f"{judged - len(missed)} of {judged} targets met" + "".join(f"\n  below: {each}" for each in missed)]
    return _joined(lines)


def rows_of(result: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """All rows with the names of their figures."""
    return [(name, row) for name, figure in result["figures"].items() for row in figure["rows"]]


def _heading(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    others = machine["cores_used_by_others"]
    used = "what others used is unknown" if others is None else f"others used {others:.2f} of them"
    loaded = " — LOADED, trust ratios only" if others is not None and others > LOADED_CORES else ""
    quick = "\nQUICK: far too few packets and rounds, only to see that everything runs" if result["quick"] else ""
    return (
        f"{machine['implementation']} {machine['python']}, {machine['cores']} cores, {used}{loaded}; "
        f"{result['rounds']} rounds, {machine['took_s']:.0f} s; medians (least – most){quick}"
    )


def _line(what: str, unit: str, spread: Mapping[str, Any]) -> str:
    between = f"({number(spread['min'])} – {number(spread['max'])})" if spread["min"] != spread["max"] else ""
    return f"{what:{WIDTH}} {number(spread['median']):>9} {unit:14} {between:22}"


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(line.rstrip() for line in lines)


def number(value: float) -> str:
    """Three digits that count, or all of a whole number."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def _row(row: Row) -> dict[str, Any]:
    target = None if row.target is None else {"how": row.target.how, "limit": row.target.limit}
    return {
        "what": row.what,
        "unit": row.unit,
        **_spread(row.values),
        "values": list(row.values),
        "target": target,
        "met": row.met,
    }


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
