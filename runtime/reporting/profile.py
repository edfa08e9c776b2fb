"""A profile: where a task stood each time it was looked at. Pure facts, and the file that speedscope reads."""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from runtime.python.stacks import Place, Stack

HOTTEST: Final = 10


class ProfileLine(NamedTuple):
    """A line at which a task was found at work, and in which `share` of all looks."""

    share: float
    function: str
    file: str
    line: int
    text: str

    def __repr__(self) -> str:
        return f"{self.share:6.1%}  {self.function}, {Path(self.file).name}:{self.line}  {self.text}".rstrip()


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a task, an operator or a service stood at each of so many `looks` within `seconds`.

    `stacks` counts in how many looks it was where, from the outermost function of the user's to the innermost; the
    other looks have found it waiting, or have found nobody: `idle`. Of an operator with several tasks, and of a service
    with several threads, each of them counts as a look. `print(profile)` shows the hottest lines.
    """

    name: str
    seconds: float
    looks: int
    stacks: Mapping[Stack, int] = field(repr=False)

    @property
    def idle(self) -> int:
        """In how many looks it was not at work."""
        return self.looks - sum(self.stacks.values())

    @property
    def lines(self) -> list[ProfileLine]:
        """The ten lines at which it was found most often, the innermost ones of its stacks, the hottest first."""
        found: Counter[Place] = Counter()
        for stack, count in self.stacks.items():
            found[stack[-1]] += count
        return [
            ProfileLine(count / self.looks, *place, linecache.getline(place.file, place.line).strip())
            for place, count in found.most_common(HOTTEST)
        ]

    def __str__(self) -> str:
        share = self.idle / self.looks if self.looks else 1.0
        head = f"{self.name}: {self.looks:,} looks in {self.seconds:.1f} s, idle in {share:.0%} of them"
        return "\n".join([head, *map(repr, self.lines)])

    def save(self, path: str | Path) -> None:
        """Write it as a file for https://www.speedscope.app, a profile of the type "sampled" in seconds."""
        import json  # noqa: PLC0415  only for those who save one

        Path(path).write_text(json.dumps(self._as_speedscope()), encoding="utf-8")

    def _as_speedscope(self) -> dict[str, Any]:
        each_s = self.seconds / self.looks if self.looks else 0.0
        counted = dict(self.stacks)
        if self.idle:
            counted[Place("(idle)", "", 0),] = self.idle
        frames = list(dict.fromkeys(place for stack in counted for place in stack))
        number = {place: index for index, place in enumerate(frames)}
        return {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "exporter": "sage",
            "name": self.name,
            "shared": {
                "frames": [
                    {"name": function, **({"file": file, "line": line} if file else {})}
                    for function, file, line in frames
                ]
            },
            "profiles": [
                {
                    "type": "sampled",
                    "name": self.name,
                    "unit": "seconds",
                    "startValue": 0,
                    "endValue": sum(counted.values()) * each_s,
                    "samples": [[number[place] for place in stack] for stack in counted],
                    "weights": [count * each_s for count in counted.values()],
                }
            ],
        }
