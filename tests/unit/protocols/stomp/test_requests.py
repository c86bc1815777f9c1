"""What a connected client may ask for, and how it is read."""

import pytest

from mqctl.model import AckMode
from mqctl.protocols.stomp.codec import encode
from mqctl.protocols.stomp.requests import Ack, Disconnect, Nack, Send, Subscribe, Unsubscribe
from mqctl.protocols.stomp.spec import Version
from tests.unit.protocols.stomp.pair import Pair

V1_0, V1_1, V1_2 = Version


def send(destination="/topic/a", headers=(), body=b"", receipt=None, *, persistent=False, expires_at_ms=None):
    return Send(destination, headers, body, receipt, persistent, expires_at_ms)


def test_send_keeps_the_headers_that_travel_on():
    pair = Pair()
    private = dict.fromkeys(("receipt", "message-id", "subscription", "redelivered", "ack"), "x")
    assert pair.say("SEND", {"destination": "/topic/a", "kind": "k", "persistent": "true", **private}, b"1") == [
        send(headers=(("kind", "k"), ("persistent", "true")), body=b"1", receipt="x", persistent=True)
    ]


@pytest.mark.parametrize(("expires", "at"), [("1700000000000", 1_700_000_000_000), ("0", None)])
def test_send_may_expire(expires, at):
    """0 is never, as in JMS."""
    (request,) = Pair().say("SEND", {"destination": "/topic/a", "expires": expires})
    assert request.expires_at_ms == at


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("auto", AckMode.AUTO),
        ("client", AckMode.CLIENT),
        ("client-individual", AckMode.INDIVIDUAL),
        (None, AckMode.AUTO),
    ],
)
def test_subscribe(text, mode):
    """The default is auto (STOMP 1.2, SUBSCRIBE ack Header)."""
    headers = {"id": "1", "destination": "/queue/a", **({"ack": text} if text else {})}
    assert Pair().say("SUBSCRIBE", headers) == [
        Subscribe(id="1", destination="/queue/a", ack=mode, prefetch=None, durable=None, receipt=None)
    ]


@pytest.mark.parametrize("name", ["prefetch-count", "activemq.prefetchSize"])
def test_prefetch_has_two_names(name):
    (request,) = Pair().say("SUBSCRIBE", {"id": "1", "destination": "/queue/a", name: "10"})
    assert request.prefetch == 10


@pytest.mark.parametrize("name", ["activemq.subscriptionName", "durable-subscription-name"])
def test_a_durable_subscription_has_two_names(name):
    pair = Pair()
    assert pair.say("SUBSCRIBE", {"id": "1", "destination": "/topic/a", name: "d"})[0].durable == "d"
    assert pair.say("UNSUBSCRIBE", {"id": "1", name: "d"}) == [Unsubscribe(id="1", durable="d", receipt=None)]


def test_unsubscribe_frees_the_id():
    pair = Pair()
    for _ in range(2):
        assert len(pair.say("SUBSCRIBE", {"id": "1", "destination": "/topic/a"})) == 1
        assert pair.say("UNSUBSCRIBE", {"id": "1"}) == [Unsubscribe(id="1", durable=None, receipt=None)]


def test_in_1_0_a_subscription_without_id_goes_by_its_destination():
    pair = Pair(V1_0)
    assert pair.say("SUBSCRIBE", {"destination": "/topic/a"})[0].id == "/topic/a"
    assert pair.say("UNSUBSCRIBE", {"destination": "/topic/a"})[0].id == "/topic/a"
    assert pair.say("SUBSCRIBE", {"destination": "/topic/a", "id": "7"})[0].id == "7"


@pytest.mark.parametrize(
    ("version", "headers", "expected"),
    [
        (V1_2, {"id": "17"}, ("17", None)),
        (V1_1, {"message-id": "m", "subscription": "s"}, ("m", "s")),
        (V1_0, {"message-id": "m"}, ("m", None)),
        (V1_0, {"message-id": "m", "subscription": "s"}, ("m", "s")),
    ],
)
def test_what_is_acknowledged_is_named_as_the_version_does(version, headers, expected):
    """STOMP 1.0, 1.1 and 1.2, ACK."""
    assert Pair(version).say("ACK", headers) == [Ack(*expected, None)]
    if version is not V1_0:
        assert Pair(version).say("NACK", headers) == [Nack(*expected, None)]


def test_disconnect_is_answered_before_the_end():
    """STOMP 1.2, DISCONNECT; what a client sends after it is not read."""
    pair = Pair()
    bye = encode("DISCONNECT", {"receipt": "77"}, version=V1_2)
    assert pair.put(bye + encode("SEND", {"destination": "/topic/a"}, version=V1_2)) == [Disconnect(receipt="77")]
    assert [(frame.command, frame.headers) for frame in pair.answers] == [("RECEIPT", {"receipt-id": "77"})]
    assert pair.session.closing
    assert pair.session.close_reason == "the client disconnected"
    assert pair.say("SEND", {"destination": "/topic/a"}) == []


def test_a_refused_disconnect_is_an_error():
    session = Pair().session
    for request in session.receive(b"DISCONNECT\nreceipt:1\n\n\0", 0):
        session.refuse(request.receipt, "not now")
    assert session.close_reason == "not now"
