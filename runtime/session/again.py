"""Again: an untraced run with a seed, run once more, traced, so that it can be asked where its results come from."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from runtime.builder.collected import Collected
from runtime.control.explaining import Explains
from runtime.errors import CommandRefused, GraphInvalid, TaskFailed
from runtime.history.dead_letters import DeadLetter
from runtime.origins.origin import Origin
from runtime.session.run import Run
from runtime.texts.preview import preview

if TYPE_CHECKING:
    from runtime.builder.environment import Environment
    from runtime.session.session import Session

_WITH_TRACES = "where packets come from is remembered in a traced job only; make the session with trace=True"


class Again:
    """One run, run again. It says of what is of the first run where its equal in the second one comes from."""

    def __init__(self, session: Session, run: Run, environment: Environment) -> None:
        self._dispatcher = run.dispatcher
        settings = {each.name: getattr(environment.settings, each.name) for each in fields(environment.settings)}
        self._session = type(session)(None, **{**settings, "trace": True})
        self._results = environment.hand_over(self._session._runs.environment)
        self._run_again()

    def _run_again(self) -> None:
        with self._session as session:
            session.start()
            with suppress(TaskFailed):  # as the first one has, perhaps
                session.wait()
        if session.turns != self._dispatcher.backend.turns:
            raise CommandRefused(
                "the run was run again, traced, and did not repeat: its functions depend on something else than the "
                f"seed, or something was done by hand; {_WITH_TRACES}"
            )

    def why(self, what: Any, index: int | None) -> Origin:
        """The origin of a result, a letter or a failure of the first run. Raises as `Session.why`."""
        return self._session.why(self._equal(what, index), index)

    def _equal(self, what: Any, index: int | None) -> Any:
        """What is the same in the second run. Raises `CommandRefused` if that is another."""
        if isinstance(what, Collected):
            operators = self._dispatcher.graph.operators
            name = next((node.name for node in operators if node.options.get("into") is what), None)
            if name is None:
                return what
            again = self._results[name]
            if type(index) is int and -len(what) <= index < len(what):
                _require_same(what[index], again[index] if len(again) == len(what) else Collected)
            return again
        if isinstance(what, DeadLetter):
            if what not in list(self._dispatcher.dead_letters):
                raise CommandRefused(f"{what!r} is not here any more, or is of another run; {_WITH_TRACES}")
            return next(each for each in self._session.dead_letters if each.number == what.number)
        if isinstance(what, TaskFailed):
            return what
        raise GraphInvalid(
            f"of a run that was not traced, why is of a result and an index, a dead letter or a TaskFailed, not of "
            f"{preview(what)}; {_WITH_TRACES}"
        )


def again_of(session: Session, run: Run) -> Explains:
    """The run, run again, if it was not yet. Raises `CommandRefused` where it would not repeat."""
    return run.explaining.again(lambda: _run_again(session, run))


def _run_again(session: Session, run: Run) -> Again:
    environment = session._runs.environment
    if environment.settings.seed is None:
        raise CommandRefused(_WITH_TRACES)
    if run.is_live:
        raise CommandRefused(f"a run with a seed is run again, traced, once it has ended; {_WITH_TRACES}")
    if run.records.in_order() or any(operator.traits.is_input for operator in run.dispatcher.graph.operators):
        raise CommandRefused(f"what was done or put in by hand is not repeated by a seed; {_WITH_TRACES}")
    return Again(session, run, environment)


def _require_same(before: Any, again: Any) -> None:
    if preview(before) != preview(again):
        raise CommandRefused(
            f"the run was run again, traced, and came to {preview(again)} where it had come to {preview(before)}: its "
            f"functions depend on something else than the seed; {_WITH_TRACES}"
        )
