"""What each broker has of MQTT, where the specification leaves it open or the broker leaves something out.

The table is the one home of these facts. From MQTT 5 on a broker says in CONNACK what it takes; an `Offer` is both.
What a broker does not take is refused here, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from mqctl.errors import UnsupportedError
from mqctl.model import Dialect

PACKET_MAX: Final = 268_435_460
"""Bytes of the largest packet: its remaining length has four digits (MQTT 3.1.1, 2.2.3)."""

IN_FLIGHT: Final = 1000
"""Messages published and not yet confirmed; more of them make nothing faster, and a loss larger."""


class Offer(NamedTuple):
    """What a broker takes.

    `usual_qos` is what a subscription asks for that acknowledges nothing itself. `tells_session` is whether CONNACK
    says that a session was resumed.
    """

    broker: str = "this broker"
    qos: int = 2
    retain: bool = True
    wildcards: bool = True
    shared: bool = True
    in_flight: int = IN_FLIGHT
    packet_bytes: int = PACKET_MAX
    usual_qos: int = 1
    tells_session: bool = True

    def refuse_publish(self, qos: int, size: int, *, retain: bool, option: str = "--qos") -> None:
        """Refuse a message that the broker does not take.

        Args:
            qos: Its quality of service.
            size: Bytes of its packet.
            retain: Whether it is to be kept.
            option: What sets its quality of service.

        Raises:
            UnsupportedError: It does not.
        """
        if qos > self.qos:
            raise UnsupportedError(
                f"{self.broker} takes messages up to QoS {self.qos}, not {qos}", hint=f"use {option} {self.qos}"
            )
        if retain and not self.retain:
            raise UnsupportedError(f"{self.broker} keeps no retained messages")
        if size > self.packet_bytes:
            raise UnsupportedError(
                f"{self.broker} takes packets of up to {self.packet_bytes:,} bytes, and this one has {size:,}"
            )

    def refuse_subscription(self, *, wildcard: bool, shared: bool, retained_only: bool = False) -> None:
        """Refuse a subscription that the broker does not take.

        Raises:
            UnsupportedError: It does not.
        """
        if wildcard and not self.wildcards:
            raise UnsupportedError(f"{self.broker} has no wildcards over MQTT")
        if shared and not self.shared:
            raise UnsupportedError(f"{self.broker} has no shared subscriptions")
        if retained_only and not self.retain:
            raise UnsupportedError(f"{self.broker} keeps no retained messages")


OFFERS: Mapping[Dialect | None, Offer] = MappingProxyType(
    {
        Dialect.CLASSIC: Offer(broker="ActiveMQ Classic", shared=False, tells_session=False),
        # From QoS 1 on, it delivers messages in another order than they were published in.
        Dialect.ARTEMIS: Offer(broker="ActiveMQ Artemis", usual_qos=0),
        Dialect.RABBITMQ: Offer(broker="RabbitMQ", qos=1, shared=False),
        Dialect.MOSQUITTO: Offer(broker="Mosquitto"),
        None: Offer(),
    }
)
"""By broker; None is one that nobody has named."""

_LESS: Final = {
    "qos": "MaximumQoS",
    "retain": "RetainAvailable",
    "wildcards": "WildcardSubscriptionAvailable",
    "shared": "SharedSubscriptionAvailable",
    "in_flight": "ReceiveMaximum",
    "packet_bytes": "MaximumPacketSize",
}
"""The property of CONNACK that makes each part of an offer less (MQTT 5, 3.2.2.3)."""


def offer_of(dialect: Dialect | None, properties: Mapping[str, object]) -> Offer:
    """What a broker takes, by its dialect and by what its CONNACK says.

    Args:
        dialect: Which broker it is, if that is known.
        properties: Of CONNACK, by their names without spaces.
    """
    known = OFFERS[dialect]
    said = {part: properties[name] for part, name in _LESS.items() if name in properties}
    return known._replace(**{part: min(getattr(known, part), value) for part, value in said.items()})
