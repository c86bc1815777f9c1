"""What each broker takes over MQTT, and what CONNACK takes away from that."""

from __future__ import annotations

import pytest

from mqctl.errors import UnsupportedError
from mqctl.model import Dialect
from mqctl.protocols.mqtt.dialects import IN_FLIGHT, OFFERS, PACKET_MAX, Offer, offer_of


def test_a_broker_that_says_nothing_takes_what_its_dialect_takes():
    assert offer_of(Dialect.RABBITMQ, {}) == OFFERS[Dialect.RABBITMQ]
    assert offer_of(None, {}) == Offer(in_flight=IN_FLIGHT, packet_bytes=PACKET_MAX)


def test_what_connack_says_makes_it_less_and_never_more():
    said = {
        "MaximumQoS": 1,
        "RetainAvailable": 0,
        "WildcardSubscriptionAvailable": 0,
        "SharedSubscriptionAvailable": 0,
        "ReceiveMaximum": 20,
        "MaximumPacketSize": 100,
        "TopicAliasMaximum": 9,
    }
    assert offer_of(None, said)[:7] == ("this broker", 1, 0, 0, 0, 20, 100)
    more = {"SharedSubscriptionAvailable": 1, "ReceiveMaximum": 65_535}
    assert offer_of(Dialect.CLASSIC, more) == OFFERS[Dialect.CLASSIC]


@pytest.mark.parametrize(
    ("offer", "says"),
    [
        (Offer(qos=1), "takes messages up to QoS 1, not 2"),
        (Offer(retain=False), "keeps no retained messages"),
        (Offer(packet_bytes=99), "up to 99 bytes, and this one has 100"),
    ],
)
def test_a_message_that_is_not_taken_is_refused_in_a_sentence(offer, says):
    with pytest.raises(UnsupportedError, match=says):
        offer.refuse_publish(2, 100, retain=True)
    Offer().refuse_publish(2, 100, retain=True)


@pytest.mark.parametrize(
    ("offer", "says"),
    [
        (Offer(wildcards=False), "no wildcards"),
        (Offer(shared=False), "no shared subscriptions"),
        (Offer(retain=False), "no retained messages"),
    ],
)
def test_a_subscription_that_is_not_taken_is_refused_in_a_sentence(offer, says):
    with pytest.raises(UnsupportedError, match=says):
        offer.refuse_subscription(wildcard=True, shared=True, retained_only=True)
    offer.refuse_subscription(wildcard=False, shared=False)
