"""Figures of looking at a job from a notebook, as they are in a real kernel: one frame, and ten in a second."""

from __future__ import annotations

import json
import statistics
from functools import partial
from typing import Any, Final

from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, WrongResult, by_round, check, ratio
from benchmarks.in_kernel import FRAME, INJECT, MESHES, RECORD, TEXT
from benchmarks.kernel import Kernel

CPU_MS: Final = "ms of CPU"
KB: Final = "kB"
WHAT: Final = {
    FRAME: "a frame",
    INJECT: "an inject, to make it another one",
    TEXT: "anywidget, a text of that size",
    RECORD: "anywidget, the same as a JSON trait",
}
"""What was timed, by its name in the kernel. What a frame took has the inject in it there; in the sample it has not."""

_BENCH: Final = "from benchmarks.in_kernel import Frames, drive, session_of\n"


def newest(kernel: Kernel, comm: str) -> tuple[list[str], Any]:
    """The texts of all frames that came to a widget, and the last one as a record."""
    texts = [state["frame"] for id_, state in kernel.states if id_ == comm and "frame" in state]
    if not texts:
        raise WrongResult("no frame came")
    return texts, json.loads(texts[-1])


def view_in(kernel: Kernel) -> tuple[str, list[str]]:
    """The comm of the view that was opened, and the names of its rows."""
    ((comm, state),) = [(comm, state) for comm, state in kernel.opened if "plan" in state]
    return comm, [row["name"] for row in state["plan"]["rows"]]


def frames_of(tasks: int, each: int) -> Sample:
    """Make frames in a kernel, one by one; each must have come, and the last must say what is so."""
    with Kernel() as kernel:
        kernel.run(f"{_BENCH}frames = Frames({tasks})")
        comm, rows = view_in(kernel)
        check("tasks", len(rows), tasks)
        before = len(newest(kernel, comm)[0])
        found: dict[str, list[float]] = kernel.ask(f"frames.blocks({each})")
        texts, last = newest(kernel, comm)
        check("frames that came", len(texts) - before, kernel.ask("frames.frames"))
        check("frames that are different", len(set(texts)), len(texts))
        kernel.ask("frames.frame()")
        _, last = newest(kernel, comm)
        check("depths in the last frame", dict(zip(rows, last["depths"], strict=True)), kernel.ask("frames.depths()"))
        check("packets that wait", sum(last["depths"]), kernel.ask("frames.injected"))
    took = {kind: statistics.median(values) for kind, values in found.items()}
    took[FRAME] -= took[INJECT]
    return {f"{CPU_MS}, {WHAT[kind]}": value for kind, value in took.items()} | {KB: len(texts[-1]) / 1e3}


def frame(scale: Scale) -> Figure:
    """What a notebook's kernel has to do for a picture of a job that has changed."""
    names = {tasks: f"{tasks} tasks, {a} × {b}, all joined" for tasks, (a, b) in MESHES.items()}

    def of(samples: Samples, tasks: int, kind: str) -> list[float]:
        return samples.of(names[tasks], f"{CPU_MS}, {WHAT[kind]}")

    def conclude(samples: Samples) -> list[Row]:
        rows = []
        for tasks, name in names.items():
            took, peer = of(samples, tasks, FRAME), of(samples, tasks, RECORD)
            rows += [
                Row(f"{name}: a frame", CPU_MS, took, Target("at most", 0.5) if tasks == max(names) else None),
                Row(f"{name}: times the CPU of anywidget with a JSON trait of the same size", "×", ratio(took, peer)),
            ]
        return rows

    return Figure(
        "frame",
        "CPU time of all threads of a real kernel for one frame through its widget and comm, every one different",
        tuple(Case(name, partial(frames_of, tasks, scale.frames), 5) for tasks, name in names.items()),
        conclude,
    )


# ── the sampler, and what sends ──

OF_A_CORE: Final = "% of a core"
PER_S: Final = "frames/s"
TASKS: Final = max(MESHES)
MOUNTED, UNMOUNTED = "with a page", "without a page"


def sampled(seconds: float) -> Sample:
    """Drive a session ten times a second while a page shows it, and while none does."""
    found = {}
    with Kernel() as kernel:
        kernel.run(f"{_BENCH}session = session_of({TASKS})\nsession.start(paused=True)\nsession.dashboard()")
        comm, rows = view_in(kernel)
        targets = [row for row in rows if not row.startswith("source")]
        for name in (UNMOUNTED, MOUNTED):
            if name == MOUNTED:
                kernel.tell(comm, "mount", view="bench")
                kernel.ask(f"drive(session, {targets}, 0.3)")
            seen = len(kernel.states)
            cpu_s = kernel.ask(f"drive(session, {targets}, {seconds})")
            came = len(kernel.states) - seen
            found[f"{OF_A_CORE}, {name}"] = 100 * cpu_s / seconds
            found[f"{PER_S}, {name}"] = came / seconds
        texts, last = newest(kernel, comm)
        check("frames that are different", len(set(texts)), len(texts))
        kernel.tell(comm, "unmount", view="bench")
        check("packets that wait", sum(last["depths"]), sum(kernel.ask("session.snapshot().depths").values()))
    check("frames without a page", found[f"{PER_S}, {UNMOUNTED}"], 0)
    return found


def sender(scale: Scale) -> Figure:
    """A view may stay open beside a job: all that looks and sends takes next to nothing."""
    name = f"{TASKS} tasks, something changed ten times a second"

    def conclude(samples: Samples) -> list[Row]:
        with_page, without = (samples.of(name, f"{OF_A_CORE}, {which}") for which in (MOUNTED, UNMOUNTED))
        per_s = samples.of(name, f"{PER_S}, {MOUNTED}")
        used = by_round(lambda page, no_page, rate: (page - no_page) * 10 / rate, with_page, without, per_s)
        return [
            Row(f"{name}: sampler and sender, at 10 frames/s", OF_A_CORE, used, Target("at most", 2)),
        ]

    return Figure(
        "sender",
        "CPU time of all threads of a real kernel but the one that makes the changes, beside the same without a page",
        (Case(name, partial(sampled, scale.watched_s), 5),),
        conclude,
    )
