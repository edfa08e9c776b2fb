"""Facts, packets and letters as records for a page: bounded texts, made without running a line of a payload's code."""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import runtime
from runtime import NO_PACKET, DeadLetter, Packet, Profile, QueueView, Session, Step
from runtime.errors import error_text
from runtime.facts import NO_TIME, ChainFacts, QuestionFacts, ServiceFacts, SignalFacts, Spent, TaskFacts, few
from runtime.texts.literal import literal_of
from runtime.texts.preview import preview, type_name
from sage_nb.origins import why_not
from sage_nb.texts import shown, size_of
from sage_nb.wire import (
    AskCard,
    LetterCard,
    Letters,
    PacketCard,
    ProfileCard,
    Queue,
    SignalCard,
    State,
    Stepped,
    TaskCard,
    Text,
)

MAX_LETTERS: Final = 100
MAX_STATE: Final = 100
MAX_SENT: Final = 20
MAX_OPEN: Final = 100
MAX_FULL: Final = 100_000
FULL_S: Final = 2.0
MAX_TRACED: Final = 20_000
_ROUNDED_S: Final = 0.0001  # as the time of an event is on its way to a page
_NOTED_S: Final = 0.05  # within which a letter's event is noted
_SAID: Final = 100  # characters of a letter's text that its event says as well
_TOLD: Final = ("processed", "emitted", "errors", "skipped", "retries", "capacity")
_FRAME: Final = re.compile(r'(?P<margin>(?: *\| )?)  File "')  # of a member of a group, after its margin
_OURS: Final = f"{Path(runtime.__file__).parent}{os.sep}"


def token_of(packet: Packet) -> str:
    """The name by which a page refers to a packet: its place, which stays the same as long as the packet waits."""
    lane, number = packet.place or (-1, -1)
    return f"{packet.task}:{lane}:{number}"


def packet_card(packet: Packet, index: int = 0) -> PacketCard:
    """A packet; `index` is its place from the front of its lane."""
    payload = packet.payload
    return PacketCard(
        token=token_of(packet),
        text=shown(packet.text),
        literal=literal_of(payload),
        kind=shown(type_name(type(payload))),
        size=size_of(payload),
        key=shown(preview(packet.key)) if packet.keyed else None,
        input=packet.input,
        task=packet.task,
        producer=packet.producer,
        index=index,
        id=packet.id,
        parents=list(packet.parents),
        timestamp=packet.timestamp,
    )


def packet_cards(packets: Iterable[Packet]) -> list[PacketCard]:
    """Packets that wait, each with its place in its lane."""
    places: Counter[tuple[str, int]] = Counter()
    cards = []
    for packet in packets:
        lane = packet.task, packet.place.lane if packet.place is not None else 0
        cards.append(packet_card(packet, places[lane]))
        places[lane] += 1
    return cards


def signal_cards(signals: Iterable[SignalFacts]) -> list[SignalCard]:
    """Signals that wait in a queue."""
    return [SignalCard(index=each.index, producer=each.producer, text=shown(each.text)) for each in signals]


def ask_card(facts: QuestionFacts | None) -> AskCard | None:
    """What was asked. Of what is open, and of the rate, no more digits than a page shows: each change is a frame."""
    if facts is None:
        return None
    return AskCard(
        asked=facts.asked,
        open=facts.open,
        answered=facts.answered,
        unanswered=facts.unanswered,
        failed=facts.failed,
        late=facts.late,
        per_s=float(f"{facts.per_s:.3g}"),
        slowest_s=round(facts.slowest_s, 1),
        slowest=shown(facts.slowest, 300),
    )


def queue_of(view: QueueView) -> Queue:
    """What waits in a queue."""
    return Queue(
        task=view.task,
        depth=view.depth,
        capacity=view.capacity,
        left_out=view.left_out,
        packets=packet_cards(view),
        signals=signal_cards(view.signals),
        open=[shown(packet.text) for packet in view.open[:MAX_OPEN]],
    )


def stepped(step: Step) -> Stepped:
    """What a step has done."""
    taken = packet_card(step.packet) if step.packet is not None else None
    return Stepped(
        text=shown(str(step)),
        task=step.task or "",
        result=step.result,
        packet=taken,
        sent=[packet_card(packet) for _, packet in step.sent[:MAX_SENT]],
        more=max(len(step.sent) - MAX_SENT, 0),
    )


def letters_of(session: Session, about: Mapping[str, Any] | None = None) -> Letters:
    """The dead letters, newest first, and the error that failed the job; or those around the one of an event."""
    letters = tuple(session.dead_letters)
    times = [(letter.task, letter.at_s) for letter in letters]
    found = place_of(about, times, lambda place: shown(letters[place].text)) if about else None
    end = len(letters) if found is None else min(len(letters), max(found + MAX_LETTERS // 2, MAX_LETTERS))
    failure, traceback = _failure_of(session)
    return Letters(
        letters=[_letter_card(letter) for letter in reversed(letters[max(0, end - MAX_LETTERS) : end])],
        found=0 if found is None else letters[found].number,
        kept=len(letters),
        total=session.dead_letters.total,
        failure=failure,
        traceback=shown(traceback, MAX_TRACED),
        folded=shown(folded(traceback), MAX_TRACED),
        held=[],
        untraced=why_not(session),
    )


def place_of(
    event: Mapping[str, Any], letters: Sequence[tuple[str, float]], text_of_place: Callable[[int], str]
) -> int | None:
    """Which letter, of which task and when is known, is that of an event, which is noted right after it."""
    task, at_s, text = str(event.get("task")), float(event.get("at_s", -1)), str(event.get("text", ""))
    latest, earliest = at_s + _ROUNDED_S, at_s - _NOTED_S
    near = [place for place, (whose, when) in enumerate(letters) if whose == task and earliest <= when <= latest]
    said = (place for place in reversed(near) if text.startswith(text_of_place(place)[len(task) + 1 :][:_SAID]))
    return next(said, near[-1] if near else None)


def folded(traceback: str) -> str:
    """`traceback` with one line for all frames of the runtime that follow each other; empty if that leaves it the same.

    Where no frame but the runtime's is in it, they are what there is to see.
    """
    kept: list[str] = []
    ours = theirs = many = 0
    margin: str | None = None  # of the frame that the line before belongs to
    own = False

    def fold() -> None:
        if many:
            kept.append(f"{margin or ''}  … {many} frame{'s' if many > 1 else ''} of the runtime")

    for line in traceback.split("\n"):
        if (frame := _FRAME.match(line)) is not None:
            margin, own = frame["margin"], line.startswith(_OURS, frame.end())
            ours, theirs, many = ours + own, theirs + (not own), many + own
        elif margin is None or not line.startswith(f"{margin}    "):
            fold()
            margin, own, many = None, False, 0
        if not own:
            if frame is not None:
                fold()
                many = 0
            kept.append(line)
    return "\n".join(kept) if ours and theirs else ""


def _letter_card(letter: DeadLetter) -> LetterCard:
    traceback = letter.traceback
    return LetterCard(
        number=letter.number,
        task=letter.task,
        at_s=round(letter.at_s, 4),
        text=shown(letter.text),
        packet="" if letter.packet is NO_PACKET else shown(preview(letter.packet)),
        literal=None if letter.packet is NO_PACKET else literal_of(letter.packet),
        error=shown(error_text(letter.error)),
        traceback=shown(traceback, MAX_TRACED),
        folded=shown(folded(traceback), MAX_TRACED),
        retriable="it happened outside of packets" if letter.packet is NO_PACKET else "",
    )


def _failure_of(session: Session) -> tuple[str, str]:
    failed = session.failure
    if failed is None:
        return "", ""
    cause = DeadLetter(failed.task, failed.packet, failed.__cause__ or failed)
    return shown(cause.text), cause.traceback


def state_of(state: Any) -> State:
    """What a task remembers, by key if it does so by keys."""
    if type(state) is not dict:
        return State(rows=[("", shown(preview(state)))], total=1)
    items = list(state.items())
    rows = [(shown(preview(key)), shown(preview(value))) for key, value in items[:MAX_STATE]]
    return State(rows=rows, total=len(items))


def profile_card(profile: Profile) -> ProfileCard:
    """The hottest lines of a profile."""
    return ProfileCard(
        task=profile.name,
        looks=profile.looks,
        idle=profile.idle / profile.looks if profile.looks else 1.0,
        lines=[
            (line.share, shown(line.function), shown(f"{Path(line.file).name}:{line.line}"), shown(line.text))
            for line in profile.lines
        ],
    )


def task_card(
    task: str, facts: TaskFacts | ServiceFacts | None, more: Mapping[str, str], spent: Spent = NO_TIME
) -> TaskCard:
    """What is known of a task or service, apart from measurements, and `more`."""
    told: dict[str, object] = {}
    producers: list[tuple[str, str | None, int]] = []
    if isinstance(facts, TaskFacts):
        told = {"state": facts.ending or facts.state}
        told |= {"waits for": few(facts.waits_for)} if facts.waits_for else {}
        told |= {name: getattr(facts, name) for name in _TOLD}
        producers = [(lane.producer, lane.ended, lane.depth) for lane in facts.lanes]
    elif facts is not None:
        told = dict(facts._asdict()) | {"open": facts.open}
        del told["name"]
        told["waits_for"] = few(facts.waits_for) if facts.waits_for else None
    told |= more
    whole = spent.whole
    return TaskCard(
        task=task,
        facts=facts_of({name: value for name, value in told.items() if value is not None}),
        split=sorted(whole.shares.items(), key=itemgetter(1), reverse=True),
        lasted_s=whole.lasted_s / whole.threads,
        on_processor=None if whole.on_processor_s is None or not whole.busy_s else whole.on_processor_s / whole.busy_s,
        per_s=spent.lately.per_s,
        together=list(whole.together),
        producers=producers,
        last_error="",
        measuring=False,
        latency=None,
    )


def chain_of(task: str, chains: Iterable[ChainFacts]) -> str:
    """In one sentence, with whom it shares a thread, or why it does not; empty of a task that never does."""
    for tasks, opened_by in chains:
        if task in tasks:
            others = ", ".join(repr(each) for each in tasks if each != task)
            return f"has its own now, as {opened_by}" if opened_by else f"shared with {others}"
    return ""


def text_of(value: object) -> Text:
    """A value, as a preview."""
    return Text(text=shown(preview(value)), kind=shown(type_name(type(value))), cut=0)


def full_text_of(value: object) -> Text:
    """The whole `repr` of a value, by its own code: on a thread that is abandoned if it does not return in time.

    Raises `TimeoutError`, and `ValueError` with what the code raised.
    """
    said: list[str] = []
    raised: list[str] = []

    def ask() -> None:
        try:
            said.append(repr(value))
        except BaseException as error:  # noqa: BLE001  the border to the payload's own code
            raised.append(error_text(error))

    thread = threading.Thread(target=ask, name="sage-nb repr", daemon=True)
    thread.start()
    thread.join(FULL_S)
    if raised:
        raise ValueError(f"its own repr raised {raised[0]}")
    if not said:
        raise TimeoutError(f"its own repr has not come back within {FULL_S:g} s")
    text = said[0]
    return Text(
        text=shown(text[:MAX_FULL], MAX_FULL),
        kind=shown(type_name(type(value))),
        cut=max(len(text) - MAX_FULL, 0),
    )


def facts_of(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    """Names and numbers, as texts."""
    return [(name, f"{value:,}" if type(value) is int else shown(str(value))) for name, value in facts.items()]
