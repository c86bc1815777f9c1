"""The experiments about what a consumer holds: how much, and what an acknowledgement covers of it."""

from __future__ import annotations

import random
from typing import Final

from mqctl.experiments.answers import Property
from mqctl.experiments.cases import (
    INTACT,
    Case,
    controlled,
    judged,
    prefetch_of,
    publishing,
    unsimulated,
)
from mqctl.experiments.plan import ConsumerPlan, Ground, Params, Plan
from mqctl.model import AckMode

PAUSE_S: Final = 0.002
"""How long a slow consumer takes over a message: some times longer than brokers do."""

_SLOW: Final = "holds as many as its prefetch allows, and never more"


def _slow(params: Params, ground: Ground, rng: random.Random) -> Plan:
    queue, expect = ground.queue(params), judged(params, (*INTACT, Property.ACK_HOLDS, Property.PREFETCH))
    consumer = ConsumerPlan(
        name="c1", topic=queue, ack=AckMode.INDIVIDUAL, prefetch=prefetch_of(ground), pause_s=PAUSE_S
    )
    return Plan(
        name=SLOW.name,
        mode="client-individual",
        producers=publishing(params, ground, queue, 1, persistent=True),
        consumers=[controlled(rng, consumer, expect, params.messages)],
        expect=expect,
    )


def _counts_messages(params: Params, ground: Ground) -> str:
    if ground.protocol != "stomp":
        return f"it is about STOMP, and this is {ground.protocol.upper()}"
    if prefetch_of(ground) is None:
        return "this broker counts the bytes that a consumer may hold, not the messages"
    return unsimulated(params, ground)


SLOW: Final = Case(name="slow", line=_SLOW, plan=_slow, lacks=_counts_messages, expected=lambda _ground: _SLOW)
"""A consumer that takes its time over each message, while the queue grows."""
