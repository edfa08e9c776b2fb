"""What a task makes, into the lanes of those who consume it: round robin, by hash of a key, broadcast.

Knows no operator. An edge without a key carries bare payloads, a keyed one `(key, payload)`. There are two ways in:
`send`, which looks for room and wakes the reader itself, and for a single unkeyed lane the *window*: some room is
claimed once, and the results of as many packets are appended with nothing but `list.append`. The reader is still woken
by the append: one that goes to sleep sets the writer's `yield_requested`, which the operator reads after each packet,
and `wake_readers` follows at once. If there is nothing to wake it for yet, the rest of the window goes through `put`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import cycle, islice
from typing import Any

from runtime.communication.connection import Output
from runtime.communication.digest import PLAIN_KEYS
from runtime.communication.lane import Lane
from runtime.communication.packet import Bearer, Tracer
from runtime.communication.partition import Partition
from runtime.communication.send_plan import SendPlan
from runtime.communication.signals import Signal
from runtime.errors import NO_PACKET
from runtime.scheduling.parker import Waiter

Send = Callable[[Any], object]


class Router:
    """The outgoing side of one task. Used by that task's thread alone."""

    def __init__(
        self,
        outputs: Sequence[Output],
        writer: Waiter,
        tracer: Tracer | None = None,
        *,
        windows: bool = False,
        hands_over: bool = False,
    ) -> None:
        self.writer = writer
        self.tracer = tracer  # of a traced job: what it sends goes through the plan
        edges = [[connection.open(writer) for connection in output.connections] for output in outputs]
        self.lanes: list[Lane] = [lane for lanes in edges for lane in lanes]
        # The edges, each with its lanes, and whose turn it is where they have turns.
        self.ways = [
            (output, lanes, _turns(output, lanes, writer)) for output, lanes in zip(outputs, edges, strict=True)
        ]
        self._turned = [0] * len(self.ways)  # how many turns of each edge were skipped by hand
        self.failed_on: Any = NO_PACKET  # what the key function that raised was given
        self._partitions: list[Partition[Any]] = []
        self.send: Send
        if isinstance(tracer, Bearer) and self._is_plain and not tracer.is_traced:
            one = self.lanes[0] if hands_over and len(self.lanes) == 1 else None
            self.send = tracer.sender_to_all(self.lanes) if one is None else tracer.sender(one)
        elif tracer is not None:
            self.send = self.plan.send_one
        elif len(edges) != 1 and self._is_plain:
            self.send = _broadcast(self.lanes)
        else:
            self.send = self.by_way[0] if len(self.by_way) == 1 else _to_all(self.by_way)
        # The lane into which results may go by a window.
        self.only = self.lanes[0] if windows and len(self.lanes) == 1 and outputs[0].key is None else None

    def hear_context(self) -> None:
        """What makes its packets may send by itself from now on. Outside of a window."""
        self.only = None
        if isinstance(self.tracer, Bearer) and self._is_plain and not self.tracer.is_traced:
            self.send = self.tracer.sender_to_all(self.lanes)

    @cached_property
    def plan(self) -> SendPlan:
        """The slower way to send: all or nothing, and seen. For tasks that are guarded, traced or looked at."""
        return SendPlan(self)

    @property
    def _is_plain(self) -> bool:
        """Whether all that it sends goes into every lane, without a key."""
        return all(_to_every_lane(output, lanes) for output, lanes, _ in self.ways)

    @cached_property
    def plain_lane(self) -> Lane | None:
        """Into which all goes that is sent, as it is; None if there are several, or keys or traces."""
        is_plain = (
            len(self.lanes) == 1 and self.tracer is None and all(output.key is None for output, _, _ in self.ways)
        )
        return self.lanes[0] if is_plain else None

    @cached_property
    def by_way(self) -> list[Send]:
        """What sends along one edge alone."""
        return [self._edge(output, lanes, turns) for output, lanes, turns in self.ways]

    @cached_property
    def places(self) -> list[Partition[int]]:
        """Of each edge: into which of its lanes a key belongs."""
        places = [Partition(range(len(lanes))) for _, lanes, _ in self.ways]
        self._partitions += places
        return places

    def send_on(self, value: Any, way: int, key: Any) -> None:
        """Send what the first edges, so many, have got along the others. `key`: for the next, if it was asked for."""
        if key is not NO_PACKET:
            lanes = self.ways[way][1]
            lanes[self.places[way].find(key) if len(lanes) > 1 else 0].put((key, value))
            way += 1
        for send in self.by_way[way:]:
            send(value)

    def blame(self, value: Any) -> None:
        """A key function, or what is asked beside it, has raised for `value`; `NO_PACKET`: that is dealt with."""
        self.failed_on = value

    def window(self, count: int) -> tuple[Send, int]:
        """How to send the results of up to `count` packets that make one result at most, and of how many at once.

        Where there is the `only` lane.

        What is returned may be used for that many results and no more, with nothing else sent meanwhile, and until
        `close_window`.
        """
        lane = self.only
        assert lane is not None, "a window is of one lane"
        count = lane.claim_room(count)
        return (self._append(lane), count) if count else (lane.put, 1)

    def window_again(self) -> Send:
        """How to go on within the window, after `yield_requested` has been cleared and `wake_readers` called."""
        assert self.only is not None, "a window is of one lane"
        return self._append(self.only)

    def close_window(self) -> None:
        """Give back what the window claimed and did not use."""
        if self.only is not None:
            self.only.return_claim()

    def held_back_by(self) -> tuple[str, ...]:
        """Any thread: whose full queues it waits for, or which instances, of whom none is free."""
        found = [
            connection.queue.task
            for output, lanes, _ in self.ways
            for connection, lane in zip(output.connections, lanes, strict=True)
            if lane.held_back or (output.free is not None and output.free.keeps(self.writer))
        ]
        return tuple(dict.fromkeys(found))

    def wake_readers(self) -> None:
        """Wake every reader that sleeps while something waits in its lane."""
        for lane in self.lanes:
            if lane.inbox.asleep and lane.items:
                lane.inbox.wake()

    @staticmethod
    def _append(lane: Lane) -> Send:
        # A reader that falls asleep after this look sets yield_requested, which is read after the next packet.
        return lane.put if lane.inbox.asleep else lane.items.append

    def partition(self, lanes: list[Lane]) -> Partition[Lane]:
        """Which of an edge's lanes a key belongs to; what it remembers of keys is let go at the end."""
        partition = Partition(lanes)
        self._partitions.append(partition)
        return partition

    def key_check(self, key: Any) -> type | None:
        """Refuse a key as `send` does, into one lane; or return its type, if all values of that are keys."""
        if (kind := type(key)) in PLAIN_KEYS:
            return kind
        if not self._partitions:
            self.partition(self.lanes)
        self._partitions[0].find(key)
        return None

    def shut(self) -> None:
        """Any thread: let nothing more be sent; what is tried raises Unneeded. The writer is `unneeded` already."""
        for lane in self.lanes:
            lane.shut()

    def send_signal(self, signal: Signal) -> None:
        """Send a signal down every lane, after all that was sent; nothing follows the last one."""
        for lane in self.lanes:
            lane.put_signal(signal)
        if signal.is_last:
            for partition in self._partitions:
                partition.forget()

    def copy(self, key: object) -> tuple[int, ...]:
        """What it remembers, whatever the key: of each edge, which lane is the next if it goes in turn."""
        sent = [sum(lane.taken + len(lane.items) for lane in lanes) for _, lanes, _ in self.ways]
        ways = zip(self.ways, sent, self._turned, strict=True)
        return tuple((count + turned) % len(lanes) for (_, lanes, _), count, turned in ways)

    def restore(self, copied: Sequence[int]) -> None:
        """Let these lanes be the next. Between two packets, as `copy`."""
        for number, (now, wanted) in enumerate(zip(self.copy(None), copied, strict=True)):
            output, lanes, turns = self.ways[number]
            skipped = (wanted - now) % len(lanes) if output.free is None else 0
            for _ in range(skipped):
                next(turns)
            self._turned[number] += skipped

    def withdraw(self, sent: Sequence[tuple[Lane, int, int]]) -> None:
        """Undo what was sent last: so many packets and signals into each lane. Its turns go back as well."""
        packets = {id(lane): count for lane, count, _ in sent}
        for lane, count, signals in sent:
            lane.withdraw(count, signals)
        for output, lanes, turns in self.ways:
            if output.free is None and output.key is None and len(lanes) > 1 and output.strategy != "broadcast":
                sent_here = sum(packets.get(id(lane), 0) for lane in lanes)
                deque(islice(turns, -sent_here % len(lanes)), maxlen=0)

    @property
    def emitted(self) -> int:
        """How many packets have been put on edges so far."""
        return sum([lane.taken + len(lane.items) for lane in self.lanes])

    @property
    def refused(self) -> int:
        """How many packets were made but not accepted, because of a cancel."""
        return sum([lane.refused for lane in self.lanes])

    def _edge(self, output: Output, lanes: list[Lane], turns: Iterator[Lane]) -> Send:
        if output.key is not None:
            return self._by_key(output.key, lanes) if len(lanes) > 1 else self._with_key(output.key, lanes[0])
        if len(lanes) == 1:
            return lanes[0].put
        return _broadcast(lanes) if output.strategy == "broadcast" else _in_turn(turns)

    # In the four below, `Lane.put` is written out: the call would cost as much as all the rest.

    def _by_key(self, key_of: Callable[[Any], Any], lanes: list[Lane]) -> Send:
        partition = self.partition(lanes)
        known = partition.known

        def send(value: Any) -> None:
            try:
                key = key_of(value)
            except BaseException:
                self.failed_on = value
                raise
            try:
                lane = known[type(key)][key]
            except BaseException:  # noqa: BLE001  not seen yet, or its class will not have it as a key
                self.failed_on = value
                lane = partition.find(key)
                self.failed_on = NO_PACKET
            items, inbox = lane.items, lane.inbox
            if len(items) >= lane.capacity:
                lane.wait_room()
            items.append((key, value))
            if inbox.asleep:
                inbox.wake()

        return send

    def _with_key(self, key_of: Callable[[Any], Any], lane: Lane) -> Send:
        items, inbox = lane.items, lane.inbox
        partition = self.partition([lane])  # refuses the same keys as it would among many lanes

        def send(value: Any) -> None:
            try:
                key = key_of(value)
                if type(key) not in PLAIN_KEYS:
                    partition.find(key)
            except BaseException:
                self.failed_on = value
                raise
            if len(items) >= lane.capacity:
                lane.wait_room()
            items.append((key, value))
            if inbox.asleep:
                inbox.wake()

        return send


def _turns(output: Output, lanes: list[Lane], writer: Waiter) -> Iterator[Lane]:
    return cycle(lanes) if output.free is None else output.free.lanes(lanes, writer)


def _to_every_lane(output: Output, lanes: list[Lane]) -> bool:
    return output.key is None and (len(lanes) == 1 or output.strategy == "broadcast")


def _in_turn(turns: Iterator[Lane]) -> Send:
    next_lane = turns.__next__

    def send(value: Any) -> None:
        lane = next_lane()
        items, inbox = lane.items, lane.inbox
        if len(items) >= lane.capacity:
            lane.wait_room()
        items.append(value)
        if inbox.asleep:
            inbox.wake()

    return send


def _broadcast(lanes: list[Lane]) -> Send:
    def send(value: Any) -> None:
        for lane in lanes:
            items, inbox = lane.items, lane.inbox
            if len(items) >= lane.capacity:
                lane.wait_room()
            items.append(value)
            if inbox.asleep:
                inbox.wake()

    return send


def _to_all(sends: list[Send]) -> Send:
    def send(value: Any) -> None:
        for each in sends:
            each(value)

    return send
