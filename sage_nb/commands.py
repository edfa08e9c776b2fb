"""What each command of a page does: on the session, through its public methods only. Runs on the
command queue's thread.

Every command that changes something answers with the line of Python that does the same.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from runtime import CommandRefused, Packet, PacketGone, Session
from runtime.facts import NO_TIME
from runtime.session.written import as_test
from runtime.texts.preview import preview
from sage_nb.asking import Asking
from sage_nb.command_queue import Done
from sage_nb.forms import call_of, form_of
from sage_nb.frame import Framer
from sage_nb.frame_history import FrameHistory
from sage_nb.latency import Measures
from sage_nb.mending import all_letters_of, held_of, replace_from_cell
from sage_nb.origins import origin_card
from sage_nb.page_breakpoints import PageBreakpoints
from sage_nb.python import Typed, typed
from sage_nb.said_again import change_of, inject_of
from sage_nb.serializers import (
    chain_of,
    full_text_of,
    profile_card,
    queue_of,
    state_of,
    stepped,
    task_card,
    text_of,
    token_of,
)
from sage_nb.texts import shown
from sage_nb.wire import Events, Frames, Past, Text

STEP_S: Final = 0.5
"""How long a command waits for user code: the others in the command queue wait for it."""

MAX_PACKETS: Final = 1_000

PROFILE_S: Final = 2.0
"""How long a page that asks for it looks into a task."""

Args = Mapping[str, Any]


class Commands:
    """The commands of all pages of one session, and what they have to remember between two of them."""

    def __init__(self, session: weakref.ref[Session]) -> None:
        self._session_ref = session
        self.frame_history = FrameHistory()  # what pages were sent of this run
        self._framer: Framer | None = None
        self._breakpoints = PageBreakpoints()
        self._measures = Measures()
        self._lock = threading.Lock()  # guards what is below
        self._packets: dict[str, Packet] = {}  # those that pages were shown last, by token
        self._asking = Asking(self._remember)
        self._commands: dict[str, Callable[[Session, Args], Done]] = {
            "run": self._run,
            "start_paused": self._start_paused,
            "stop": self._stop,
            "cancel": self._cancel,
            "pause": self._pause,
            "resume": self._resume,
            "step": self._step,
            "back": self._back,
            "goto": self._goto,
            "events": self._events,
            "frames": self._frames,
            "past": self._past,
            "peek": self._peek,
            "edit": self._edit,
            "drop": self._drop,
            "move": self._move,
            "undo": self._undo,
            "inject": self._inject,
            "full": self._full,
            "why": self._why,
            "as_test": self._as_test,
            "task": self._task,
            "measure": self._measure,
            "state": self._state,
            "profile": self._profile,
            "breakpoint": self._breakpoint,
            "remove_breakpoint": self._remove_breakpoint,
            "breakpoints": self._list_breakpoints,
            "form": self._form,
            "call": self._call,
            "letters": self._letters,
            "retry": self._retry,
            "edit_retry": self._edit_retry,
            "discard": self._discard,
            "retry_all": self._retry_all,
            "discard_all": self._discard_all,
            "skip_held": self._skip_held,
            "edit_held": self._edit_held,
            "replace": self._replace,
            **self._asking.commands,
        }

    def execute(self, command: str, args: Args) -> Done:
        """Carry one out. Raises what the command raises, and `CommandRefused` if there is none of this name."""
        session = self._session_ref()
        if session is None:
            raise CommandRefused("the session of this view is gone")
        if command not in self._commands:
            raise CommandRefused(f"there is no command {preview(command)}")
        return self._commands[command](session, args)

    def use(self, framer: Framer) -> None:
        """Use the rows of another graph, or of another run."""
        self._framer = framer

    def forget(self) -> None:
        """Another run begins: forget what was seen of the one before."""
        with self._lock:
            self._packets = {}

    def nobody_looks(self) -> None:
        """The last page has gone: keep no packets alive, and measure nothing."""
        with self._lock:
            self._packets = {}
        self._measures.stop_all()
        self._asking.close()

    def stop_measuring(self) -> None:
        """Measure nothing any more."""
        self._measures.stop_all()

    def breakpoints(self) -> tuple[list[int], int]:
        """The rows that have breakpoints of these pages, and how often these have been met."""
        framer, found = self._framer, [each for _, each, _ in self._breakpoints.all()]
        rows = sorted({framer.row(each.task) for each in found}) if framer is not None else []
        return rows, sum(each.hits for each in found)

    # ── the job ──

    def _run(self, session: Session, _: Args) -> Done:
        session.start()
        return Done("session.start()", "started")

    def _start_paused(self, session: Session, _: Args) -> Done:
        session.start(paused=True)
        return Done("session.start(paused=True)", "started, every gate closed")

    def _stop(self, session: Session, _: Args) -> Done:
        session.stop()
        return Done("session.stop()", "sources end, what is under way is processed")

    def _cancel(self, session: Session, _: Args) -> Done:
        session.cancel()
        return Done("session.cancel()", "what is queued is dropped")

    def _pause(self, session: Session, args: Args) -> Done:
        names = _names(args)
        at_work = session.pause(*names, timeout=STEP_S)
        text = f"paused; still in user code: {', '.join(at_work)}" if at_work else "paused"
        return Done(f"session.pause({_listed(names)})", text)

    def _resume(self, session: Session, args: Args) -> Done:
        names = _names(args)
        session.resume(*names)
        return Done(f"session.resume({_listed(names)})", "resumed")

    def _step(self, session: Session, args: Args) -> Done:
        names = _names(args)
        step = session.step(*names, timeout=STEP_S)
        self._remember(step.packets)
        return Done(f"session.step({_listed(names)})", str(step), stepped(step))

    def _goto(self, session: Session, args: Args) -> Done:
        turn = int(args["turn"])
        session.goto(turn)
        return Done(f"session.goto({turn})", f"functions have run again, from the start to turn {turn:,}")

    def _events(self, session: Session, args: Args) -> Done:
        end, events = session.events_since(int(args.get("first", 0)))
        framer = self._framer
        found = framer.event_cards(events) if framer is not None else []
        return Done(result=Events(first=found[0]["number"] if found else end, events=found))

    def _frames(self, _: Session, _args: Args) -> Done:
        framer = self._framer
        return Done(result=Frames(frames=self.frame_history.of(framer.revision) if framer is not None else []))

    def _past(self, session: Session, _: Args) -> Done:
        framer = self._framer
        return Done(result=Past(rows=[], until_s=0.0, note="") if framer is None else framer.past(session))

    # ── queues ──

    def _peek(self, session: Session, args: Args) -> Done:
        task = str(args["task"])
        view = session.peek(task, int(args.get("first", 100)), int(args.get("last", 0)))
        self._remember(view)
        return Done(result=queue_of(view))

    def _edit(self, session: Session, args: Args) -> Done:
        packet, typed = self._packet(args), _typed(args)
        session.edit(packet, typed.value)
        line = change_of(session, "edit", packet, typed.source)
        return Done(line, f"{packet.text} is {preview(typed.value)} now")

    def _drop(self, session: Session, args: Args) -> Done:
        packet = self._packet(args)
        session.drop(packet)
        return Done(change_of(session, "drop", packet), f"{packet.text} is dropped")

    def _move(self, session: Session, args: Args) -> Done:
        packet, to = self._packet(args), int(args["to"])
        session.move(packet, to)
        return Done(change_of(session, "move", packet), f"{packet.text} is at index {to} of its lane")

    def _back(self, session: Session, _: Args) -> Done:
        return Done("session.back()", f"taken back: {'; '.join(session.back(timeout=STEP_S))}")

    def _undo(self, session: Session, _: Args) -> Done:
        session.undo()
        return Done("session.undo()", "the last change is taken back")

    def _inject(self, session: Session, args: Args) -> Done:
        target, typed, number = str(args["task"]), _typed(args), int(args.get("input", 0))
        session.inject(target, typed.value, input=number if _has_several_inputs(session, target) else None)
        line = inject_of(session, target, typed.value, typed.source)
        return Done(line, f"{preview(typed.value)} is in the queue of {target}")

    def _full(self, _: Session, args: Args) -> Done:
        return Done(result=full_text_of(self._packet(args).payload))

    def _why(self, session: Session, args: Args) -> Done:
        origin = session.why(*self._asked_about(session, args))
        return Done(text=origin.text, result=origin_card(origin))

    def _asked_about(self, session: Session, args: Args) -> tuple[Any, int | None]:
        """What is asked where it comes from: a value of a result, a letter, what is held, the failure, a packet."""
        if "result" in args:
            return session.graph.by_name[str(args["result"])].options["into"], int(args["index"])
        if "number" in args:
            return session.dead_letters[_letter_at(session, args)], None
        if "place" in args:
            return held_of(session, str(args["task"]), args["place"])[1], None
        return session.failure if "failure" in args else self._packet(args), None

    def _as_test(self, session: Session, _: Args) -> Done:
        return Done(result=Text(text=as_test(session), kind="test", cut=0))

    # ── a task ──

    def _task(self, session: Session, args: Args) -> Done:
        task = str(args["task"])
        snapshot = session.snapshot()
        spent = {**snapshot.tasks.spent(), **snapshot.spent_by_services}
        operators = session.graph.by_name
        name = task.rpartition("#")[0] if task not in operators else task
        more = {"thread": found} if (found := chain_of(task, snapshot.chains)) else {}
        if name in operators and operators[name].on_error != "fail":
            more["on error"] = str(operators[name].on_error)
        facts = snapshot.tasks.get(task) or snapshot.services.get(task)
        card = task_card(task, facts, more, spent.get(task, NO_TIME))
        card["last_error"] = _last_error(session, task)
        measure = self._measures.of(task)
        card["measuring"] = measure is not None
        card["latency"] = measure.latency() if measure is not None else None
        return Done(result=card)

    def _measure(self, session: Session, args: Args) -> Done:
        task, on = str(args["task"]), bool(args["on"])
        if on:
            self._measures.begin(session, task)
            return Done(text=f"measuring {task}: slower while it lasts")
        self._measures.stop(task)
        return Done(text=f"{task} is measured no more")

    def _state(self, session: Session, args: Args) -> Done:
        return Done(result=state_of(session.state(str(args["task"]))))

    def _profile(self, session: Session, args: Args) -> Done:
        task = str(args["task"])
        profile = session.profile(task, PROFILE_S)
        line = f"print(session.profile({task!r}, seconds={PROFILE_S:g}))"
        return Done(line, f"{task}: {profile.looks:,} looks", profile_card(profile))

    def _breakpoint(self, session: Session, args: Args) -> Done:
        task, when = str(args["task"]), str(args.get("when", "")).strip()
        self._breakpoints.add(session, task, when)
        condition = f", when=lambda value: {when}" if when else ""
        line = f"session.breakpoint({task!r}{condition})"
        return Done(line, f"the job pauses before such a packet of {task}", self._breakpoints.cards())

    def _remove_breakpoint(self, _: Session, args: Args) -> Done:
        self._breakpoints.remove(int(args["id"]))
        return Done("breakpoint.remove()", "the breakpoint is removed", self._breakpoints.cards())

    def _list_breakpoints(self, _: Session, _args: Args) -> Done:
        return Done(result=self._breakpoints.cards())

    # ── services ──

    def _form(self, session: Session, args: Args) -> Done:
        return Done(result=form_of(session, str(args["service"])))

    def _call(self, session: Session, args: Args) -> Done:
        service, method = str(args["service"]), str(args.get("method", ""))
        made = call_of(session, service, method, args.get("values") or {})
        reply = session.call(service, *made.args, method=made.method, **made.kwargs)
        return Done(made.python, preview(reply), text_of(reply))

    # ── dead letters ──

    def _letters(self, session: Session, args: Args) -> Done:
        return Done(result=all_letters_of(session, args.get("about")))

    def _retry(self, session: Session, args: Args) -> Done:
        place = _letter_at(session, args)
        session.dead_letters.retry(place)
        return Done(f"session.dead_letters.retry({place})", "back in its queue", all_letters_of(session))

    def _edit_retry(self, session: Session, args: Args) -> Done:
        place, typed = _letter_at(session, args), _typed(args)
        session.dead_letters.retry(place, value=typed.value)
        text = repr(typed.value) if typed.source is None else typed.source.text
        line = f"session.dead_letters.retry({place}, value={text})"
        return Done(line, f"{preview(typed.value)} is in its queue", all_letters_of(session))

    def _discard(self, session: Session, args: Args) -> Done:
        place = _letter_at(session, args)
        session.dead_letters.discard(place)
        return Done(f"session.dead_letters.discard({place})", "forgotten", all_letters_of(session))

    def _retry_all(self, session: Session, _: Args) -> Done:
        number = session.dead_letters.retry_all()
        return Done("session.dead_letters.retry_all()", f"{number:,} back in their queues", all_letters_of(session))

    def _discard_all(self, session: Session, _: Args) -> Done:
        number = session.dead_letters.discard_all()
        return Done("session.dead_letters.discard_all()", f"{number:,} forgotten", all_letters_of(session))

    # ── what is held ──

    def _skip_held(self, session: Session, args: Args) -> Done:
        place, held = held_of(session, str(args["task"]), args["place"])
        held.skip()
        return Done(f"session.held[{place}].skip()", "skipped: it is a dead letter", all_letters_of(session))

    def _edit_held(self, session: Session, args: Args) -> Done:
        place, held = held_of(session, str(args["task"]), args["place"])
        typed = _typed(args)
        held.edit(typed.value)
        line = f"session.held[{place}].edit({repr(typed.value) if typed.source is None else typed.source.text})"
        return Done(line, f"{preview(held.packet)} is {preview(typed.value)} now", all_letters_of(session))

    def _replace(self, session: Session, args: Args) -> Done:
        operator = str(args["operator"])
        line = replace_from_cell(session, operator)
        return Done(line, f"{operator} has another function: resume to try again", all_letters_of(session))

    # ── inside ──

    def _remember(self, packets: Sequence[Packet]) -> None:
        with self._lock:
            for packet in packets:
                self._packets.pop(token_of(packet), None)
                self._packets[token_of(packet)] = packet
            while len(self._packets) > MAX_PACKETS:
                del self._packets[next(iter(self._packets))]

    def _packet(self, args: Args) -> Packet:
        with self._lock:
            packet = self._packets.get(str(args["token"]))
        if packet is None:
            raise PacketGone("this packet was shown too long ago; look into the queue again")
        return packet


def _has_several_inputs(session: Session, target: str) -> bool:
    """Whether a task, or an operator, has more than one input; false of what is none."""
    operators = session.graph.by_name
    operator = target if target in operators else target.rpartition("#")[0]
    return operator in operators and len(session.graph.input_numbers(operator)) > 1


def _letter_at(session: Session, args: Args) -> int:
    """The index of the letter of this number. Raises `CommandRefused`."""
    number = int(args["number"])
    places = [place for place, letter in enumerate(session.dead_letters) if letter.number == number]
    if not places:
        raise CommandRefused("this letter is not here any more: it was retried or discarded already")
    return places[0]


def _last_error(session: Session, task: str) -> str:
    """What user code of a task raised last, or nothing."""
    for event in reversed(session.events):
        if event.task == task and event.kind in ("error", "skip"):
            return shown(event.text)
    return ""


def _typed(args: Args) -> Typed:
    return typed(str(args["value"]), as_python=args.get("as_python") is True)


def _names(args: Args) -> tuple[str, ...]:
    name = str(args.get("name") or "")
    return (name,) if name else ()


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))
