"""What a closed session still shows: a frame and previews, as records, and nothing of the session itself.

It is made once, after the close, and answers what a page can still ask. It holds texts and numbers only: no packet, no
function, no session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runtime import CommandRefused, Event, Session
from runtime.facts import NO_TIME, ServiceFacts, TaskFacts
from sage_nb.command_queue import Done
from sage_nb.frame import Framer
from sage_nb.serializers import letters_of, place_of, queue_of, task_card
from sage_nb.texts import shown
from sage_nb.wire import Events, Frame, Frames, Letters, Plan, Queue

MAX_EVENTS: Final = 1_000
"""Of each kind, the last ones."""

MAX_PACKETS: Final = 1_000
"""Of all queues together: previews of the packets that were left in them, at most a hundred of each."""

_EACH: Final = 100


class ClosedSession:
    """The last state of a session, read-only. `plan` and `frame` are what a view shows; the rest is told when asked."""

    def __init__(self, session: Session, plan: Plan, framer: Framer, frames: Sequence[Frame]):
        self.plan = plan
        snapshot = session.snapshot()
        events = session.events
        frame = framer.frame(snapshot, session, (), events)
        assert frame is not None, "the framer is of another graph"
        frame["number"], frame["closed"] = (frames[-1]["number"] if frames else 0) + 1, True
        self.frame = frame
        cards = framer.event_cards(events, MAX_EVENTS)
        self._events = Events(first=cards[0]["number"] if cards else 0, events=cards)
        self._frames = Frames(frames=list(frames))
        self._past = framer.past(session)
        self._letters = letters_of(session)
        self._queues = _queues(session, snapshot.depths)
        self._facts: dict[str, TaskFacts | ServiceFacts] = {facts.name: facts for facts in snapshot}
        self._facts |= snapshot.services
        self._last_errors = _last_errors(events)
        self._policies = {each.name: str(each.on_error) for each in session.graph.operators if each.on_error != "fail"}
        self._spent = {**snapshot.tasks.spent(), **snapshot.spent_by_services}

    def execute(self, command: str, args: Mapping[str, Any]) -> Done:
        """Answer a question. Raises `CommandRefused` for everything that would need the session itself."""
        task = str(args.get("task", ""))
        match command:
            case "events":
                return Done(result=self._events)
            case "frames":
                return Done(result=self._frames)
            case "past":
                return Done(result=self._past)
            case "letters":
                return Done(result=self._letters_about(args.get("about")))
            case "breakpoints":
                return Done(result=[])
            case "peek" if task in self._facts:
                facts = self._facts[task]
                return Done(result=self._queues.get(task, _no_packets(task, facts)))
            case "task":
                policy = self._policies.get(task, self._policies.get(task.rpartition("#")[0]))
                more = {} if policy is None else {"on error": policy}
                card = task_card(task, self._facts.get(task), more, self._spent.get(task, NO_TIME))
                card["last_error"] = self._last_errors.get(task, "")
                return Done(result=card)
        raise CommandRefused("the session was closed: this is how it was left")

    def _letters_about(self, event: Mapping[str, Any] | None) -> Letters:
        cards = self._letters["letters"]
        times = [(card["task"], card["at_s"]) for card in cards]
        place = place_of(event, times, lambda place: cards[place]["text"]) if event else None
        return self._letters if place is None else {**self._letters, "found": cards[place]["number"]}


def _no_packets(task: str, facts: TaskFacts | ServiceFacts) -> Queue:
    return Queue(task=task, depth=facts.depth, capacity=facts.capacity, left_out=0, packets=[], signals=[], open=[])


def _queues(session: Session, depths: Mapping[str, int]) -> dict[str, Queue]:
    """The packets that were left, as far as there is room for their previews."""
    queues, room = {}, MAX_PACKETS
    for task, depth in depths.items():
        if depth and room:
            view = session.peek(task, min(_EACH, room))
            room -= len(view)
            queues[task] = queue_of(view)
    return queues


def _last_errors(events: Sequence[Event]) -> dict[str, str]:
    return {event.task: shown(event.text) for event in events if event.task and event.kind in ("error", "skip")}
