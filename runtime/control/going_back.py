"""GoingBack: steps and changes made by hand taken back, the newest first."""

from __future__ import annotations

from runtime.back.journal import Journal
from runtime.back.turn import TaskTurn
from runtime.control.records import Record, Records
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import CommandRefused, NotPaused, TaskEnded
from runtime.scheduling.waiting import Until, Waiting


class GoingBack:
    """Takes back what was done to one run by hand since the last resume. Only the thread of commands does."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers, records: Records, journal: Journal) -> None:
        self._dispatcher, self._workers = dispatcher, workers
        self._records, self._journal = records, journal
        self._controls = [handle.control for handle in workers.handles.values()]
        self._remembers = [control.remember_by(journal.memory_of) for control in self._controls]
        self._is_at_it = False
        self._passed: set[Record] = set()  # that stay as they are

    def back(self, n: int, deadline: float, *, force: bool) -> Waiting[tuple[str, ...]]:
        """Take back the last `n` steps and changes. What they were, the newest first.

        Raises `CommandRefused`, `NotPaused`, `TaskEnded`.
        """
        if not all(self._remembers):
            raise CommandRefused('back() needs the tasks in this process; on Ray run again, with platform="local"')
        yield Until(lambda: not self._is_at_it, watched=False)
        self._is_at_it = True
        try:
            texts: list[str] = []
            while len(texts) < n:
                yield from self._come_to_rest(deadline)  # a task that had ended has to come to its gate again
                self._require_rest()
                try:
                    texts += yield from self._take_back_last(force=force)
                except CommandRefused as refusal:
                    if texts:
                        refusal.add_note(f"{len(texts)} of {n} were taken back: {', '.join(texts)}")
                    raise
            yield from self._come_to_rest(deadline)
        finally:
            self._is_at_it = False
        return tuple(texts)

    def _come_to_rest(self, deadline: float) -> Waiting[bool]:
        return (yield self._workers.until(lambda: all(control.rests() for control in self._controls), deadline))

    def release(self) -> None:
        """After the end: forget what could be taken back."""
        self._passed.clear()
        self._journal.forget("the job has ended")

    def _require_rest(self) -> None:
        if self._dispatcher.outcome is not None or self._dispatcher.tally.is_cancelled:
            raise TaskEnded("the job has ended, or is cancelled, and cannot go back; start() it again")
        for handle, worker in zip(
            self._workers.handles.values(), self._workers.now(list(self._workers.handles.values())), strict=True
        ):
            if handle.name not in self._dispatcher.tasks or handle.name not in self._dispatcher.tally.running:
                continue
            if not worker.is_paused:
                raise NotPaused(f"{handle.name!r} is not paused; pause() all tasks before you go back")
            if not worker.waits_at_gate and not worker.is_in_place:
                raise CommandRefused(
                    f"{handle.name!r} has a packet half sent, or is in user code; step() it until that is done, "
                    "then go back"
                )

    def _take_back_last(self, *, force: bool) -> Waiting[list[str]]:
        journal, records = self._journal, self._records
        last_change = records.last_change()
        newest = max(journal.newest, -1 if last_change is None else last_change.number[0])
        if newest <= journal.since:
            raise CommandRefused(f"there is nothing to go back to: {journal.why}")
        first = journal.first_of(newest)
        turns = journal.since_number(first)
        changes = records.changes_since(first - 1)
        if len(turns) + len(changes) > 1 and changes:
            raise CommandRefused("something was changed by hand while a packet was half sent; undo() takes that back")
        others = [each for each in records.others_since(first) if self._is_in_the_way(each)]
        self._refuse(turns, others, force=force)
        self._passed.update(others)
        if not changes:
            return self._take_back_turns(turns)
        (change,) = changes
        assert change.back is not None, "it has one"
        yield from change.back()
        records.forget(change)
        self._dispatcher.edited(change.where, f"back: {change.text}")
        return [change.text]

    def _is_in_the_way(self, record: Record) -> bool:
        """Whether it says of something that it was done, and cannot be taken back: a replacement, a service's step."""
        return record not in self._passed and (record.name != "step" or record.where not in self._dispatcher.tasks)

    def _refuse(self, turns: list[TaskTurn], others: list[Record], *, force: bool) -> None:
        for turn in turns:
            if turn.ended is None:
                raise CommandRefused(f"{turn.task.name!r} has a packet half sent; step() it until that is done")
            if turn.barred:
                raise CommandRefused(f"a step of {turn.task.name!r} cannot be taken back: {'; '.join(turn.barred)}")
            if turn.lost and not force:
                raise CommandRefused(
                    f"a step of {turn.task.name!r} cannot be taken back as a whole: {'; '.join(turn.lost)}; "
                    "back(force=True) takes back the rest"
                )
        if not self._dispatcher.dead_letters.has_last(sum(turn.skipped for turn in turns)):
            raise CommandRefused("a packet that was skipped has been retried or discarded since")
        if others and not force:
            what = f"{others[0].where}: {others[0].text.removeprefix(f'{others[0].where}: ')}"
            raise CommandRefused(f"{what!r} cannot be taken back; back(force=True) goes past it, and lets it be")

    def _take_back_turns(self, turns: list[TaskTurn]) -> list[str]:
        self._journal.take_back(turns)
        texts = []
        for turn in turns:
            name = turn.task.name
            self._dispatcher.taken_back(name, had_ended=turn.ending is not None, skipped=turn.skipped)
            for record in turn.steps:
                self._records.forget(record)
        told = sorted(
            (record for turn in turns for record in turn.steps), key=lambda record: record.number, reverse=True
        )
        texts = [record.text for record in told]
        for record in told:
            self._dispatcher.edited(record.where, f"back: {record.text.removeprefix(f'{record.where}: ')}")
        return texts or [f"{turn.task.name}: a turn" for turn in turns]
