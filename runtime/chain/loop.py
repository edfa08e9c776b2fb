"""The loop that is made for a chain: all its functions, called one after the other for each packet, in one frame.

Knows what operators say of their steps (`Operator.inline`), no tasks and no threads. It is text that is compiled, once
for each shape. The functions are in its cells, so that others can be put in their place while it runs; so are the
numbers of what filters have let through, and what a `flat_map` still has to yield. Between two packets it reads `stop`.

Where it is, any thread can see by the line of its frame. CPython changes threads at calls and at jumps backwards only:
so the line, and all numbers, are those of the call that is being made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from types import FrameType
from typing import Any, Final, NamedTuple, Protocol

from runtime.operators import IDLE

MAX_DEPTH: Final = 60
"""How many blocks may be in one another: Python indents a hundred times at the most."""

MAX_LOOPS: Final = 15
"""How many of these may be loops: CPython compiles no more than twenty."""

_NAME: Final = __file__.replace("loop.py", "made.py")


class Shape(NamedTuple):
    """What loops have in common that differ by their functions only."""

    inlines: tuple[tuple[str, ...], ...]
    """The lines of each step. Of a source, which the loop draws from, none."""
    counts: bool
    """Whether it counts what it draws: where the iterator does not say."""
    idles: bool
    """Whether what it draws may be `IDLE`."""
    emits: bool
    """Whether the last step has results."""


class Code(NamedTuple):
    """A compiled shape."""

    make: Callable[..., tuple[Callable[..., Any], ...]]
    steps: dict[int, int]
    """Which step is at work, by the line; at no other line any is."""
    values: tuple[str, ...]
    """The name of what each step is given."""
    passing: list[int]
    """The steps that have not one result for each packet, and are counted."""
    looping: list[int]
    """Those of them that are loops themselves."""


@lru_cache(maxsize=256)
def code_of(shape: Shape) -> Code:
    """Write and compile it."""
    count = len(shape.inlines)
    calls = [f"call{step}" for step in range(count)]
    passing = [step for step, lines in enumerate(shape.inlines) if lines and lines[-1].endswith(":")]
    looping = [step for step, lines in enumerate(shape.inlines) if lines and lines[-1].startswith("for ")]
    cells = ["drawn", "idled", *(f"passed{step}" for step in passing)]
    rests = [f"rest{step}" for step in looping]
    text = [f"def make(frames, emit, {', '.join(calls)}):"]
    text += [f"    {', '.join(cells)}{',' if len(cells) == 1 else ''} = {', '.join('0' * len(cells))},"]
    text += [f"    {name} = ()" for name in rests]
    text += ["    stop = False", "    def run(items):", f"        nonlocal {', '.join([*cells, *rests])}"]
    text += ["        frames.append(getframe())", "        for value0 in items:"]
    steps: dict[int, int] = {} if shape.inlines[0] else {len(text): 0}
    indent = " " * 12
    if shape.counts:
        text.append(f"{indent}drawn += 1")
    if shape.idles:
        text += [f"{indent}if value0 is idle:", f"{indent}    idled += 1", f"{indent}else:"]
        indent += "    "
    value, values = "value0", []
    bodies: list[tuple[int, str]] = []  # of steps that are loops: where what is done with each result is indented
    for step, lines in enumerate(shape.inlines):
        values.append(value)
        made = f"value{step + 1}" if any("{made}" in line for line in lines) else value
        for line in lines:
            text.append(indent + line.format(call=f"call{step}", value=value, made=made, all=f"rest{step}"))
            steps[len(text)] = step
        if step in passing:
            indent += "    "
            if step in looping:
                bodies.append((step, indent))
            text.append(f"{indent}passed{step} += 1")
            steps[len(text)] = step
        value = made
    if shape.emits:
        text.append(f"{indent}emit({value})")
        steps[len(text)] = count - 1
    for step, indent in reversed(bodies):  # what else it yields belongs to whoever works it from now on
        text += [f"{indent}if stop:", f"{indent}    return {step}"]
    text += ["            if stop:", "                return -1", "    def halt(*calls):"]
    text += [f"        nonlocal stop, {', '.join(calls)}", f"        stop, {', '.join(calls)}, = True, *calls"]
    text += ["    def use(*calls):", f"        nonlocal stop, {', '.join(calls)}"]
    text += [f"        stop, {', '.join(calls)}, = False, *calls"]
    text += ["    def numbers():", f"        return {', '.join(cells)},"]
    text += ["    def rests():", f"        return ({', '.join(rests)}{',' if rests else ''})"]
    text += ["    def forget():", *([f"        nonlocal {', '.join(rests)}"] if rests else [])]
    text += [f"        {' = '.join([*rests, '()'])}", "    return run, halt, use, numbers, rests, forget"]
    space: dict[str, Any] = {"getframe": sys._getframe, "idle": IDLE}
    exec(compile("\n".join(text) + "\n", _NAME, "exec"), space)
    return Code(space["make"], steps, tuple(values), passing, looping)


class Numbers(NamedTuple):
    """What has come how far, counted from the first packet of a loop."""

    drawn: int
    idled: int
    passed: dict[int, int]
    """Of each step that has not one result for each packet, how many it has let through, or made."""


class Exits(Protocol):
    """Where packets leave a loop."""

    @property
    def send(self) -> Callable[[Any], object]:
        """Where the results of the last step go."""

    def diversion(self, step: int) -> Callable[[Any], Any]:
        """What is called in place of a step's function once the loop is halted."""


class Loop:
    """A loop with its functions."""

    def __init__(self, shape: Shape, exits: Exits) -> None:
        self._code = code_of(shape)
        self._frames: list[FrameType] = []
        nothing = [None] * len(shape.inlines)
        self._run, self._halt, self.use, self._numbers, self._rests, self._forget = self._code.make(
            self._frames, exits.send, *nothing
        )
        self._diversions = [exits.diversion(step) for step in range(len(nothing))]

    def run(self, items: Iterator[Any]) -> int | None:
        """Work all of `items`, or until `halt`. Raises what a function raises.

        After `halt` it returns the step, itself a loop, of which results may be left; -1 if none are.
        """
        try:
            left: int | None = self._run(items)
            return left
        finally:
            self._frames.clear()

    def halt(self) -> None:
        """Let `run` return after the packet in work; instead of functions, diversions begin. Any thread."""
        self._halt(*self._diversions)

    def forget(self) -> None:
        """It was run for the last time: keep no packet, and no function."""
        self._diversions = [_nothing] * len(self._diversions)
        self.use(*self._diversions)
        self._forget()

    def step(self) -> int | None:
        """Whose function is at work; None: nobody's. Any thread; of a loop that runs."""
        frames = self._frames
        return self._code.steps.get(frames[-1].f_lineno) if frames else None

    def numbers(self) -> Numbers:
        """What has come how far. Any thread."""
        drawn, idled, *passed = self._numbers()
        return Numbers(drawn, idled, dict(zip(self._code.passing, passed, strict=True)))

    def rest(self, step: int) -> Any:
        """What a step still has to yield of its packet, if it is a loop itself; else None. Any thread."""
        looping = self._code.looping
        return self._rests()[looping.index(step)] if step in looping else None

    def raised(self, error: BaseException) -> tuple[int | None, Any]:
        """Whose function has raised `error`, and what it was given."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not self._run.__code__:
            trace = trace.tb_next
        assert trace is not None, "raised by the loop"
        step = self._code.steps.get(trace.tb_lineno)
        return step, None if step is None else trace.tb_frame.f_locals.get(self._code.values[step])


def _nothing(value: Any) -> Any:
    """In a loop that does not run."""


def fits(inlines: Sequence[tuple[str, ...]]) -> bool:
    """Whether Python can compile a loop of these steps."""
    lasts = [lines[-1] for lines in inlines if lines and lines[-1].endswith(":")]
    return len(lasts) <= MAX_DEPTH and sum(last.startswith("for ") for last in lasts) <= MAX_LOOPS
