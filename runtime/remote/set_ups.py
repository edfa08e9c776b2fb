"""Set-ups that wait for each other across processes. Knows open calls and messages, not who makes or carries them.

Time stands still for calls to a service that is not set up, so set-ups that wait for each other in a circle would do
so for ever. No process sees more of a circle than its own calls. So a question travels along them: *a request of
root's set-up waits until this service is set up; does that wait for root?* Each process that hears it passes it on
along the calls that it has open for that set-up; where it comes to a service that is itself being set up, it is about
that. Where one leads to root, the circle is closed; if root is still being set up when it hears so, the process with
the request is told to refuse it. (Edge chasing, as Chandy, Misra and Haas describe it for deadlocks of resources.)
"""

from __future__ import annotations

from typing import NamedTuple

from runtime.communication.calls import Ledger
from runtime.remote.channel import Peers


class Probe(NamedTuple):
    """Whether the set-up of `awaited` waits for that of `root`; if so, `asker` refuses `request`, which is for it."""

    asker: str
    request: tuple[str, int]
    root: str
    awaited: str


class SetUps:
    """What one process knows of who waits for whose set-up. All is called under the ledger's lock.

    Whichever call of a circle is made last, its request starts a question that finds the others open.
    """

    def __init__(self, name: str, ledger: Ledger, peers: Peers) -> None:
        self._name, self._ledger, self._peers = name, ledger, peers
        self._roots: set[str] = set()  # whose set-ups have asked here; perhaps they are done by now
        self._passed: set[tuple[str, Probe]] = set()

    def note(self, root: str) -> None:
        """A request has come that is for root's set-up."""
        self._roots.add(root)

    def is_for_one(self, root: str) -> bool:
        """Whether a call made here, of which `root` is the outermost caller, may be for its set-up."""
        return root in self._roots or (root == self._name and self._is_in_set_up())

    def begin(self, request: tuple[str, int], root: str) -> None:
        """A request of root's set-up waits here: the service is not set up itself."""
        self.follow(Probe(self._name, request, root, self._name))

    def follow(self, probe: Probe) -> None:
        """A question has come: pass it on along the calls that are open here."""
        if self._is_in_set_up():
            probe = probe._replace(awaited=self._name)
        for call in self._ledger.open:
            service = call.request.service
            if call.request.callers[0] != probe.awaited or service == self._name:
                continue
            if (service, probe) not in self._passed:
                self._passed.add((service, probe))
                self._peers.post(service, ("leads back" if service == probe.root else "waits", probe))

    def confirm(self, probe: Probe) -> None:
        """A question of the set-up here has come back: who asked it may refuse the request, if it is not done yet."""
        if self._is_in_set_up():
            self._peers.post(probe.asker, ("circle", probe))

    def _is_in_set_up(self) -> bool:
        return any(queue.service == self._name and not queue.is_set_up for queue in self._ledger.queues)
