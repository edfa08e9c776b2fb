"""What the hand does with waiting packets, in any order: each is found again by what `peek` has shown once."""

from __future__ import annotations

from random import Random

import pytest

from runtime import Packet, PacketGone, Session
from tests.pairs import of_every_seed

CHANGES = 25


def payloads(session: Session) -> list[int]:
    return [packet.payload for packet in session.peek("work")]


@of_every_seed(100)
def test_a_packet_is_found_again_behind_any_edits_drops_moves_and_undos(seed: int) -> None:
    dice = Random(seed)
    got: list[int] = []
    with Session(capacity=8) as session:
        source = session.source(range(20), name="source")
        source.map(lambda value: value, name="work").sink(got.append)
        session.start(paused=True)
        for _ in range(6):
            session.step("source")
        handles = list(session.peek("work"))
        waiting = list(range(6))  # which of the handles, in the order that is expected
        value = {number: number for number in waiting}
        undone: list[tuple[list[int], dict[int, int]]] = []
        for _ in range(CHANGES):
            if waiting and dice.random() < 0.1:
                assert session.step("work").packet == Packet(value[waiting[0]], task="work", producer="source")
                del waiting[0]
                undone.clear()  # that undo works behind it too is tried in the machine: here, places are to be exact
                continue
            before = list(waiting), dict(value)
            change = dice.choice((edit, drop, move))
            if undone and dice.random() < 0.4:
                session.undo()
                waiting, value = undone.pop()
            elif waiting:
                change(session, dice, handles, waiting, value)
                undone.append(before)
            assert payloads(session) == [value[number] for number in waiting]
            for number in set(range(6)) - set(waiting):
                with pytest.raises(PacketGone):
                    session.edit(handles[number], -1)
        while undone:
            session.undo()
            waiting, value = undone.pop()
            assert payloads(session) == [value[number] for number in waiting]
        session.cancel()


Handles = list[Packet]


def edit(session: Session, dice: Random, handles: Handles, waiting: list[int], value: dict[int, int]) -> None:
    number = dice.choice(waiting)
    value[number] += 100
    session.edit(handles[number], value[number])


def drop(session: Session, dice: Random, handles: Handles, waiting: list[int], value: dict[int, int]) -> None:
    number = dice.choice(waiting)
    session.drop(handles[number])
    waiting.remove(number)


def move(session: Session, dice: Random, handles: Handles, waiting: list[int], value: dict[int, int]) -> None:
    number, to = dice.choice(waiting), dice.randrange(len(waiting))
    session.move(handles[number], to)
    waiting.remove(number)
    waiting.insert(to, number)
