"""The experiments about NACK: what becomes of a message that is refused, and of those before it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from mqctl.experiments.answers import Property
from mqctl.experiments.cases import (
    AT_LEAST_ONCE,
    INTACT,
    Case,
    Planner,
    controlled,
    judged,
    prefetch_of,
    publishing,
    unsimulated,
)
from mqctl.experiments.plan import ConsumerPlan, Ground, Params, Plan
from mqctl.model import AckMode, Dialect

NACK_EVERY: Final = 10
HELD: Final = 8
"""So many wait for one acknowledgement in mode client: some when one of them is refused, and not always as many."""


class Nack(NamedTuple):
    """What NACK means at a broker: whether the message comes again, and in words."""

    returns: bool
    text: str


Nacks = Mapping[Dialect | None, Nack]

NACKS: Final[Nacks] = MappingProxyType(
    {
        Dialect.CLASSIC: Nack(False, "goes to the dead-letter queue at once, if it is persistent, and comes no more"),
        Dialect.ARTEMIS: Nack(False, "is acknowledged by it: gone"),
        Dialect.RABBITMQ: Nack(True, "is put back, and comes again"),
        Dialect.HUB: Nack(True, "comes again, several times at most"),
    }
)
"""In mode client-individual, by broker; docs/brokers.md has more."""

_ALL_AGAIN: Final = Nack(True, "comes again, with all before it that was not acknowledged")

CLIENT_NACKS: Final[Nacks] = MappingProxyType(
    {
        Dialect.CLASSIC: Nack(False, "goes to the dead-letter queue alone: what came before waits to be acknowledged"),
        Dialect.ARTEMIS: Nack(False, "is acknowledged by it, with all before it: gone"),
        Dialect.RABBITMQ: _ALL_AGAIN,
        Dialect.HUB: _ALL_AGAIN,
    }
)
"""In mode client, where the protocol has it refuse all before it too (STOMP 1.2, NACK)."""


def _refusing(name: str, ack: AckMode, nacks: Nacks) -> Planner:
    def plan(params: Params, ground: Ground, rng: random.Random) -> Plan:
        queue, nack = ground.queue(params), nacks[ground.dialect]
        usual = (*AT_LEAST_ONCE, Property.REDELIVERY) if nack.returns else INTACT
        expect, together = judged(params, usual), ack is AckMode.CLIENT
        consumer = ConsumerPlan(
            name="c1",
            topic=queue,
            ack=ack,
            ack_batch=HELD if together else 1,
            nack_every=NACK_EVERY,
            nack_returns=nack.returns,
            nack_covers=nack.returns and together,
            prefetch=prefetch_of(ground) if together else None,
        )
        return Plan(
            name=name,
            mode="client" if together else "client-individual",
            producers=publishing(params, ground, queue, 1, persistent=True),
            consumers=[controlled(rng, consumer, expect, params.messages)],
            expect=expect,
        )

    return plan


def _known(_params: Params, ground: Ground) -> str:
    if ground.protocol != "stomp":
        return f"{ground.protocol.upper()} cannot refuse a message"
    return "" if ground.dialect in NACKS else "it is not known what NACK means here: say which broker with --dialect"


def _meaning(nacks: Nacks) -> Callable[[Ground], str]:
    return lambda ground: f"what is refused {nacks[ground.dialect].text}"


NACK: Final = Case(
    name="nack",
    line="what becomes of a message that is refused",
    plan=_refusing("nack", AckMode.INDIVIDUAL, NACKS),
    lacks=_known,
    expected=_meaning(NACKS),
)
NACK_CLIENT: Final = Case(
    name="nack-client",
    line="what becomes of those before it, in mode client",
    plan=_refusing("nack-client", AckMode.CLIENT, CLIENT_NACKS),
    lacks=lambda params, ground: _known(params, ground) or unsimulated(params, ground),
    expected=_meaning(CLIENT_NACKS),
)
