"""The experiments about what a broker keeps: for who is away, for who is not there yet, for who does not keep up."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from mqctl.experiments.answers import Property
from mqctl.experiments.cases import (
    INTACT,
    Case,
    controlled,
    judged,
    mode_of,
    prefetch_of,
    publishing,
    unsimulated,
)
from mqctl.experiments.plan import ConsumerPlan, Ground, Params, Plan
from mqctl.model import AckMode, Dialect, Topic

_DELIVERED: Final = (Property.NO_DUPLICATES, Property.NO_STRANGERS)

KEPT_MIN: Final = 1000
"""No broker was seen that keeps fewer."""


class Room(NamedTuple):
    """How much a broker keeps: in words, and how many messages at least; None is whatever comes."""

    text: str
    messages: int | None = None


_ALL: Final = Room("keeps all")
_SOME: Final = Room("keeps 1,000 at least, as far as was seen", KEPT_MIN)

AWAY: Final[Mapping[Dialect | None, Room]] = MappingProxyType(
    {
        Dialect.MOSQUITTO: Room("keeps 1,000 (max_queued_messages), and drops what comes later", KEPT_MIN),
        Dialect.CLASSIC: _ALL,
        Dialect.ARTEMIS: _ALL,
        Dialect.RABBITMQ: _ALL,
    }
)
"""For a session of MQTT whose client is away."""

UNREAD: Final[Mapping[Dialect | None, Room]] = MappingProxyType(
    {
        Dialect.CLASSIC: Room(
            "keeps all, unless its configuration says how many: the one that it comes with says 1,000", KEPT_MIN
        ),
        Dialect.ARTEMIS: _ALL,
        Dialect.RABBITMQ: _ALL,
        Dialect.HUB: Room("keeps 10,000 besides those on their way (--max-backlog), and drops the oldest", 10_000),
    }
)
"""For a subscriber of a topic that acknowledges nothing."""


def _within(room: Room, params: Params) -> Sequence[Property]:
    """What holds of so many messages: who has room for them loses none."""
    return INTACT if room.messages is None or params.messages <= room.messages else _DELIVERED


def _plan(
    params: Params,
    ground: Ground,
    rng: random.Random,
    *,
    name: str,
    mode: str,
    consumers: Sequence[ConsumerPlan],
    usual: Sequence[Property],
) -> Plan:
    """One publisher; the first consumer has the controls, for which it gets enough."""
    expect = judged(params, usual)
    first, *others = consumers
    return Plan(
        name=name,
        mode=mode,
        producers=publishing(params, ground, first.topic, 1, persistent=ground.protocol == "stomp"),
        consumers=[controlled(rng, first, (*expect, Property.NO_LOSS), min(params.messages, KEPT_MIN)), *others],
        expect=expect,
    )


def _away(params: Params, ground: Ground, rng: random.Random) -> Plan:
    consumer = ConsumerPlan(
        name="c1", topic=ground.topic(params), qos=1, session=True, late=True, ack=AckMode.INDIVIDUAL
    )
    usual = _within(AWAY.get(ground.dialect, _SOME), params)
    return _plan(params, ground, rng, name=SESSION_AWAY.name, mode="qos1", consumers=[consumer], usual=usual)


def _slow(params: Params, ground: Ground, rng: random.Random) -> Plan:
    consumer = ConsumerPlan(
        name="c1", topic=ground.topic(params), ack=AckMode.CLIENT, withholds=True, prefetch=prefetch_of(ground)
    )
    usual = _within(UNREAD.get(ground.dialect, _SOME), params)
    return _plan(params, ground, rng, name=TOPIC_SLOW.name, mode="client", consumers=[consumer], usual=usual)


def _later(params: Params, ground: Ground, rng: random.Random) -> Plan:
    consumer = ConsumerPlan(name="c1", topic=ground.queue(params), late=True)
    name, mode = SUBSCRIBE_LATER.name, mode_of(ground)
    return _plan(params, ground, rng, name=name, mode=mode, consumers=[consumer], usual=INTACT)


def _bare(params: Params, ground: Ground, rng: random.Random) -> Plan:
    """A name without a prefix is sent without a header that says what it names."""
    address = Topic(native=ground.name)
    consumers = [ConsumerPlan(name="c1", topic=address), ConsumerPlan(name="c2", topic=address, late=True)]
    name, mode = SUBSCRIBE_LATER_BARE.name, mode_of(ground)
    return _plan(params, ground, rng, name=name, mode=mode, consumers=consumers, usual=_DELIVERED)


def _about(protocol: str, params: Params, ground: Ground) -> str:
    if ground.protocol != protocol:
        return f"it is about {protocol.upper()}, and this is {ground.protocol.upper()}"
    return unsimulated(params, ground)


def _of_artemis(_params: Params, ground: Ground) -> str:
    fits = ground.protocol == "stomp" and ground.dialect is Dialect.ARTEMIS
    return "" if fits else "it is about Artemis' addresses, over STOMP"


SESSION_AWAY: Final = Case(
    name="qos1-session-away",
    line="what is published while the client of a session is away",
    plan=_away,
    lacks=lambda params, ground: _about("mqtt", params, ground),
    expected=lambda ground: AWAY.get(ground.dialect, _SOME).text,
)
TOPIC_SLOW: Final = Case(
    name="topic-slow",
    line="a subscriber of a topic that acknowledges nothing until all is sent",
    plan=_slow,
    lacks=lambda params, ground: _about("stomp", params, ground),
    expected=lambda ground: UNREAD.get(ground.dialect, _SOME).text,
)
SUBSCRIBE_LATER: Final = Case(
    name="subscribe-later",
    line="a queue that nobody subscribed to before all was sent",
    plan=_later,
    lacks=lambda params, ground: _about("stomp", params, ground),
    expected=lambda _ground: "loses nothing: a queue is there from the first message on",
)
SUBSCRIBE_LATER_BARE: Final = Case(
    name="subscribe-later-bare",
    line="an address that is sent to without saying that it is a queue",
    plan=_bare,
    lacks=_of_artemis,
    expected=lambda _ground: "an address is a topic unless its sender says more: who comes later gets nothing",
)
