"""What becomes of a message on its way to the broker and back."""

from __future__ import annotations

import pytest

from mqctl.broker.refusals import AddressRefused
from mqctl.broker.values import Address, AddressKind, Message
from mqctl.errors import RefusedError, TopicError
from mqctl.model import Delivery, Outgoing, SubscriptionId, Topic
from mqctl.upstream.translation import HUBS_MAX, PATH_HEADER, Translator, bare

NOW_NS = 5_000_000_000
DOTTED, SLASHED = Translator("here", dotted=True), Translator("here", dotted=False)


def message(name: str = "a.b", payload: bytes = b"\x00\xff", **more: object) -> Message:
    return Message(id="1", address=Address(AddressKind.TOPIC, name), payload=payload, **more)


def delivery(topic: str = "a.b", **headers: str) -> Delivery:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery(topic, b"\x00\xff", named, SubscriptionId("s"), NOW_NS)


def test_the_payload_and_the_headers_are_kept_and_what_has_a_place_of_its_own_has_it():
    headers = (("content-type", "application/json"), ("persistent", "true"), ("expires", "9"), ("colour", "red"))
    sent = DOTTED.outgoing(message(headers=headers, persistent=True, expires_at_ns=NOW_NS + 1_500_001), NOW_NS)
    assert sent == Outgoing(
        topic=Topic(levels=("a", "b")),
        payload=b"\x00\xff",
        headers={"colour": "red"},
        content_type="application/json",
        persistent=True,
        expires_ms=2,
    )


def test_a_message_whose_time_is_over_says_so():
    assert DOTTED.outgoing(message(expires_at_ns=NOW_NS), NOW_NS).expires_ms == 0


def test_without_headers_the_payload_is_left():
    sent = DOTTED.outgoing(message(headers=(("content-type", "text/plain"), ("a", "b")), persistent=True), NOW_NS)
    assert bare(sent) == Outgoing(topic=sent.topic, payload=sent.payload, persistent=True)


@pytest.mark.parametrize("name", ["a.*", "a.**"])
def test_wildcards_are_not_published_to(name):
    with pytest.raises(AddressRefused):
        DOTTED.outgoing(message(name), NOW_NS)


def test_what_comes_back_is_the_hubs_with_the_headers_that_are_the_users():
    got = DOTTED.message(delivery(colour="red", persistent="true", ack="1", mqctl_hubs="x", content_type="t"), "id")
    assert got is not None
    assert (got.id, got.address, got.payload, got.persistent) == ("id", message().address, b"\x00\xff", True)
    assert got.headers == (("colour", "red"), ("persistent", "true"), ("content-type", "t"))


def test_a_dot_within_a_level_comes_and_goes():
    """As levels have it where slashes separate them: `a.b/c`."""
    got = SLASHED.message(delivery("a.b/c"), "id")
    assert got is not None
    assert got.address.name == "a%2Eb.c"
    assert SLASHED.outgoing(got, NOW_NS).topic == Topic(levels=("a.b", "c"))
    assert DOTTED.outgoing(got, NOW_NS).topic == Topic(levels=("a%2Eb", "c"))


@pytest.mark.parametrize(
    "topic",
    [
        "ActiveMQ.Advisory.Topic",
        "/topic/ActiveMQ.Advisory.Consumer.Topic.>",
        "ActiveMQ/Advisory/Consumer/Topic/#",
    ],
)
def test_what_a_broker_tells_of_itself_is_not_for_the_hubs_clients(topic):
    assert DOTTED.message(delivery(topic), "id") is None


@pytest.mark.parametrize("topic", ["/exchange/logs/a", "a..b", "a.+"])
def test_a_topic_that_the_hub_has_not_is_refused(topic):
    with pytest.raises(TopicError):
        DOTTED.message(delivery(topic), "id")


def test_a_message_says_which_hubs_it_came_through_and_only_to_hubs():
    first = DOTTED.outgoing(message(), NOW_NS, to_hub=True)
    assert first.headers == {PATH_HEADER: "here"}
    on = message(headers=tuple(first.headers.items()))
    assert Translator("there", dotted=True).outgoing(on, NOW_NS, to_hub=True).headers == {PATH_HEADER: "here,there"}
    assert Translator("there", dotted=True).outgoing(on, NOW_NS).headers == {}


def test_a_chain_of_hubs_ends_and_a_circle_is_refused_where_it_closes():
    hubs = [Translator(f"hub{number}", dotted=True) for number in range(5)]
    letter = message()
    for hub in hubs:
        letter = message(headers=tuple(hub.outgoing(letter, NOW_NS, to_hub=True).headers.items()))
    with pytest.raises(RefusedError, match="in a circle"):
        hubs[2].outgoing(letter, NOW_NS, to_hub=True)


def test_a_path_that_is_too_long_is_a_circle_too():
    path = ",".join(f"h{number}" for number in range(HUBS_MAX))
    with pytest.raises(RefusedError, match="in a circle"):
        DOTTED.outgoing(message(headers=((PATH_HEADER, path),)), NOW_NS)
