"""EndpointLanes: the ends of lanes that one process has: the queues that are read here, and the lanes filled here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from runtime.communication.inbox import shares
from runtime.communication.lane import Lane, LaneSpec
from runtime.remote.acknowledgements import Acknowledgement, Acknowledgements
from runtime.remote.arrivals import Arrivals
from runtime.remote.by_value import Encoded
from runtime.remote.channel import Message
from runtime.remote.remote_lane import Address, Mark, Outbox, Packets
from runtime.remote.weights import Weight, Weights, WholeWeights
from runtime.scheduling.parker import Waiter

if TYPE_CHECKING:
    from runtime.remote.endpoint import Endpoint

SLOW_S: Final = 0.005
"""How long a lane may be full before its writer hears what has left of it, though that is less than half."""

SOON_S: Final = 5.0
"""How long what happens at once may take, unless somebody has died."""


class EndpointLanes:
    """Ends of lanes, for the tasks of one process. It is what `Arrivals` tell their writers by."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.has_full = False  # some lane that is read here
        self._endpoint = endpoint
        self._inboxes: dict[str, Arrivals] = {}
        self._outboxes: dict[Address, Outbox] = {}
        self._acknowledgements = Acknowledgements(endpoint)
        self._weights: Weights | None = None  # of a job whose packets say to which question they belong

    def weigh_by(self, weights: Weights) -> None:
        """Packets say to which question they belong. Before any lane is made here; the first time counts."""
        self._weights = self._weights or weights

    def inbox(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> Arrivals:
        """The queue of a task that runs here, the same at every call."""
        inbox = self._inboxes.get(task)
        if inbox is None:
            inbox = self._inboxes[task] = Arrivals(task, capacity, lanes, self)
        return inbox

    def open_lane(self, address: Address, spec: LaneSpec, capacity: int, producers: int, writer: Waiter) -> Lane:
        """The writer's end of a lane, for a task that runs here."""
        share, _ = shares(capacity, producers)
        outbox = self._outboxes[address] = Outbox(address, spec, share, writer, self._endpoint.codec, self._weights)
        self._endpoint.carry(outbox)
        return outbox.lane

    def outboxes(self) -> list[Outbox]:
        """All lanes that are filled here."""
        return list(self._outboxes.values())

    @property
    def acknowledged(self) -> int:
        """How much was acknowledged so far in answers to parcels."""
        return self._acknowledgements.sent

    def put_counts(self) -> dict[Address, int]:
        """How many packets were put into each lane that is filled here."""
        return {address: box.lane.taken + len(box.lane.items) for address, box in self._outboxes.items()}

    def look_up(self) -> None:
        """Some lane was full for a while: let all writers know what has left."""
        self.has_full = False
        for inbox in self._inboxes.values():
            inbox.look_up()

    # ── what readers here tell writers ──

    def acknowledge_to(self, producer: str, lane: Address, taken: int, much: bool) -> None:
        """Let whoever fills a lane that is read here know how many packets of it have left in all."""
        self._acknowledgements.acknowledge(self._endpoint.process_of(producer), (lane, taken), much)

    def give_back_to(self, producer: str, lane: Address) -> None:
        """Return a credit that the writer of a lane has lent."""
        self._endpoint.post(self._endpoint.process_of(producer), ("return credit", lane))

    def note_full(self) -> None:
        """A lane read here is full: if it stays so, let its writer know what has left all the same."""
        if not self.has_full:
            self.has_full = True
            self._endpoint.call_carrier()

    def answer(self, sender: str, messages: list[Message]) -> list[Acknowledgement]:
        """What is acknowledged by the answer to a parcel: if it has filled a lane, this waits a moment for that."""
        filled = (said[0].lane for verb, *said in messages if verb == "packets")
        if any(self._inboxes[task].is_filled(number) for task, number in filled):
            return self._acknowledgements.wait(sender, SLOW_S)
        return []

    # ── what comes from elsewhere ──

    def _arrives(self, parcel: Packets | Mark) -> None:
        self._inboxes[parcel.lane[0]].take_in(parcel, self._endpoint.codec, self._weights)

    def _weight(self, number: int, part: Weight, errors: Encoded | None) -> None:
        assert isinstance(self._weights, WholeWeights), "the driver is the one that is told"
        self._weights.come_back(number, part, errors)

    def acknowledge(self, lane: Address, taken: int) -> None:
        """So many packets of a lane that is filled here have left at its reader, in all."""
        self._outboxes[lane].acknowledge(taken)

    def _return_credit(self, lane: Address) -> None:
        self._outboxes[lane].return_credit()

    def take_back(self, lane: Address) -> bool:
        """A packet is put back at the reader of a lane that is filled here: count it again, if there is room."""
        self._endpoint.let_land(lane[0], SOON_S)  # what was acknowledged before it was put back
        return self._outboxes[lane].take_back()

    def grant_credit(self, lane: Address) -> bool:
        """Give the hand of the reader of a lane that is filled here credit for one packet."""
        return self._outboxes[lane].grant_credit()


LANE_HANDLERS: Final[dict[str, Callable[..., None]]] = {
    "packets": EndpointLanes._arrives,
    "signal": EndpointLanes._arrives,
    "ack": EndpointLanes.acknowledge,
    "return credit": EndpointLanes._return_credit,
    "weight": EndpointLanes._weight,
}
"""What takes in a message that is about a lane, by its verb: of the lanes, and what it says."""
