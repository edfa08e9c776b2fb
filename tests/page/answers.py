"""What a kernel would answer for `tests.page.plans.small()`: something for every tab of the inspector."""

from __future__ import annotations

from typing import Any, Final, cast

from sage_nb.wire import (
    BreakpointCard,
    Field,
    Form,
    HeldCard,
    LetterCard,
    Letters,
    Method,
    PacketCard,
    Queue,
    State,
    Stepped,
    TaskCard,
)

WORDS: Final = ("to", "be", "or", "not", "to", "be", "that", "is", "the", "question")


def packet(number: int, **more: Any) -> PacketCard:
    word = WORDS[number % len(WORDS)]
    card = PacketCard(
        token=f"t{number}",
        text=f"{word!r}",
        literal=f"{word!r}",
        kind="str",
        size=f"{len(word)} characters",
        key=word,
        input=0,
        task="count#1",
        producer="split" if number % 5 else "hand",
        index=number,
        id=None,
        parents=[],
        timestamp=None,
    )
    return cast(PacketCard, {**card, **more})


def queue(waiting: int = 7, *, depth: int | None = None) -> Queue:
    packets = [packet(number) for number in range(waiting)]
    return Queue(
        task="count#1",
        depth=waiting if depth is None else depth,
        capacity=12,
        left_out=waiting if depth is not None else 0,
        packets=packets,
        signals=[],
        open=[],
    )


CARD: Final = TaskCard(
    task="count#1",
    facts=[
        ("Kind", "reduce"),
        ("Operator", "count × 2"),
        ("State", "paused"),
        ("Queue", "7 of 12"),
        ("Processed", "1,204"),
        ("Emitted", "1,204"),
        ("Errors", "2, both skipped"),
        ("Policy", "skip"),
    ],
    split=[("busy", 0.42), ("idle", 0.23), ("paused", 0.2), ("held back", 0.15)],
    lasted_s=41.2,
    on_processor=0.24,
    per_s=1184.0,
    together=[],
    producers=[("hand", None, 2), ("split", "completed", 5)],
    last_error="ValueError: invalid literal for int() with base 10: 'question'",
    measuring=True,
    latency={
        "count": 1204,
        "p50_ms": 0.21,
        "p95_ms": 3.4,
        "buckets": [0, 12, 240, 610, 220, 84, 30, 6, 2, 0, 0, 0, 0, 0],
    },
)

POINTS: Final = [
    BreakpointCard(id=1, task="count#1", when="len(value) > 3", hits=2, text="count#1: before 'that'"),
    BreakpointCard(id=2, task="split", when="", hits=0, text=""),
]


def asked(name: str, kind: Any, **more: Any) -> Field:
    field = Field(name=name, kind=kind, default="", options=[], required=False, none=False, hint="")
    field.update(more)  # type: ignore[typeddict-item]
    return field


FORM: Final = Form(
    service="clock",
    note="",
    methods=[
        Method(
            name="process",
            doc="The time in a zone, after so many ticks.",
            fields=[
                asked("ticks", "number", required=True, hint="int"),
                asked("zone", "select", default="'UTC'", options=["'UTC'", "'CET'"]),
                asked("exact", "checkbox", default="True"),
                asked("label", "text", default="'now'", none=True, hint="str | None"),
                asked("more", "literal", hint="a Python literal"),
            ],
        ),
        Method(name="reset", doc="", fields=[]),
    ],
)

TRACEBACK: Final = """Traceback (most recent call last):
  File "/lib/runtime/task/loop.py", line 96, in turn
    self.operator.process(packet)
  File "/lib/runtime/task/guard.py", line 210, in process
    return self.call(value)
  File "count.py", line 12, in process
    return int(value)
ValueError: invalid literal for int() with base 10: 'question'
"""
FOLDED: Final = """Traceback (most recent call last):
  … 2 frames of the runtime
  File "count.py", line 12, in process
    return int(value)
ValueError: invalid literal for int() with base 10: 'question'
"""


def letter(number: int, **more: Any) -> LetterCard:
    card = LetterCard(
        number=number,
        task="count#1",
        at_s=number / 10,
        text="count#1 skipped 'question'",
        packet="'question'",
        literal="'question'",
        error="ValueError: invalid literal for int() with base 10: 'question'",
        traceback=TRACEBACK,
        folded=FOLDED,
        retriable="",
    )
    return cast(LetterCard, {**card, **more})


def letters(*numbers: int, failure: str = "") -> Letters:
    return Letters(
        letters=[letter(number) for number in numbers],
        found=0,
        kept=len(numbers),
        total=len(numbers),
        failure=failure,
        traceback=TRACEBACK if failure else "",
        folded=FOLDED if failure else "",
        held=[],
        untraced="",
    )


def held(task: str = "count#1", **more: Any) -> HeldCard:
    card = HeldCard(
        task=task,
        place=[1, 7],
        operator=task.partition("#")[0],
        packet="'question'",
        literal="'question'",
        error="ValueError: invalid literal for int() with base 10: 'question'",
        traceback=TRACEBACK,
        folded=FOLDED,
        source="def count(value):\n    return int(value)\n",
        version=1,
        function="count",
    )
    return cast(HeldCard, {**card, **more})


STATE: Final = State(rows=[("'be'", "2"), ("'to'", "3"), ("'not'", "1")], total=3)


def stepped(**more: Any) -> Stepped:
    step = Stepped(text="count#1: 'be' -> …", task="count#1", result="done", packet=None, sent=[], more=0)
    step.update(more)  # type: ignore[typeddict-item]
    return step


ALL: Final[dict[str, Any]] = {
    "peek": {"result": queue()},
    "task": {"result": CARD},
    "breakpoints": {"result": POINTS},
    "breakpoint": {"result": POINTS, "python": 'session.breakpoint("count#1", when=lambda value: len(value) > 3)'},
    "remove_breakpoint": {"result": POINTS[1:]},
    "form": {"result": FORM},
    "call": {
        "result": {"text": "datetime.time(12, 30)", "kind": "time", "cut": 0},
        "python": 'session.call("clock", 5)',
        "text": "clock answered in 0.3 ms",
    },
    "letters": {"result": letters(4, 2, 1)},
    "state": {"result": STATE, "python": 'session.snapshot().tasks["count#1"]'},
    "pause": {"python": "session.pause()", "text": "paused"},
    "resume": {"python": "session.resume()", "text": "resumed"},
    "step": {
        "python": 'session.step("count#1")',
        "text": "count#1: 'be' -> ('be', 2) to result",
        "result": stepped(
            packet=packet(3),
            sent=[{**packet(3), "text": f"('be', {n})", "task": "result"} for n in (2, 3)],
            more=3,
        ),
    },
    "inject": {"python": "session.inject(\"count\", 'be')", "text": "injected 'be'"},
    "full": {"result": {"text": "'be'", "kind": "str", "cut": 0}},
    "why": {
        "text": "'be': made by split",
        "result": {
            "text": "'be': made by split\n└─ 'to be or not': an item of lines",
            "places": [
                {"task": "split", "text": "'be'", "more": 0},
                {"task": "lines", "text": "'to be or not'", "more": 2},
            ],
        },
    },
    "as_test": {"result": {"text": "def test_what_was_seen():\n    pass\n", "kind": "test", "cut": 0}},
}
"""The answer to each command."""
