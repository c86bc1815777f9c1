"""The experiments about acknowledgement: each way to receive, crossed with what can happen to who receives.

What is expected is data: what a mode promises is judged, and what is known of a broker is told beside what it did.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from mqctl.experiments.answers import Property
from mqctl.experiments.cases import (
    AT_LEAST_ONCE,
    PACE,
    Case,
    breakable,
    controlled,
    judged,
    prefetch_of,
    publishing,
    unsimulated,
)
from mqctl.experiments.committing import TRANSACTED
from mqctl.experiments.holding import CLIENT_SCOPE, SLOW
from mqctl.experiments.keeping import SESSION_AWAY, SUBSCRIBE_LATER, SUBSCRIBE_LATER_BARE, TOPIC_SLOW
from mqctl.experiments.plan import Break, ConsumerPlan, Ground, Params, Plan, ProducerPlan, Trouble
from mqctl.experiments.refusing import NACK, NACK_CLIENT
from mqctl.experiments.sending import PUBLISH_CUT
from mqctl.model import AckMode, Dialect

AT_MOST_ONCE: Final = (Property.NO_DUPLICATES, Property.NO_STRANGERS)
ACKNOWLEDGED: Final = (*AT_LEAST_ONCE, Property.ACK_HOLDS, Property.REDELIVERY)

ACK_BATCH: Final = 10
MQTT_IN_FLIGHT: Final = 20
"""Mosquitto 2.0.11 confirms the messages of QoS 2 that a publisher of 3.1.1 has in flight beyond 20, and drops them."""

HEIR: Final = "c2"


class Mode(NamedTuple):
    """A way to receive.

    `mode` is as in docs/history.md; `promise` is what must hold whatever happens to the connection.
    """

    name: str
    protocol: str
    mode: str
    promise: Sequence[Property]
    ack: AckMode = AckMode.AUTO
    qos: int | None = None
    session: bool = False


class Fate(enum.StrEnum):
    """What happens to who receives."""

    CUT = "cut"
    """Its connection is reset; it connects again."""
    KILLED = "killed"
    """Its connection is reset, and it never comes back; another takes over."""
    STALL = "stall"
    """The network goes silent; heart-beats end its connection, and it connects again."""
    RESTART = "restart"
    """The broker is ended and started again."""


MODES: Final = (
    Mode("auto", "stomp", "auto", AT_MOST_ONCE),
    Mode("client", "stomp", "client", ACKNOWLEDGED, AckMode.CLIENT),
    Mode("individual", "stomp", "client-individual", ACKNOWLEDGED, AckMode.INDIVIDUAL),
    Mode("qos0", "mqtt", "qos0", AT_MOST_ONCE, qos=0),
    Mode("qos1-clean", "mqtt", "qos1", AT_MOST_ONCE, qos=1),
    Mode("qos1-session", "mqtt", "qos1", AT_LEAST_ONCE, AckMode.INDIVIDUAL, qos=1, session=True),
    Mode("qos2-clean", "mqtt", "qos2", AT_MOST_ONCE, qos=2),
    Mode("qos2-session", "mqtt", "qos2", AT_LEAST_ONCE, AckMode.INDIVIDUAL, qos=2, session=True),
    Mode("plain", "bayeux", "plain", AT_MOST_ONCE),
    Mode("ack-extension", "bayeux", "ack", AT_LEAST_ONCE, AckMode.INDIVIDUAL, session=True),
)

_LOSES: Final = "loses what was on its way, and brings nothing twice"
_AGAIN: Final = "loses nothing; what was not acknowledged comes again"
_AWAY: Final = "loses what is published while it is away, and what was on its way"
_FORGETS: Final = "loses nothing; what was on its way comes again, as this client forgets its half of the session"

EXPECTED: Final[Mapping[tuple[str, Fate], str]] = MappingProxyType(
    {
        ("auto", Fate.CUT): _LOSES,
        ("auto", Fate.KILLED): _LOSES,
        ("auto", Fate.RESTART): _LOSES,
        ("client", Fate.CUT): _AGAIN,
        ("client", Fate.KILLED): _AGAIN,
        ("client", Fate.RESTART): f"{_AGAIN}, not always flagged",
        ("individual", Fate.CUT): _AGAIN,
        ("individual", Fate.KILLED): _AGAIN,
        ("individual", Fate.STALL): _AGAIN,
        ("individual", Fate.RESTART): f"{_AGAIN}, not always flagged",
        ("qos0", Fate.CUT): _AWAY,
        ("qos1-clean", Fate.CUT): _AWAY,
        ("qos1-session", Fate.CUT): _AGAIN,
        ("qos1-session", Fate.KILLED): _AGAIN,
        ("qos1-session", Fate.STALL): _AGAIN,
        ("qos1-session", Fate.RESTART): _AGAIN,
        ("qos2-clean", Fate.CUT): _AWAY,
        ("qos2-session", Fate.CUT): _FORGETS,
        ("qos2-session", Fate.KILLED): _FORGETS,
        ("plain", Fate.CUT): _AWAY,
        ("ack-extension", Fate.CUT): _AGAIN,
        ("ack-extension", Fate.KILLED): "loses what was not acknowledged: it is gone with the session",
        ("ack-extension", Fate.STALL): _AGAIN,
    }
)
"""What is known of a mode, wherever."""


def _crossed(mode: Mode, fate: Fate) -> Case:
    return Case(
        name=f"{mode.name}-{fate}",
        line=EXPECTED[mode.name, fate],
        plan=lambda params, ground, rng: _plan(mode, fate, params, ground, rng),
        lacks=lambda params, ground: _lacks(mode, fate, params, ground),
        expected=lambda ground: _expected(mode, fate, ground),
    )


def _plan(mode: Mode, fate: Fate, params: Params, ground: Ground, rng: random.Random) -> Plan:
    place = ground.queue(params) if mode.protocol == "stomp" else ground.topic(params)
    expect, at = judged(params, _promise(mode, fate, ground)), _place(rng, params.messages)
    consumer = ConsumerPlan(
        name="c1",
        topic=place,
        # Those that share, or who is killed would be owed what comes later.
        group=("queue" if mode.protocol == "stomp" else "session") if fate is Fate.KILLED else "",
        ack=mode.ack,
        ack_batch=1 if mode.ack is AckMode.AUTO else ACK_BATCH,
        prefetch=prefetch_of(ground) if mode.protocol == "stomp" and mode.ack is not AckMode.AUTO else None,
        qos=mode.qos,
        session=mode.session,
    )
    # What is lost or comes twice is told even where it may: it must have been found out.
    seen = (*expect, Property.NO_LOSS, Property.NO_DUPLICATES)
    broken = _BREAKS.get(fate)
    first = replace(controlled(rng, consumer, seen, at), trouble=None if broken is None else Trouble(broken, at))
    sending = publishing(params, ground, place, 1, persistent=mode.protocol == "stomp")
    return Plan(
        name=f"{mode.name}-{fate}",
        mode=mode.mode,
        producers=[_confirmed(mode, each) for each in sending],
        consumers=[first, replace(consumer, name=HEIR, heir=True)] if fate is Fate.KILLED else [first],
        expect=expect,
        restart_at=at if fate is Fate.RESTART else None,
        # Faster, all would be in one batch, and lost as one.
        rate=PACE if mode.protocol == "bayeux" else None,
    )


def _place(rng: random.Random, messages: int) -> int:
    """Where something happens: in the middle third, and not where all was just acknowledged."""
    at = rng.randrange(messages // 3, messages * 2 // 3)
    return at - at % ACK_BATCH + ACK_BATCH // 2


def _confirmed(mode: Mode, producer: ProducerPlan) -> ProducerPlan:
    """Who publishes so that it is confirmed, whatever the consumer asked for."""
    if mode.qos is None:
        return producer
    return replace(producer, qos=max(1, mode.qos), in_flight=MQTT_IN_FLIGHT)


_BREAKS: Final = MappingProxyType({Fate.CUT: Break.CUT, Fate.KILLED: Break.KILL, Fate.STALL: Break.STALL})


def _promise(mode: Mode, fate: Fate, ground: Ground) -> Sequence[Property]:
    if fate is Fate.RESTART and ground.dialect is Dialect.HUB:
        return AT_MOST_ONCE
    if fate is Fate.KILLED and mode.protocol == "bayeux":
        # Nobody can take a session over: who comes next has one of its own.
        return AT_MOST_ONCE
    if fate is Fate.STALL:
        # It acknowledges into the silence, and holds nothing that is known to be given back.
        return [about for about in mode.promise if about is not Property.REDELIVERY]
    return mode.promise


def _expected(mode: Mode, fate: Fate, ground: Ground) -> str:
    if fate is Fate.RESTART and ground.dialect is Dialect.HUB:
        return "the hub keeps nothing over its end: loses what it had not delivered"
    return EXPECTED[mode.name, fate]


def _lacks(mode: Mode, fate: Fate, params: Params, ground: Ground) -> str:
    if ground.protocol != mode.protocol:
        return f"it is about {mode.protocol.upper()}, and this is {ground.protocol.upper()}"
    if fate is Fate.RESTART:
        return "" if ground.restartable else "nobody said how the broker is restarted: --restart-command"
    return breakable(params, ground, unsimulated if fate is Fate.STALL else lambda _params, _ground: "")


CASES: Final[Mapping[str, Case]] = MappingProxyType(
    {
        case.name: case
        for case in (
            *(_crossed(mode, fate) for mode in MODES for fate in Fate if (mode.name, fate) in EXPECTED),
            NACK,
            NACK_CLIENT,
            TRANSACTED,
            SLOW,
            TOPIC_SLOW,
            CLIENT_SCOPE,
            SUBSCRIBE_LATER,
            SUBSCRIBE_LATER_BARE,
            SESSION_AWAY,
            PUBLISH_CUT,
        )
    }
)
"""By name."""
