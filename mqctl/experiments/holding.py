"""The experiments about what a consumer holds: how much, and what an acknowledgement covers of it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from mqctl.experiments.answers import Property
from mqctl.experiments.cases import (
    AT_LEAST_ONCE,
    INTACT,
    Case,
    breakable,
    controlled,
    judged,
    prefetch_of,
    publishing,
    unsimulated,
)
from mqctl.experiments.plan import Break, ConsumerPlan, Ground, Params, Plan, ProducerPlan, Stream, Trouble
from mqctl.model import AckMode, Dialect, Topic
from mqctl.topics import STOMP_QUEUE_PREFIX

PAUSE_S: Final = 0.002
"""How long a slow consumer takes over a message: some times longer than brokers do."""


OWN_SCOPE: Final = frozenset({Dialect.CLASSIC, Dialect.ARTEMIS, Dialect.HUB})
"""Where an acknowledgement in mode client is known to cover its own subscription only; docs/brokers.md has more."""

_SCOPE: Final = "an acknowledgement covers its own subscription only: what another one held comes again"
_WHOLE_CONNECTION: Final = (
    "an acknowledgement covers all subscriptions of its connection at RabbitMQ: what another one held would be gone, "
    "so mqctl makes no second one"
)

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


def _scope(params: Params, ground: Ground, rng: random.Random) -> Plan:
    """One holds all that it gets; the other, on the same connection, acknowledges each message: its newest."""
    expect = judged(params, (*AT_LEAST_ONCE, Property.REDELIVERY))
    names = ("held", "done")
    queues = [Topic(native=f"{STOMP_QUEUE_PREFIX}{ground.name}.{name}") for name in names]
    # The one that holds its prefetch gets no more, so that few more than half of all come before the break.
    at = rng.randrange(params.messages // 4, params.messages // 3)
    holder, other = (
        ConsumerPlan(name=name, topic=queue, label=name, ack=AckMode.CLIENT, prefetch=prefetch_of(ground))
        for name, queue in zip(names, queues, strict=True)
    )
    streams = [Stream(name=f"A/{name}", topic=queue, label=name) for name, queue in zip(names, queues, strict=True)]
    return Plan(
        name=CLIENT_SCOPE.name,
        mode="client",
        producers=[ProducerPlan(name="A", streams=streams, count=params.messages, persistent=True)],
        consumers=[
            replace(holder, withholds=True, trouble=Trouble(Break.CUT, at)),
            replace(controlled(rng, other, expect, at // 2), beside=holder.name),
        ],
        expect=expect,
    )


def _known_scope(params: Params, ground: Ground) -> str:
    if ground.protocol != "stomp":
        return f"it is about STOMP, and this is {ground.protocol.upper()}"
    if ground.dialect is Dialect.RABBITMQ:
        return _WHOLE_CONNECTION
    if ground.dialect not in OWN_SCOPE:
        return "it is not known what an acknowledgement covers here: say which broker with --dialect"
    return breakable(params, ground, unsimulated)


SLOW: Final = Case(name="slow", line=_SLOW, plan=_slow, lacks=_counts_messages, expected=lambda _ground: _SLOW)
"""A consumer that takes its time over each message, while the queue grows."""

CLIENT_SCOPE: Final = Case(
    name="client-scope",
    line="what an acknowledgement of one subscription does to another on its connection",
    plan=_scope,
    lacks=_known_scope,
    expected=lambda _ground: _SCOPE,
)
"""Two subscriptions of mode client on one connection, and it is reset."""
