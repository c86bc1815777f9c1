"""What a transport does not have is refused, in a sentence that names it, and nothing else is."""

from __future__ import annotations

import pytest

from mqctl.adapters.base import AdapterInfo, SubscribeSpec
from mqctl.adapters.features import Refusals
from mqctl.errors import UnsupportedError
from mqctl.model import AckMode, Confirmation, Outgoing, Retained, Topic

TOPIC = Topic(levels=("a",))
MESSAGE_WISHES = {
    "retain": {"retain": True},
    "reply-to": {"reply_to": "b"},
    "qos": {"qos": 0},
    "expires": {"expires_ms": 0},
    "priority": {"priority": 0},
    "persistent": {"persistent": True},
    "content-type": {"content_type": "text/plain"},
    "headers": {"headers": {"a": "b"}},
}
SUBSCRIPTION_WISHES = {
    "qos": {"qos": 0},
    "shared": {"shared": "g"},
    "selector": {"selector": "x"},
    "durable": {"durable": "d"},
    "prefetch": {"prefetch": 1},
    "headers": {"headers": {"a": "b"}},
    "retain": {"retained": Retained.ONLY},
}


def refusals(*features: str, ack_modes: frozenset[AckMode] = frozenset(AckMode)) -> Refusals:
    return Refusals(
        AdapterInfo(
            name="X",
            schemes=frozenset({"x"}),
            ack_modes=ack_modes,
            confirmation=Confirmation.BROKER,
            features=frozenset(features),
        )
    )


@pytest.mark.parametrize("feature", MESSAGE_WISHES)
def test_a_message_is_refused_for_each_feature_that_is_missing(feature: str) -> None:
    message = Outgoing(topic=TOPIC, payload=b"", **MESSAGE_WISHES[feature])
    refusals(feature).refuse_message(message)
    with pytest.raises(UnsupportedError, match="X has no "):
        refusals(*(MESSAGE_WISHES.keys() - {feature})).refuse_message(message)


@pytest.mark.parametrize("feature", SUBSCRIPTION_WISHES)
def test_a_subscription_is_refused_for_each_feature_that_is_missing(feature: str) -> None:
    spec = SubscribeSpec(topic=TOPIC, **SUBSCRIPTION_WISHES[feature])
    refusals(feature).refuse_subscription(spec)
    with pytest.raises(UnsupportedError, match="X has no "):
        refusals(*(SUBSCRIPTION_WISHES.keys() - {feature})).refuse_subscription(spec)


def test_what_asks_for_nothing_is_taken() -> None:
    refusals().refuse_message(Outgoing(topic=TOPIC, payload=b""))
    refusals().refuse_subscription(SubscribeSpec(topic=TOPIC, retained=Retained.SKIP))


def test_an_ack_mode_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no client acknowledgement"):
        refusals(ack_modes=frozenset({AckMode.AUTO})).refuse_subscription(
            SubscribeSpec(topic=TOPIC, ack_mode=AckMode.CLIENT)
        )


def test_a_transport_without_transactions_says_so() -> None:
    assert str(refusals().no_transactions()) == "X has no transactions"
