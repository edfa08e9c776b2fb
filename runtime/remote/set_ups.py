"""Set-ups that wait for each other across processes. Knows open calls and messages, not who makes or carries them.

Time stands still for calls to a service that is not set up, so set-ups that wait for each other in a circle would do so
for ever. No process sees more of a circle than its own calls. So a question travels along them: *a request of root's
set-up waits here until these services are set up; does one of them wait for root?* Each process adds the calls that it
has open for any of them and passes it on, also along calls that it makes later. Where such a call leads to root, the
circle is closed, and the process with the request is told to refuse it. (Edge chasing, as Chandy, Misra and Haas
describe it for deadlocks of resources.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from runtime.communication.calls import Call, Ledger


class Quest(NamedTuple):
    """Whether the set-ups of `awaited` wait for that of `root`; a request waits for that at service `asker`."""

    asker: str
    request: tuple[str, int]
    root: str
    awaited: frozenset[str]


class SetUps:
    """What one process knows of who waits for whose set-up. All but `make` is called under the ledger's lock."""

    def __init__(self, name: str, ledger: Ledger, send: Callable[[str, str, Quest], None]) -> None:
        self._name, self._ledger = name, ledger
        self._send = send  # to whom, which verb, what
        self._roots: set[str] = set()  # whose set-ups ask here
        self._quests: list[Quest] = []  # for as long as they may matter: a job has few set-ups
        self._passed: set[tuple[str, Quest]] = set()

    def note(self, root: str, in_set_up: bool) -> None:
        """A request has come that is for root's set-up, or, in its name, is not."""
        (self._roots.add if in_set_up else self._roots.discard)(root)

    def is_for_one(self, root: str) -> bool:
        """Whether a call made here, of which `root` is the outermost caller, is for its set-up."""
        return root in self._roots or (root == self._name and self._is_in_set_up())

    def begin(self, request: tuple[str, int], root: str) -> None:
        """A request of root's set-up has come to the service here, which is not set up itself."""
        self.follow(Quest(self._name, request, root, frozenset()))

    def follow(self, quest: Quest) -> None:
        """A question has come: pass it on along the calls that are open here, and those to come."""
        if self._is_in_set_up():
            quest = quest._replace(awaited=quest.awaited | {self._name})
        if quest not in self._quests:
            self._quests.append(quest)
            self._pass_on(quest, self._ledger.open)

    def called(self, call: Call) -> None:
        """A call has been made here."""
        for quest in self._quests:
            self._pass_on(quest, [call])

    def _is_in_set_up(self) -> bool:
        return any(queue.service == self._name and not queue.is_set_up for queue in self._ledger.queues)

    def _pass_on(self, quest: Quest, calls: Iterable[Call]) -> None:
        for call in list(calls):
            service = call.request.service
            if call.request.callers[0] not in quest.awaited or service == self._name:
                continue
            if service == quest.root:
                self._send(quest.asker, "circle", quest)
            elif (service, quest) not in self._passed:
                self._passed.add((service, quest))
                self._send(service, "waits", quest)
