"""The loop that is made for a chain: all its functions, called one after the other for each packet, in one frame.

Knows what operators say of their steps (`Operator.inline`), no tasks and no threads. It is text that is compiled, once
for each shape. The functions are in its cells, so that others can be put in their place while it runs; so are the
numbers of what filters have let through, and what a `flat_map` still has to yield. Between two packets it reads `stop`.

Its text is a tree of *sites*: a step is written below each step of which it takes results. A step with several ways
gives each result to one after the other. One that several steps feed is written once for each way to it.

Where it is, any thread can see by the line of its frame. CPython changes threads at calls and at jumps backwards only:
so the line, and all numbers, are those of the call that is being made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import FrameType
from typing import Any, Final, NamedTuple, Protocol

from runtime.errors import NO_PACKET
from runtime.operators import IDLE

OUT: Final = -1
"""Stands for no site: what gives packets to the first one, and what has nothing left."""

MAX_DEPTH: Final = 60
"""How many blocks may be in one another: Python indents a hundred times at the most."""

MAX_LOOPS: Final = 15
"""How many of these may be loops: CPython compiles no more than twenty."""

MAX_LINES: Final = 200
"""How long it may be."""

MAX_SITES: Final = 9
"""How often one step may be written: a row of diamonds doubles that with each."""

PREEMPTED: Final = sys.platform != "emscripten"
"""Whether other threads go on while the loop runs, without its doing."""

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
    ways: tuple[tuple[int, ...], ...] = ()
    """Where its results go, one way after the other: each to one of the steps of these numbers, all above its own, by
    its key if they are several; of a way that leaves the loop there are none."""

    @property
    def is_loop(self) -> bool:
        """Whether it makes any number of results."""
        return bool(self.lines) and self.lines[-1].startswith("for ")

    @property
    def is_block(self) -> bool:
        """Whether what follows is indented."""
        return self.skips or (bool(self.lines) and self.lines[-1].endswith(":"))

    @property
    def length(self) -> int:
        """How many lines it takes, at the most."""
        return len(self.lines) + 2 * self.is_block + self.is_loop + 4 * self.is_keyed + 5 * self.skips + self.sets_key

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


class Part(NamedTuple):
    """What of which step, or of which of its ways: see `Exits`."""

    what: str
    step: int
    way: int = OUT

    @property
    def name(self) -> str:
        """Of its cell."""
        return f"{self.what}{self.step}" if self.way == OUT else f"{self.what}{self.step}_{self.way}"


class Site(NamedTuple):
    """One place where a step is written."""

    step: int
    parent: int
    """The site that gives it packets; `OUT` for the first."""
    way: int
    """By which of its ways."""
    lane: int
    """Which of those is this, to one of which each result goes by its key."""
    key: str
    """The name of the key of what it is given, if that has one."""
    value: str
    """The name of what it is given."""
    made: str
    """The name of what it makes of that."""


class At(NamedTuple):
    """Where a packet is: the function of a site is at work, or its result was given to so many of its ways."""

    site: int
    given: int


class Code(NamedTuple):
    """A compiled shape."""

    make: Callable[..., tuple[Callable[..., Any], ...]]
    swapped: tuple[Part, ...]
    """What `make` is given first, and is exchanged when the loop is halted."""
    fixed: tuple[Part, ...]
    """And then: what stays."""
    sites: tuple[Site, ...]
    at: dict[int, At]
    """Where the packet is, by the line; at no other line one is in work."""
    passing: list[int]
    """The sites that have not one result for each packet, and are counted."""
    coming: list[int]
    """Those to which some results of the site before come by their keys: what comes to them is counted."""
    looping: list[int]
    """Those that are loops themselves."""
    first: int
    """The line at which packets are drawn."""


class _Text:
    """The text of a loop, and whose lines are which."""

    def __init__(self, shape: Shape) -> None:
        self.lines: list[str] = []
        self.at: dict[int, At] = {}
        self.sites: list[Site] = []
        self.passing: list[int] = []
        self.coming: list[int] = []
        self._shape = shape
        self._indent = " " * 8

    def write(self) -> None:
        """All lines of the loop over `items`."""
        shape, head = self._shape, self._shape.steps[0]
        self._add(None, f"for {'key0, ' if head.is_keyed else ''}value0 in items:")
        if not head.lines:
            self.at[len(self.lines)] = At(0, 0)
        self._indent += "    "
        if shape.counts:
            self._add(None, "drawn += 1")
        if shape.idles:
            self._add(None, "if value0 is idle:", "    idled += 1", "else:")
            self._indent += "    "
        made = "made0" if head.uses("made") else "value0"
        self._write_site(Site(0, OUT, OUT, 0, "key0" if head.is_keyed else "", "value0", made))
        self._indent = " " * 12
        self._write_stop(OUT)

    def _write_site(self, site: Site) -> None:
        """A step, and all that follows."""
        number, step, outside = len(self.sites), self._shape.steps[site.step], self._indent
        at = At(number, 0)
        self.sites.append(site)
        if number and step.sets_key:
            self._add(at, f"ctx{site.step}.key = {site.key}")
        self._write_step(number, site, step)
        is_passing = step.is_block or (not step.lines and bool(step.ways) and self._has_words(step.ways[0]))
        if is_passing and any(step.ways):
            self.passing.append(number)
        for way, targets in enumerate(step.ways):
            self._write_way(number, way, targets)
        if step.is_loop:  # what else it yields belongs to whoever works it from now on
            self._write_stop(number)
        self._indent = outside

    def _write_stop(self, site: int) -> None:
        """Here, the loop may be left; where nobody is preempted, here alone others go on."""
        if not PREEMPTED:
            self._add(None, "left -= 1", "if not left:", "    left = look()")
        self._add(None, "if stop:", f"    return {site}")

    def _has_words(self, targets: Sequence[int]) -> bool:
        """Whether a way there takes a call of the step before."""
        return not targets or self._shape.steps[targets[0]].is_keyed

    def _write_way(self, number: int, way: int, targets: Sequence[int]) -> None:
        site, at, first = self.sites[number], At(number, way), len(self.sites)
        steps, edge, key = self._shape.steps, f"{site.step}_{way}", ""
        if not targets:
            self._add(at, f"send{edge}({site.made})")
        elif steps[targets[0]].is_keyed:
            key = f"key{first}"
            self._add(at, f"{key} = keyof{edge}({site.made})")
            if len(targets) == 1:
                look = f"if type({key}) is not kind{targets[0]}:"
                self._add(at, look, f"    kind{targets[0]} = check{edge}({key})")
            else:
                self._add(at, "try:", f"    lane{first} = known{edge}[type({key})][{key}]", "except BaseException:")
                self._add(at, f"    lane{first} = find{edge}({key})")  # not seen yet, or it is no key
        if not way and number in self.passing:
            self._add(at, f"passed{number} += 1")
        outside = self._indent
        for lane, target in enumerate(targets):
            if len(targets) > 1:
                self._indent = outside
                self._add(at, f"{'elif' if lane else 'if'} lane{first} == {lane}:")
                self._indent += "    "
                self._add(at, f"came{len(self.sites)} += 1")
                self.coming.append(len(self.sites))
            made = f"made{len(self.sites)}" if steps[target].uses("made") else site.made
            self._write_site(Site(target, number, way, lane, key, site.made, made))
        self._indent = outside

    def _write_step(self, number: int, site: Site, step: Step) -> None:
        at, key = At(number, 0), site.key or "None"
        names = {what: f"{what}{site.step}" for what in ("call", "start", "folds")}
        names |= {"all": f"rest{number}", "value": site.value, "made": site.made, "key": key}
        lines = [line.format_map(names) for line in step.lines]
        if not step.skips:
            self._add(at, *lines)
            self._indent += "    " * step.is_block
            return
        passes = lines[-1].startswith("if ")  # what the function returns is looked at by the step, too
        if passes:
            lines[-1] = f"passes{number} = not not {lines[-1][3:-1]}"
        self._add(at, "try:", *(f"    {line}" for line in lines), "except BaseException as error:")
        self._add(at, f"    if not skip{site.step}(error, {site.value}, {key}):", "        raise")
        if step.ways:
            self._add(at, "else:")
            self._indent += "    "
        if passes:
            self._add(at, f"if passes{number}:")
            self._indent += "    "

    def _add(self, at: At | None, *lines: str) -> None:
        for line in lines:
            self.lines.append(self._indent + line)
            if at is not None:
                self.at[len(self.lines)] = at


@lru_cache(maxsize=256)
def code_of(shape: Shape) -> Code:
    """Write and compile it."""
    steps = list(enumerate(shape.steps))
    ways = [(number, way, targets) for number, step in steps for way, targets in enumerate(step.ways)]
    keyed = [(number, way) for number, way, targets in ways if targets and shape.steps[targets[0]].is_keyed]
    several = [(number, way) for number, way in keyed if len(shape.steps[number].ways[way]) > 1]
    out = [(number, way) for number, way, targets in ways if not targets]
    swapped = [Part("call", number) for number, _ in steps]
    swapped += [Part("start", number) for number, step in steps if step.uses("start")]
    swapped += [Part("ctx", number) for number, step in steps if number and step.sets_key]
    swapped += [Part("keyof", number, way) for number, way in keyed if way]
    swapped += [Part("send", number, way) for number, way in out if len(shape.steps[number].ways) > 1]
    fixed = [Part("folds", number) for number, step in steps if step.uses("folds")]
    fixed += [Part("skip", number) for number, step in steps if step.skips]
    fixed += [Part("keyof", number, way) for number, way in keyed if not way]
    fixed += [Part("check", number, way) for number, way in keyed if (number, way) not in several]
    fixed += [Part(what, number, way) for what in ("known", "find") for number, way in several]
    fixed += [Part("send", number, way) for number, way in out if len(shape.steps[number].ways) == 1]

    kinds = [f"kind{number}" for number, step in steps if number and step.is_keyed]
    text = _Text(shape)
    text.write()
    looping = [number for number, site in enumerate(text.sites) if shape.steps[site.step].is_loop]
    counters = ["drawn", "idled", *(f"passed{number}" for number in text.passing)]
    counters += [f"came{number}" for number in text.coming]
    rests = [f"rest{number}" for number in looping]
    swaps, stay = [part.name for part in swapped], [part.name for part in fixed]
    before = [
        f"def make(frames, {', '.join([*swaps, *stay])}):",
        f"    {' = '.join(counters)} = 0",
        *(f"    {name} = ()" for name in rests),
        *(f"    {name} = None" for name in kinds),
        "    stop = False",
        "    def run(items):",
        f"        nonlocal {', '.join([*counters, *rests, *kinds])}",
        "        frames.append(getframe())",
    ]
    if not PREEMPTED:
        before.insert(1, "    look = new_look()")
        before.append("        left = 1")
    lines = [*before, *text.lines]
    for name, is_halted in (("halt", True), ("use", False)):
        lines += [f"    def {name}(*swaps):", f"        nonlocal stop, {', '.join(swaps)}"]
        lines.append(f"        stop, {', '.join(swaps)}, = {is_halted}, *swaps")
    for name, made in (("numbers", counters), ("rests", rests)):
        lines += [f"    def {name}():", f"        return ({', '.join(made)}{',' if made else ''})"]
    left = [*rests, *stay]
    lines += ["    def forget():", *([f"        nonlocal {', '.join(left)}"] if left else [])]
    lines += [f"        {' = '.join([*left, '_'])} = ()", "    return run, halt, use, numbers, rests, forget"]
    space: dict[str, Any] = {"getframe": sys._getframe, "idle": IDLE, "type": type}
    if sys.platform == "emscripten":
        from runtime.scheduling.unpreempted import new_look  # noqa: PLC0415

        space["new_look"] = new_look
    exec(compile("\n".join(lines) + "\n", _NAME, "exec"), space)
    at = {line + len(before): at for line, at in text.at.items()}
    counted = (text.passing, text.coming)
    return Code(space["make"], tuple(swapped), tuple(fixed), tuple(text.sites), at, *counted, looping, len(before) + 1)


class Numbers(NamedTuple):
    """What has come how far, counted from the first packet of a loop."""

    drawn: int
    idled: int
    passed: dict[int, int]
    """Of each site that has not one result for each packet, how many it has let through, or made."""
    came: dict[int, int]
    """How many have come to each site to which not all come that the one before makes."""


class Exits(Protocol):
    """What a loop is made of, and where packets leave it. `Part.what` names, of a step:

    * `call`, its function, and `start`, what it calls where there is nothing to fold into; `ctx`, whose `key` it reads;
    * `folds`, its folded values by key; `skip`, which is given what it has raised, and says whether that is all;

    and of one of its ways:

    * `keyof`, which gives its results their keys, and `check`, which refuses keys, or returns a type of which all
      values are keys; for several steps, `known`, which of them has which key, and `find`, which finds that;
    * `send`, by which they leave the loop.
    """

    def part(self, part: Part) -> Any:
        """What the loop works with."""

    def diversion(self, part: Part) -> Any:
        """What takes the place of a part that is exchanged once the loop is halted."""


class Loop:
    """A loop with its functions."""

    def __init__(self, shape: Shape, exits: Exits) -> None:
        self._code = code = code_of(shape)
        self._frames: list[FrameType] = []
        nothing = [None] * len(code.swapped)
        self._run, self._halt, self._use, self._numbers, self._rests, self._forget = code.make(
            self._frames, *nothing, *map(exits.part, code.fixed)
        )
        self._diversions = [exits.diversion(part) for part in code.swapped]

    def use(self, exits: Exits) -> None:
        """Put the functions into the loop."""
        self._use(*map(exits.part, self._code.swapped))

    def run(self, items: Iterator[Any]) -> int | None:
        """Work all of `items`, or until `halt`. Raises what a function raises; then, until `let_go`, it has `values`.

        After `halt` it returns the site, itself a loop, of which results may be left, and has `values`; or `OUT`.
        """
        left: int | None = self._run(items)
        if left is None or left == OUT:
            self.let_go()
        return left

    def let_go(self) -> None:
        """After `run`: keep nothing of the packet that was in work."""
        for frame in self._frames:
            frame.clear()  # tracebacks of what was skipped hold it, and would hold the last packet
            _ = frame.f_locals  # before Python 3.13 it keeps what `values` has read until it is read again
        self._frames.clear()

    def halt(self) -> None:
        """Let `run` return after the packet in work; instead of functions, diversions begin. Any thread."""
        self._halt(*self._diversions)

    def forget(self) -> None:
        """It was run for the last time: keep no packet, and no function."""
        self._diversions = [_nothing] * len(self._diversions)
        self._use(*self._diversions)
        self._forget()

    def at(self) -> At | None:
        """Where the packet in work is; None: none is. Any thread; of a loop that runs."""
        frames = self._frames
        return self._code.at.get(frames[-1].f_lineno) if frames else None

    def mark(self) -> object:
        """Equal to what it was before, if its frame and its numbers are where they were. Any thread."""
        frames = self._frames
        return frames[-1].f_lasti if frames else None, self._numbers()

    def values(self) -> Mapping[str, Any]:
        """What of the packet in work has which name. Of a loop that runs, or was left."""
        return self._frames[-1].f_locals

    def numbers(self) -> Numbers:
        """What has come how far. Any thread."""
        drawn, idled, *counted = self._numbers()
        passing, coming = self._code.passing, self._code.coming
        passed, came = counted[: len(passing)], counted[len(passing) :]
        return Numbers(drawn, idled, dict(zip(passing, passed, strict=True)), dict(zip(coming, came, strict=True)))

    def rest(self, site: int) -> Any:
        """What a site still has to yield of its packet, if it is a loop itself; else None. Any thread."""
        looping = self._code.looping
        return self._rests()[looping.index(site)] if site in looping else None

    def raised(self, error: BaseException) -> tuple[At, Any]:
        """Whose function has raised `error`, and what it was given; `NO_PACKET` while that was drawn."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not self._run.__code__:
            trace = trace.tb_next
        assert trace is not None, "raised by the loop"
        at = self._code.at.get(trace.tb_lineno)
        if at is None or trace.tb_lineno == self._code.first:
            return At(0, 0), NO_PACKET
        return at, self.values()[self._code.sites[at.site].value]


def _nothing(*_: Any) -> Any:
    """In a loop that does not run."""


class Extent:
    """How much a loop would be that is to be made: whether Python can compile it, and makes good code of it."""

    def __init__(self) -> None:
        self._lines = 0
        self._steps: list[tuple[int, int, int]] = []  # how often each is written, in how many blocks, and loops

    def add(self, steps: Sequence[Step], before: Sequence[int]) -> bool:
        """Steps more, each fed by those of these numbers, for every way; several share these ways by keys.

        False: that would be too much, and none was added.
        """
        fed_by = [self._steps[number] for number in before] or [(1, 0, 0)]
        sites = sum(each[0] for each in fed_by)
        deepest, most = max(each[1] for each in fed_by), max(each[2] for each in fed_by)
        blocks, is_by_key = deepest + (len(steps) > 1), len(steps) > 1
        lines = self._lines + sites * sum(step.length + 2 * is_by_key for step in steps)
        added = [(sites, blocks + step.is_block + step.skips, most + step.is_loop) for step in steps]
        if lines > MAX_LINES or sites * len(steps) > MAX_SITES:
            return False
        if any(blocks > MAX_DEPTH or loops > MAX_LOOPS for _, blocks, loops in added):
            return False
        self._lines = lines
        self._steps += added
        return True
