"""Plans with more in them: services and their faults, functions that fail and are skipped or tried again. No threads.

All is drawn up front from one number. What a planned function does follows from its payload; what a fault does to a
call is signed by whoever called: each answer comes with its fates, and says with them what it has to be.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import runtime
from tests.drawn_plans import draw_plan
from tests.graph_plans import Plan, Trouble

MOST: Final = 60  # packets on one stream
SOON_S: Final = (0.001, 0.004)  # the time of a call that may be slow, or lose its reply
ENOUGH_S: Final = 10.0  # that of one that cannot

Fate = Literal["reply", "fault", "timeout"]
Fates = tuple[Fate, ...]
"""What became of a call, and, if it was answered, of the call that the service itself made for it, and so on."""


@dataclass(frozen=True)
class Service:
    """Answers with a number for a number; one that `asks` another service makes it part of its own answer."""

    asks: int | None = None
    timeout_s: float = ENOUGH_S
    concurrency: int = 1
    capacity: int = 1


@dataclass(frozen=True)
class Call:
    """A stage asks a service about each of its results, and sends the answer instead.

    Without `policy` it has an answer of its own to a fault; with one, the policy hears of it: that many repeats, then
    the packet is skipped.
    """

    service: int
    timeout_s: float = ENOUGH_S
    asynchronous: bool = False
    policy: Policy | None = None


@dataclass(frozen=True)
class Policy:
    """So many repeats, the first after `backoff_s`, then skip."""

    repeats: int
    backoff_s: float = 0.0

    @property
    def on_error(self) -> runtime.Retry | Literal["skip"]:
        return runtime.Retry(self.repeats, self.backoff_s, then="skip") if self.repeats else "skip"


@dataclass(frozen=True)
class Fragile:
    """A stage that raises, `times` in a row, for every value that `every` divides."""

    every: int
    times: int
    policy: Policy

    def errors(self, value: int) -> int:
        return self.times if value % self.every == 0 else 0

    def gives_up(self, value: int) -> bool:
        return self.errors(value) > self.policy.repeats


@dataclass(frozen=True)
class Faults:
    """What a `FaultInjector` is made with."""

    seed: int
    delays: float = 0.0
    delay_s: float = 0.01
    errors: float = 0.0
    lost: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """A plan, and by node what else is in it."""

    plan: Plan
    services: tuple[Service, ...] = ()
    calls: Mapping[int, Call] = field(default_factory=dict)
    fragile: Mapping[int, Fragile] = field(default_factory=dict)
    faults: Faults | None = None

    def policy_of(self, node: int) -> Policy | None:
        fragile, call = self.fragile.get(node), self.calls.get(node)
        return fragile.policy if fragile is not None else call.policy if call is not None else None


def answer_of(services: tuple[Service, ...], service: int, value: int, fates: Fates) -> int:
    """The answer to a question about `value`, if these were the fates of the calls that it took."""
    if fates[0] != "reply":
        return (value * 11 + (5 if fates[0] == "fault" else 7)) % 109
    own, asks = own_answer(service, value), services[service].asks
    return own if asks is None else both_answers(own, answer_of(services, asks, own, fates[1:]))


def own_answer(service: int, value: int) -> int:
    return (value * (service + 3) + 1) % 109


def both_answers(own: int, inner: int) -> int:
    return (own + inner) % 109


# ── drawing ──


def draw(number: int) -> Schedule:
    """Schedule number `number`: always the same one."""
    rng = random.Random(number)
    troubles = rng.choice(((), (), (), ("raise",), ("stop",), ("cancel",)))
    plan = draw_plan(rng.randint, *troubles, most=MOST)
    faults = None if rng.random() < 0.4 else _faults(rng)
    limits = SOON_S if faults is not None and (faults.lost or faults.delays) else (ENOUGH_S, *SOON_S)
    services = tuple(_service(rng, place, limits) for place in range(rng.choice((0, 1, 2, 2, 3))))
    drawn = Schedule(plan, services, faults=faults)
    return replace(drawn, **_at_nodes(rng, drawn, limits))


def _faults(rng: random.Random) -> Faults:
    probabilities = (0.0, 0.0, 0.1, 0.4)
    delays, errors, lost = (rng.choice(probabilities) for _ in range(3))
    return Faults(rng.randrange(1000), delays, 0.01, errors, lost)


def _service(rng: random.Random, place: int, limits: tuple[float, ...]) -> Service:
    asks = rng.choice((None, place - 1)) if place else None
    return Service(asks, rng.choice(limits), rng.choice((1, 1, 2)), rng.randint(1, 3))


def _policy(rng: random.Random) -> Policy:
    return Policy(rng.randint(0, 2), rng.choice((0.0, 0.000_5)))


def _at_nodes(rng: random.Random, drawn: Schedule, limits: tuple[float, ...]) -> dict[str, Any]:
    """Which nodes call services, and which fail by themselves. One that is to fail the job has no other policy."""
    plan = drawn.plan
    calls: dict[int, Call] = {}
    fragile: dict[int, Fragile] = {}
    stages = list(plan.stages)
    for place, stage in enumerate(plan.stages):
        node = len(plan.sources) + place
        fails = plan.trouble is not None and (plan.trouble.what, plan.trouble.node) == ("raise", node)
        if drawn.services and stage.kind in ("map", "flat_map", "co_map", "join") and rng.random() < 0.6:
            policy = _policy(rng) if stage.kind == "map" and not fails and rng.random() < 0.4 else None
            service = rng.randrange(len(drawn.services))
            calls[node] = Call(service, rng.choice(limits), rng.random() < 0.4, policy)
            stages[place] = replace(stage, as_function=True)
        elif stage.kind not in ("take", "join") and not fails and rng.random() < 0.5:
            fragile[node] = Fragile(rng.randint(2, 5), rng.randint(1, 3), _policy(rng))
    return {"plan": replace(plan, stages=tuple(stages)), "calls": calls, "fragile": fragile}


def in_one_thread(trouble: Trouble | None) -> Trouble | None:
    """A trouble that a seed can repeat."""
    return trouble and replace(trouble, from_another_thread=False)
