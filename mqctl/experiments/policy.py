"""What is expected of a broker: by name, or by what its protocol permits. Data, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mqctl.errors import UsageError
from mqctl.experiments.answers import Property
from mqctl.experiments.limits import Limit, is_limit, parse_limit

BUNDLES: Mapping[str, frozenset[Property]] = MappingProxyType(
    {
        "at-least-once": frozenset({Property.NO_LOSS, Property.NO_STRANGERS}),
        "at-most-once": frozenset({Property.NO_DUPLICATES, Property.NO_STRANGERS}),
        "exactly-once": frozenset({Property.NO_LOSS, Property.NO_DUPLICATES, Property.NO_STRANGERS}),
        "acks": frozenset({Property.ACK_HOLDS, Property.REDELIVERY, Property.PREFETCH}),
        "total-order": frozenset({Property.FIFO, Property.AGREEMENT}),
    }
)
"""Several properties under one name."""

_NOBODY = MappingProxyType(
    {
        Property.AGREEMENT: "no protocol promises that all consumers see several producers in the same order",
        Property.STICKY: "only brokers with message groups promise one consumer for each",
        Property.FLAGS: "the flag is a hint: a broker may set it on a first delivery, or forget it",
        Property.LATENCY: "no protocol promises a time",
    }
)
_GAPS = "what is lost or never confirmed leaves gaps"
_AT_MOST_ONCE = {Property.NO_LOSS, Property.NO_GAPS}
_AT_LEAST_ONCE = {Property.NO_DUPLICATES}


def _permits(properties: Iterable[Property], why: str) -> Mapping[Property, str]:
    return MappingProxyType({**_NOBODY, Property.NO_GAPS: _GAPS, **dict.fromkeys(properties, why)})


MODES: Mapping[tuple[str, str], Mapping[Property, str]] = MappingProxyType(
    {
        ("stomp", "auto"): _permits(
            _AT_MOST_ONCE, "STOMP 1.2, SUBSCRIBE: with ack:auto a message is done when it is sent"
        ),
        ("stomp", "client"): _permits(_AT_LEAST_ONCE, "STOMP 1.2, SUBSCRIBE: what was not acknowledged may come again"),
        ("stomp", "client-individual"): _permits(
            _AT_LEAST_ONCE, "STOMP 1.2, SUBSCRIBE: what was not acknowledged may come again"
        ),
        ("mqtt", "qos0"): _permits(_AT_MOST_ONCE, "MQTT 3.1.1, 4.3.1: at most once"),
        ("mqtt", "qos1"): _permits(_AT_LEAST_ONCE, "MQTT 3.1.1, 4.3.2: at least once"),
        ("mqtt", "qos2"): _permits((), ""),
        ("bayeux", "plain"): _permits(_AT_MOST_ONCE, "Bayeux: what is in a response that is lost does not come again"),
        ("bayeux", "ack"): _permits(
            _AT_LEAST_ONCE, "the ack extension: what the client did not acknowledge comes again"
        ),
    }
)
"""What each protocol permits in each mode, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is judged.

    Attributes:
        expected: Properties that must hold.
        asked: Whether somebody asked for just these: then a history must be able to tell about each.
        permitted: What may be broken, and why.
        limits: On latency, which is expected then.
    """

    expected: frozenset[Property]
    asked: bool = False
    permitted: Mapping[Property, str] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()


def names() -> list[str]:
    """All that can be expected."""
    return [*Property, *BUNDLES]


def expectation(words: Iterable[str]) -> Policy:
    """A policy of the names of properties and bundles, and of limits on latency.

    Raises:
        UsageError: A name that there is not, or a limit that says nothing.
    """
    expected: set[Property] = set()
    limits: dict[Limit, None] = {}
    for word in words:
        if word in BUNDLES:
            expected |= BUNDLES[word]
        elif word in list(Property):
            expected.add(Property(word))
        elif is_limit(word):
            expected.add(Property.LATENCY)
            limits[parse_limit(word)] = None
        else:
            there = f"there are: {', '.join(names())}, and limits such as p99<50ms"
            raise UsageError(f"nothing is known about {word!r} to expect", hint=there)
    return Policy(expected=frozenset(expected), asked=True, limits=tuple(limits))


def of_protocol(protocol: str, mode: str) -> Policy:
    """What a protocol promises in a mode; of one that is not known, everything but what nobody promises."""
    permitted = MODES.get((protocol, mode), _NOBODY)
    return Policy(expected=frozenset(set(Property) - set(permitted)), permitted=permitted)
