"""What goes between the kernel and a view's page: the traits, the messages and the replies, as types. No behaviour.

A view's page gets two traits. `plan` says what there is to draw and is set once for each graph; `frame` says how it
stands, and is sent anew a few times a second, as JSON text, as long as something changes. What a frame says of tasks
and services it says in columns, one entry for each *row* of the plan: a task, or an operator with all its tasks where
a graph is too large (`Plan.grouped`), and after them the services.

The page sends messages `{cmd, args, id}`; each is answered by `{ack: id, …}`, which all pages get, and only its sender
knows the id. In addition, the kernel says from time to time that it is there (`Beat`).

Numbers are plain, texts are bounded and may contain anything: they are never markup.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Point = tuple[float, float]

Part = Literal["toolbar", "graph", "table", "inspector", "timeline", "log", "depths", "stops", "errors"]
"""What a view may be made of. `table` beside `graph` means that both are there, and one is shown."""


class Row(TypedDict):
    """A task, a service, or an operator with all its tasks. `producers` are those of its queue, without the hand.

    `calls` is how many calls of a function that waits may be open at once. `asks` is there of an input: empty, or why
    it cannot be asked.
    """

    name: str
    operator: str
    kind: str
    capacity: int
    producers: list[str]
    inputs: int
    box: int
    tasks: int
    calls: NotRequired[int]
    asks: NotRequired[str]


class Box(TypedDict):
    """An operator or a service: its place (left, top, width, height, in px) and the rows in it, from top to bottom.

    A box of one row shows name, kind and the row's facts together; one of several has a head, `Plan.head_px` high, with
    its name and `detail`, below it the rows, each `Plan.row_px` high, and then `Plan.foot_px`. Where the page shows one
    row for all of them it is `Plan.folded_px` high. `number` is how many instances there are.
    """

    name: str
    kind: str
    detail: str
    number: int
    x: float
    y: float
    width: float
    height: float
    rows: list[int]
    service: bool


class PlanEdge(TypedDict):
    """An edge between two boxes. From point 0 to 1 it swings, from 1 to 2 it is straight, and so on, in turn.

    A swing is the cubic Bézier curve whose control points have the x of the middle and the y of its ends.
    `number` is which of several edges between the same two operators it is, `input` the input of the target.
    """

    source: int
    target: int
    strategy: Literal["round_robin", "hash", "broadcast", "first_free"]
    label: str
    label_at: Point
    label_width: float
    points: list[Point]
    input: int


class Plan(TypedDict):
    """What there is to draw. `revision` tells graphs apart; a frame belongs to the plan of the same one.

    `note` is what a person should know of the drawing: that it is by operator, if it is. `runnable` is empty, or why
    the graph cannot be started as it is.
    """

    revision: int
    name: str
    alt: str
    grouped: bool
    note: str
    runnable: str
    width: float
    height: float
    head_px: float
    row_px: float
    foot_px: float
    folded_px: float
    rows: list[Row]
    boxes: list[Box]
    edges: list[PlanEdge]


STATES = {
    "new": "n",
    "idle": "i",
    "running": "r",
    "paused": "p",
    "held back": "h",
    "waiting": "w",
    "backing off": "b",
    "held back: rate": "t",
    "held back: all busy": "u",
    "completed": "c",
    "stopped": "s",
    "failed": "f",
    "cancelled": "x",
    "abandoned": "a",
}
"""The letters of `Frame.states`: what a task is doing (`runtime.facts.TaskState`), or how it ended."""


class Counts(TypedDict):
    """Of the whole job: what sources made and the hand put in, what ends have processed, and what went wrong."""

    made: int
    done: int
    errors: int
    skipped: int


class EventCard(TypedDict):
    """An event: its number from 0, its kind (`runtime.Event`, or `turn` for a step by hand), whose, when, what."""

    number: int
    kind: str
    row: int
    text: str
    at_s: float


class SignalCard(TypedDict):
    """A signal that waits in a queue: `index` packets wait before it; `text` says what it is.

    Of a stop signal, which is the last of its `producer`, the text is how that has ended.
    """

    index: int
    producer: str
    text: str


class ChainCard(TypedDict):
    """The rows that one thread works together while `opened_by` is empty; else it says why it does not."""

    rows: list[int]
    opened_by: str


class CallCard(TypedDict):
    """How often the row `caller` has called the row `service`, in all and in the last second; -1 is the hand."""

    service: int
    caller: int
    calls: int
    per_s: float


class AskCard(TypedDict):
    """What was asked so far: numbers as in `runtime.facts.QuestionFacts`; what the oldest is that is open, in words."""

    asked: int
    open: int
    answered: int
    unanswered: int
    failed: int
    late: int
    per_s: float
    slowest_s: float
    slowest: str


class Frame(TypedDict):
    """How everything stands. Columns have an entry for each row of the plan.

    `since_s`: from then on somebody looked, up to this frame; of what was before, `Past` knows more.
    `states` is a text with a letter for each row (`STATES`). `depths` counts what waits; `processed`, `emitted` and
    `errors` what was counted (of a service: calls received, results, errors); `ended` how many producers have sent
    their stop signal (of an operator, to all of its tasks), and `heard`, of a task that has heard some of them and
    not all, which: their places in `Row.producers`, in the order of their signals. `held` are the rows whose gate
    is closed by hand (one may be held back, and held as well); `order` those that have ended, in that order.
    `lanes` gives for some rows the depths of the lanes of their queue, first the hand's, then in the order of
    `Row.producers`: of all rows with more than one producer in a small graph, of the watched ones in a large one.
    `signals` gives for the same rows, and in a small graph for all, the signals that wait in their queues.
    `chains` are steady: each changes at most once in a second.
    `calls` says who has called which service.
    `open` gives, of the rows whose functions wait, how many calls are open, where there are any.
    `times` says where the last second went: of each row, between `;`, packets per second, how many % of the time were
    on a processor (empty: nobody knows), and the % of each of `runtime.facts.SHARES`; nothing of a row that has ended.
    `waits` says of rows that are held back by others, or wait for a reply, by whom, or for whose.
    `asks` is what was asked, of a graph that answers.
    `events` are the events that are new since the frame before; a page that finds a gap in their numbers asks
    for them (`events`).

    `turn` is how many turns there have been before anything was done by hand, with a seed; -1 without one.
    `breakpoints` are the rows that have some of these pages, and `hits` how often they have been met, in all.
    `printed` is how many lines user code has printed in a run that a page has started: they are asked for (`printed`).
    `holding` says whether all, some or none of the rows that have not ended are held by hand; `waited`, whether
    somebody waits for the end: a cell, say.
    `letters` is how many dead letters are kept, `letters_total` how many there have been in this run.
    `closed`: the session was closed. What can still be looked at are records; no frame follows, unless it is started
    again.
    """

    revision: int
    number: int
    at_s: float
    since_s: float
    state: Literal["new", "running", "draining", "completed", "stopped", "failed", "cancelled"]
    holding: Literal["none", "some", "all"]
    waited: bool
    counts: Counts
    states: str
    depths: list[int]
    processed: list[int]
    emitted: list[int]
    errors: list[int]
    ended: list[int]
    heard: dict[str, list[int]]
    held: list[int]
    order: list[int]
    lanes: dict[str, list[int]]
    signals: dict[str, list[SignalCard]]
    chains: list[ChainCard]
    calls: list[CallCard]
    open: dict[str, int]
    times: str
    waits: dict[str, str]
    asks: AskCard | None
    turn: int
    letters: int
    letters_total: int
    breakpoints: list[int]
    hits: int
    printed: int
    events: list[EventCard]
    closed: bool


Command = Literal[
    # the view itself: `page` {}: answered by {page: its digest, packed: script and style}, if it is found nowhere else;
    # {view: a name of the page's own, unique}; `watch` {view, row}: whose lanes frames are to tell
    "page",
    "mount",
    "unmount",
    "watch",
    "events",  # {first: number} -> Events
    "printed",  # {first: number} -> PrintedLines
    "past",  # {} -> Past
    "frames",  # {} -> Frames: those of this run that other pages, or this one earlier, were sent
    # the job: {}; `run` starts (or starts again), `start_paused` with all gates closed; reply {}
    "run",
    "start_paused",
    "stop",
    "cancel",
    # {name: row name, or "" for all}
    "pause",
    "resume",
    "step",  # -> Stepped
    "goto",  # {turn: number}: under a seed, run again from the start to that turn
    # queues: {task, first, last} -> Queue; {token, value: a text} | {token} | {token, to: index} | {} -> {}
    # A value is a literal or a text, or with {as_python: true} an expression with the names of the notebook.
    "peek",
    "edit",
    "drop",
    "move",
    "undo",
    "inject",  # {task, value: a text, input: number} -> {}
    "full",  # {token} -> Text: the whole repr, by the payload's own code, bounded in time and length
    # in a session with traces: {token}, {number} of a letter, {task, place} of what is held, {failure: true}, or
    # {result: name, index} -> OriginCard; `light` lights the way in all views of the session, and with {} puts it out
    "why",
    "light",
    "as_test",  # {} -> Text: what was done by hand, as a test
    # a task: {task} -> TaskCard; {task, on: bool} -> {}: measure its latency; {task} -> State
    "task",
    "measure",
    "state",
    "profile",  # {task} -> ProfileCard: two seconds long, beside all other commands
    # {task, when: a Python expression of `value`, or ""} -> Breakpoints; {id} -> Breakpoints; {} -> Breakpoints
    "breakpoint",
    "remove_breakpoint",
    "breakpoints",
    # services: {service} -> Form; {service, method, values: {field: text, bool or null}} -> Text, or FieldErrors
    "form",
    "call",
    # inputs: {input, value: a text, many: bool} -> Answer; -> Watched; {watch} -> Watched; {watch} -> Watched
    "ask",
    "watch_ask",  # closes the gates on the way
    "watch_step",  # one turn of the task before which a packet of it lies
    "watch_end",  # gives it up, and opens what was closed for it
    # dead letters: {} or {about: {task, at_s, text}, of an event} -> Letters; {number}; {number, value: a text};
    # {number}; {}; {} -> Letters
    "letters",
    "retry",
    "edit_retry",
    "discard",
    "retry_all",
    "discard_all",
    # what is held: {task}; {task, value: a text}; {operator}: by the function of that name in the notebook -> Letters
    "skip_held",
    "edit_held",
    "replace",
]


class Message(TypedDict):
    """From the page."""

    cmd: Command
    args: dict[str, Any]
    id: str


class Ack(TypedDict):
    """The answer to a message. `python` is the line that does the same, empty for looks; `text` what came of it.

    `ok` is false if it was refused or raised; then `reason` says why, in words for a person.
    """

    ack: str
    ok: bool
    reason: str
    python: str
    text: str
    result: NotRequired[Any]


class Beat(TypedDict):
    """The kernel is there: sent to all pages more often than each second, as long as one is mounted and none is closed.

    `busy`: it is running a cell, and may hear nothing until that has ended.
    """

    beat: int
    busy: bool


class PacketCard(TypedDict):
    """A packet: `token` to name it by, `text` a bounded preview, `literal` its payload as Python, if that is possible.

    `kind` is the type's name and `size` what is known of its length ("12 items"), or empty. `index` counts from the
    front of its lane. `id`, `parents` and `timestamp` only in a traced job.
    """

    token: str
    text: str
    literal: str | None
    kind: str
    size: str
    key: str | None
    input: int
    task: str
    producer: str
    index: int
    id: str | None
    parents: list[str]
    timestamp: float | None


class Queue(TypedDict):
    """What waits for a task. `left_out` is the index before which packets were not shown, if there are more.

    `signals` are all that wait there, shown or not. `open` are previews of the packets of open calls, the oldest first.
    """

    task: str
    depth: int
    capacity: int
    left_out: int
    packets: list[PacketCard]
    signals: list[SignalCard]
    open: list[str]


class Stepped(TypedDict):
    """What a step did: as text, by whom (a row's name, or empty), the packet taken, and what was sent, and to whom.

    `sent` has the first of them, `more` is how many were left out; the `task` of each is the one that it was sent to.
    """

    text: str
    task: str
    result: str
    packet: PacketCard | None
    sent: list[PacketCard]
    more: int


class Latency(TypedDict):
    """How long packets took in user code while somebody measured: so many, median, 95 %, and a histogram.

    `buckets` are counts for up to 0.01, 0.03, 0.1, 0.3 … 10,000 ms and beyond (`sage_nb.latency.BOUNDS_MS`).
    """

    count: int
    p50_ms: float
    p95_ms: float
    buckets: list[int]


class TaskCard(TypedDict):
    """A task or service. `split` is which share of its time, from its beginning, it was at work or waited for what.

    `lasted_s` is how long that was, `on_processor` which share of its work was on a processor (None: nobody knows).
    `together` are those with which it shares a thread.
    `producers` are `(name, how it ended or None, how many wait in its lane)`, the hand first.
    """

    task: str
    facts: list[tuple[str, str]]
    split: list[tuple[str, float]]
    lasted_s: float
    on_processor: float | None
    per_s: float
    together: list[str]
    producers: list[tuple[str, str | None, int]]
    last_error: str
    measuring: bool
    latency: Latency | None


class ProfileCard(TypedDict):
    """Where a task was found at work: of its hottest lines the share of all looks, the function, the place, the text.

    `idle` is the share of the looks in which it was not at work.
    """

    task: str
    looks: int
    idle: float
    lines: list[tuple[float, str, str, str]]


class State(TypedDict):
    """What a task remembers: previews of keys and values, the first hundred of `total`."""

    rows: list[tuple[str, str]]
    total: int


class BreakpointCard(TypedDict):
    """A breakpoint that was set in this view. `text` says what it has met."""

    id: int
    task: str
    when: str
    hits: int
    text: str


class Field(TypedDict):
    """A parameter of a service's method, as part of a form.

    `checkbox` gives a bool; `select` the index of one of `options`, as text; `text` is passed on as it is, an empty one
    too; `number` and `literal` are texts that are read, as a number or as Python. A page sends those fields that were
    touched: one that is left out, or left empty unless it is `text`, is the method's own default, of which `default` is
    a preview. With `none` a text can also be None, which is sent as null. `fields` are those of a dataclass; what is
    sent of it is an object with those that were touched, by their names.
    """

    name: str
    kind: Literal["checkbox", "select", "number", "text", "literal", "fields"]
    default: str
    options: list[str]
    required: bool
    none: bool
    hint: str
    fields: NotRequired[list[Field]]


class Method(TypedDict):
    """A method of a service and what to ask for."""

    name: str
    doc: str
    fields: list[Field]


class Form(TypedDict):
    """The methods of a service. `note` says why there is nothing better, if there is not."""

    service: str
    methods: list[Method]
    note: str


class FieldErrors(TypedDict):
    """Why a call was not made: what does not do, by the names of the fields, `order.item` of one within another.

    Comes with a refusal.
    """

    fields: dict[str, str]


AnswerKind = Literal["reply", "replies", "no reply", "error"]


class Answer(TypedDict):
    """What has come of a question: `text` in words, `kind` the type of the reply, or how many there are.

    `errors` are those of what was skipped of it, the first of them. `took_ms` is None where it stood still meanwhile.
    """

    outcome: AnswerKind
    text: str
    kind: str
    took_ms: float | None
    errors: list[str]


class Watched(TypedDict):
    """A question on its `way`, whose gates are closed: packets of it lie before the tasks `at`, the oldest first.

    `step` is what was done just now, if anything was, `is_of_it` whether that took a packet of it, and `took_ms` for
    how long its task was at work. Once it has its `answer`, it is over, and the gates are open again.
    """

    watch: int
    input: str
    way: list[str]
    at: list[str]
    step: Stepped | None
    is_of_it: bool
    took_ms: float
    answer: Answer | None


class LetterCard(TypedDict):
    """A dead letter: `retriable` is empty, or why its packet cannot be retried; `at_s` is when it was skipped.

    `folded` is the traceback with the runtime's own frames left out and counted; empty if there are none.
    """

    number: int
    task: str
    at_s: float
    text: str
    packet: str
    literal: str | None
    error: str
    traceback: str
    folded: str
    retriable: str


class HeldCard(TypedDict):
    """A packet that is held: what raised for it, and the source of that, as far as it is known.

    `place` tells it apart from others of its task. `version` is that of the function, `function` by which name the
    notebook's would take its place, or empty.
    """

    task: str
    place: list[int]
    operator: str
    packet: str
    literal: str | None
    error: str
    traceback: str
    folded: str
    source: str
    version: int
    function: str


class Letters(TypedDict):
    """What was skipped, newest first, at most a hundred; `failure` is the error that failed the job, or empty.

    `held` is what is held, in graph order. `untraced` is empty, or why nobody knows where their packets come from.

    They are the newest, or those around the one that was asked about: `found` is its number, or 0 if it is not kept.
    """

    letters: list[LetterCard]
    found: int
    kept: int
    total: int
    failure: str
    traceback: str
    folded: str
    held: list[HeldCard]
    untraced: str


class Text(TypedDict):
    """A value as a bounded text and its type's name. `cut`: how many characters were left out."""

    text: str
    kind: str
    cut: int


class OriginPlace(TypedDict):
    """What was at a task on the way of a packet: a value, and how many `more` of it come from there."""

    task: str
    text: str
    more: int


class OriginCard(TypedDict):
    """Where a packet comes from: as a tree in text, and task by task, the last one first."""

    text: str
    places: list[OriginPlace]


class Events(TypedDict):
    """Events from `first` on; those before, and those whose numbers are missing, have been forgotten."""

    first: int
    events: list[EventCard]


class Past(TypedDict):
    """Where the time of each row went, stretch by stretch, whether somebody looked or not: until `until_s`.

    Of each row, between `;`, the time at which it begins, then its stretches: until when, how many % of that time were
    on a processor (empty: nobody knows), and the % of each of `runtime.facts.SHARES`, without zeros at the end. `note`
    says why there is nothing of any, if it is so.
    """

    rows: list[str]
    until_s: float
    note: str


class Frames(TypedDict):
    """Frames of the run, in order, without their events: at most so many, evenly thinned out."""

    frames: list[Frame]


class PrintedLines(TypedDict):
    """Lines that user code has printed, from number `first` on; those before have been forgotten."""

    first: int
    lines: list[str]
