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

from runtime.errors import NO_PACKET
from runtime.operators import IDLE

MAX_DEPTH: Final = 60
"""How many blocks may be in one another: Python indents a hundred times at the most."""

MAX_LOOPS: Final = 15
"""How many of these may be loops: CPython compiles no more than twenty."""

MAX_LINES: Final = 200
"""How long it may be."""

_NAME: Final = __file__.replace("loop.py", "made.py")


class Step(NamedTuple):
    """What the loop has to know of one task."""

    lines: tuple[str, ...]
    """Its `inline`; of a source, which the loop draws from, none."""
    is_keyed: bool = False
    """Whether each of its packets comes with a key, which is asked for in the loop: that is the last thing that the
    step before does with a packet. Of the first step: whether it is given pairs."""
    sets_key: bool = False
    """Whether its function can ask for the key."""
    skips: bool = False
    """Whether a packet that it raises for is skipped."""

    @property
    def is_loop(self) -> bool:
        """Whether it makes any number of results."""
        return bool(self.lines) and self.lines[-1].startswith("for ")

    @property
    def is_block(self) -> bool:
        """Whether what follows is indented."""
        return bool(self.lines) and self.lines[-1].endswith(":")

    def uses(self, what: str) -> bool:
        """Whether its lines name that."""
        return any(f"{{{what}}}" in line for line in self.lines)


class Shape(NamedTuple):
    """What loops have in common that differ by their functions only."""

    steps: tuple[Step, ...]
    counts: bool
    """Whether it counts what it draws: where the iterator does not say."""
    idles: bool
    """Whether what it draws may be `IDLE`."""
    emits: bool
    """Whether the last step has results."""


Part = tuple[str, int]
"""What of which step: see `Exits`."""


class Code(NamedTuple):
    """A compiled shape."""

    make: Callable[..., tuple[Callable[..., Any], ...]]
    swapped: tuple[Part, ...]
    """What `make` is given first, and is exchanged when the loop is halted."""
    fixed: tuple[Part, ...]
    """And then: what stays."""
    steps: dict[int, int]
    """Which step is at work, by the line; at no other line any is."""
    values: dict[int, str]
    """The name of what the step is given, by the line; none while it is drawn."""
    passing: list[int]
    """The steps that have not one result for each packet, and are counted."""
    looping: list[int]
    """Those of them that are loops themselves."""


class _Text:
    """The text of a loop, and whose lines are which."""

    def __init__(self, shape: Shape, passing: Sequence[int], lines: Sequence[str]) -> None:
        self.lines = list(lines)
        self.steps: dict[int, int] = {}
        self.values: dict[int, str] = {}
        self._shape, self._passing = shape, passing
        self._indent = " " * 8
        self._loops: list[tuple[int, str]] = []  # the steps that are loops, and where what is done with each result is

    def write(self) -> list[str]:
        """All lines, to the end of the loop over `items`."""
        shape, steps = self._shape, self._shape.steps
        self.lines.append(f"{self._indent}for {'key0, ' if steps[0].is_keyed else ''}value0 in items:")
        if not steps[0].lines:
            self.steps[len(self.lines)] = 0
        self._indent += "    "
        if shape.counts:
            self.lines.append(f"{self._indent}drawn += 1")
        if shape.idles:
            self.lines += [f"{self._indent}if value0 is idle:", f"{self._indent}    idled += 1", f"{self._indent}else:"]
            self._indent += "    "
        self._write_steps()
        return [*self.lines, "            if stop:", "                return -1"]

    def _write_steps(self) -> None:
        value = given = "value0"
        steps = self._shape.steps
        for number, step in enumerate(steps):
            made = f"value{number + 1}" if step.uses("made") else value
            if number and step.sets_key:
                self._add(number, value, f"ctx{number}.key = key{number}")
            self._add_step(number, value, made)
            following = number + 1
            if following < len(steps) and steps[following].is_keyed:
                self._add(number, value, f"key{following} = keyof{following}({made})")
                look = f"if type(key{following}) is not kind{following}:"
                self._add(number, value, look, f"    kind{following} = check{following}(key{following})")
            if number in self._passing:
                self._add(number, value, f"passed{number} += 1")
            value, given = made, value
        if self._shape.emits:
            self._add(len(steps) - 1, given, f"emit({value})")
        for number, indent in reversed(self._loops):  # what else it yields belongs to whoever works it from now on
            self.lines += [f"{indent}if stop:", f"{indent}    return {number}"]

    def _add_step(self, number: int, value: str, made: str) -> None:
        step = self._shape.steps[number]
        key = f"key{number}" if step.is_keyed else "None"
        names = {"call": f"call{number}", "start": f"start{number}", "folds": f"folds{number}", "all": f"rest{number}"}
        lines = [line.format(value=value, made=made, key=key, **names) for line in step.lines]
        if step.skips:
            after = []
            if lines[-1].startswith("if "):  # what the function returns is looked at by the step, too
                lines[-1] = f"passes{number} = not not {lines[-1][3:-1]}"
                after = [f"if passes{number}:"]
            self._add(number, value, "try:", *(f"    {line}" for line in lines), "except BaseException as error:")
            self._add(
                number, value, f"    if not skip{number}(error, {value}, {key}):", "        raise", "    if stop:"
            )
            self._add(number, value, f"        return {self._loops[-1][0] if self._loops else -1}")
            self._add(number, value, "    continue", *after)
        else:
            self._add(number, value, *lines)
        if step.is_block:
            self._indent += "    "
        if step.is_loop:
            self._loops.append((number, self._indent))

    def _add(self, step: int, value: str, *lines: str) -> None:
        for line in lines:
            self.lines.append(self._indent + line)
            self.steps[len(self.lines)] = step
            self.values[len(self.lines)] = value


@lru_cache(maxsize=256)
def code_of(shape: Shape) -> Code:
    """Write and compile it."""
    steps = list(enumerate(shape.steps))
    keyed = [number for number, step in steps if number and step.is_keyed]
    looping = [number for number, step in steps if step.is_loop]
    passing = [number for number, step in steps if step.is_block or step.skips or (not step.lines and 1 in keyed)]
    swapped: list[Part] = [("call", number) for number, _ in steps]
    swapped += [("start", number) for number, step in steps if step.uses("start")]
    swapped += [("ctx", number) for number, step in steps if number and step.sets_key]
    fixed: list[Part] = [("folds", number) for number, step in steps if step.uses("folds")]
    fixed += [("skip", number) for number, step in steps if step.skips]
    fixed += [(what, number) for what in ("keyof", "check") for number in keyed]

    counters = ["drawn", "idled", *(f"passed{number}" for number in passing)]
    rests = [f"rest{number}" for number in looping]
    kinds = [f"kind{number}" for number in keyed]
    swaps = _names(swapped)
    text = _Text(
        shape,
        passing,
        [
            f"def make(frames, emit, {', '.join([*swaps, *_names(fixed)])}):",
            f"    {' = '.join(counters)} = 0",
            *(f"    {name} = ()" for name in rests),
            *(f"    {name} = None" for name in kinds),
            "    stop = False",
            "    def run(items):",
            f"        nonlocal {', '.join([*counters, *rests, *kinds])}",
            "        frames.append(getframe())",
        ],
    )
    lines = text.write()
    for name, is_halted in (("halt", True), ("use", False)):
        lines += [f"    def {name}(*swaps):", f"        nonlocal stop, {', '.join(swaps)}"]
        lines.append(f"        stop, {', '.join(swaps)}, = {is_halted}, *swaps")
    for name, made in (("numbers", counters), ("rests", rests)):
        lines += [f"    def {name}():", f"        return ({', '.join(made)}{',' if made else ''})"]
    left = [*rests, *_names(fixed)]
    lines += ["    def forget():", *([f"        nonlocal {', '.join(left)}"] if left else [])]
    lines += [f"        {' = '.join([*left, '()'])}", "    return run, halt, use, numbers, rests, forget"]
    space: dict[str, Any] = {"getframe": sys._getframe, "idle": IDLE, "type": type}
    exec(compile("\n".join(lines) + "\n", _NAME, "exec"), space)
    return Code(space["make"], tuple(swapped), tuple(fixed), text.steps, text.values, passing, looping)


def _names(parts: Sequence[Part]) -> list[str]:
    return [f"{what}{number}" for what, number in parts]


class Numbers(NamedTuple):
    """What has come how far, counted from the first packet of a loop."""

    drawn: int
    idled: int
    passed: dict[int, int]
    """Of each step that has not one result for each packet, how many it has let through, or made."""


class Exits(Protocol):
    """What a loop is made of, and where packets leave it. `what` names, of a step:

    * `call`, its function, and `start`, what it calls where there is nothing to fold into; `ctx`, whose `key` it reads;
    * `folds`, its folded values by key; `skip`, which is given what it has raised, and says whether that is all;
    * `keyof`, which gives its packets their keys, and `check`, which refuses keys, or returns a type of which all
      values are keys.
    """

    @property
    def send(self) -> Callable[[Any], object]:
        """Where the results of the last step go."""

    def part(self, what: str, step: int) -> Any:
        """What the loop works with."""

    def diversion(self, what: str, step: int) -> Any:
        """What takes the place of a `call`, a `start` or a `ctx` once the loop is halted."""


class Loop:
    """A loop with its functions."""

    def __init__(self, shape: Shape, exits: Exits) -> None:
        self._code = code = code_of(shape)
        self._frames: list[FrameType] = []
        nothing = [None] * len(code.swapped)
        fixed = [exits.part(*part) for part in code.fixed]
        self._run, self._halt, self._use, self._numbers, self._rests, self._forget = code.make(
            self._frames, exits.send, *nothing, *fixed
        )
        self._diversions = [exits.diversion(*part) for part in code.swapped]

    def use(self, exits: Exits) -> None:
        """Put the functions into the loop."""
        self._use(*(exits.part(*part) for part in self._code.swapped))

    def run(self, items: Iterator[Any]) -> int | None:
        """Work all of `items`, or until `halt`. Raises what a function raises.

        After `halt` it returns the step, itself a loop, of which results may be left; -1 if none are.
        """
        frames = self._frames
        try:
            left: int | None = self._run(items)
            frames[-1].clear()  # tracebacks of what was skipped hold it, and would hold the last packet
            return left
        finally:
            frames.clear()

    def halt(self) -> None:
        """Let `run` return after the packet in work; instead of functions, diversions begin. Any thread."""
        self._halt(*self._diversions)

    def forget(self) -> None:
        """It was run for the last time: keep no packet, and no function."""
        self._diversions = [_nothing] * len(self._diversions)
        self._use(*self._diversions)
        self._forget()

    def step(self) -> int | None:
        """Whose function is at work; None: nobody's. Any thread; of a loop that runs."""
        frames = self._frames
        return self._code.steps.get(frames[-1].f_lineno) if frames else None

    def key(self, step: int) -> Any:
        """The key of the packet that comes to a step: on the loop's thread, in its diversion."""
        return self._frames[-1].f_locals[f"key{step}"]

    def numbers(self) -> Numbers:
        """What has come how far. Any thread."""
        drawn, idled, *passed = self._numbers()
        return Numbers(drawn, idled, dict(zip(self._code.passing, passed, strict=True)))

    def rest(self, step: int) -> Any:
        """What a step still has to yield of its packet, if it is a loop itself; else None. Any thread."""
        looping = self._code.looping
        return self._rests()[looping.index(step)] if step in looping else None

    def raised(self, error: BaseException) -> tuple[int | None, Any]:
        """Whose function has raised `error`, and what it was given; `NO_PACKET` while that was drawn."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not self._run.__code__:
            trace = trace.tb_next
        assert trace is not None, "raised by the loop"
        frame, line = trace.tb_frame, trace.tb_lineno
        value = frame.f_locals.get(self._code.values.get(line, ""), NO_PACKET)
        frame.clear()
        return self._code.steps.get(line), value


def _nothing(*_: Any) -> Any:
    """In a loop that does not run."""


def fits(steps: Sequence[Step]) -> bool:
    """Whether Python can compile a loop of these steps, and makes good code of it."""
    blocks = sum(step.is_block for step in steps)
    lines = sum(len(step.lines) + 4 * step.is_keyed + 7 * step.skips + 1 for step in steps)
    return blocks <= MAX_DEPTH and sum(step.is_loop for step in steps) <= MAX_LOOPS and lines <= MAX_LINES
