"""GoingBack: steps and changes made by hand taken back, the newest first."""

from __future__ import annotations

from runtime.back.journal import Journal
from runtime.back.turn import TaskTurn
from runtime.control.records import Record, Records
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import CommandRefused, NotPaused, TaskEnded
from runtime.scheduling.waiting import Until, Waiting

_Entry = TaskTurn | Record


class GoingBack:
    """Takes back what was done to one run by hand since the last resume. Only the thread of commands does."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers, records: Records, journal: Journal) -> None:
        self._dispatcher, self._workers = dispatcher, workers
        self._records, self._journal = records, journal
        self._controls = [handle.control for handle in workers.handles.values()]
        self._remembers = [control.remember_by(journal.memory_of) for control in self._controls]
        self._is_at_it = False

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
                self._require_rest()
                try:
                    texts += yield from self._take_back_last(force=force)
                except CommandRefused as refusal:
                    if texts:
                        refusal.add_note(f"{len(texts)} of {n} were taken back: {', '.join(texts)}")
                    raise
            yield self._workers.until(lambda: all(control.rests() for control in self._controls), deadline)
        finally:
            self._is_at_it = False
        return tuple(texts)

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
        entries: list[_Entry] = [*turns, *records.changes_since(first - 1)]
        entries.sort(key=lambda each: -(each.number if isinstance(each, TaskTurn) else each.number[0]))
        self._refuse(turns, records.others_since(first), force=force)
        texts = []
        for entry in entries:
            if isinstance(entry, TaskTurn):
                texts += self._take_back_turn(entry)
            else:
                assert entry.back is not None, "it has one"
                yield from entry.back()
                records.forget(entry)
                texts.append(entry.text)
                self._dispatcher.edited(entry.where, f"back: {entry.text}")
        return texts

    def _refuse(self, turns: list[TaskTurn], others: list[Record], *, force: bool) -> None:
        for turn in turns:
            if turn.ended is None:
                raise CommandRefused(f"{turn.task.name!r} has a packet half sent; step() it until that is done")
            if turn.barred:
                raise CommandRefused(f"a step of {turn.task.name!r} cannot be taken back: {'; '.join(turn.barred)}")
            if not self._dispatcher.dead_letters.has_last(turn.skipped):
                raise CommandRefused(f"the packet that {turn.task.name!r} skipped was retried or discarded since")
            if turn.lost and not force:
                raise CommandRefused(
                    f"a step of {turn.task.name!r} cannot be taken back as a whole: {'; '.join(turn.lost)}; "
                    "back(force=True) takes back the rest"
                )
        if others and not force:
            raise CommandRefused(
                f"{others[0].text} cannot be taken back; back(force=True) goes past it, and lets it be"
            )

    def _take_back_turn(self, turn: TaskTurn) -> list[str]:
        self._journal.take_back(turn)
        self._dispatcher.taken_back(turn.task.name, had_ended=turn.ending is not None, skipped=turn.skipped)
        for record in turn.steps:
            self._records.forget(record)
        texts = [record.text for record in reversed(turn.steps)] or [f"{turn.task.name}: a turn"]
        for text in texts:
            self._dispatcher.edited(turn.task.name, f"back: {text.removeprefix(f'{turn.task.name}: ')}")
        return texts
