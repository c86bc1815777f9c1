"""Every limit: an ERROR that names it, the end of that connection, and others unharmed."""

from __future__ import annotations

import pytest

from mqctl.broker import Limits
from mqctl.hub.events import SessionClosed
from mqctl.protocols.stomp.spec import Limits as StompLimits
from tests.hub.conftest import either_way

pytestmark = either_way

SUBSCRIBE, SEND, BEGIN = "SUBSCRIBE", "SEND", "BEGIN"


@pytest.fixture
def refused(start):
    """Starts a hub, lets a client ask for one thing after the other, and returns what it is refused with."""

    def refused(asks, *, broker=None, stomp=None, version="1.2"):
        hub = start(broker_limits=broker or Limits(), stomp_limits=stomp or StompLimits())
        other = hub.client()
        client = hub.client(version)
        for ask in asks[:-1]:
            client.ask(*ask)
        client.send(*asks[-1])
        says = client.refusal()
        (closed,) = hub.events.wait(SessionClosed)
        assert closed.reason == says
        other.publish("/topic/unharmed", b"x")
        return says

    return refused


def subscribe(n, destination="/topic/a", **headers):
    return SUBSCRIBE, {"destination": destination, "id": str(n), **headers}


def send(destination="/queue/q", body=b"x"):
    return SEND, {"destination": destination}, body


def test_frame(refused):
    says = refused([send(body=b"x" * 9000)], stomp=StompLimits(frame_bytes=8192))
    assert says.endswith(" larger than 8192 bytes (limit: frame)")


def test_a_frame_that_never_stops(start):
    """Without a content-length the end is not known; the client is told while it still sends."""
    hub = start(stomp_limits=StompLimits(frame_bytes=100_000))
    client = hub.client()
    client.raw(b"SEND\ndestination:/queue/q\n\n" + b"x" * 300_000)
    assert "limit: frame" in client.refusal()


def test_the_reason_arrives_though_the_client_still_sends(start):
    """The connection lingers: a reset would take the ERROR from a client that is busy sending megabytes."""
    hub = start(stomp_limits=StompLimits(frame_bytes=100_000))
    client = hub.client()
    client.raw(b"SEND\ndestination:/queue/q\ncontent-length:8000000\n\n" + b"x" * 8_000_000)
    assert "limit: frame" in client.refusal()


def test_headers(refused):
    says = refused([(SEND, {"destination": "/queue/q", **{f"h{n}": "" for n in range(20)}})],
                   stomp=StompLimits(headers=20))  # fmt: skip
    assert says == "more than 20 headers in a frame (limit: headers)"


def test_header_line(refused):
    says = refused([(SEND, {"destination": "/queue/q", "long": "x" * 300})], stomp=StompLimits(header_line_bytes=256))
    assert says == "header line longer than 256 bytes (limit: header-line)"


def test_names(refused):
    """What is kept longer than its frame must be short."""
    for ask in (send("/topic/" + "x" * 1024), send("/queue/" + "x" * 1024), subscribe("i" * 1025)):
        assert refused([ask]) == "limit: name_length (1024)"


def test_topic_levels(refused):
    assert refused([send("/topic/" + ".".join("abcd"))], broker=Limits(topic_levels=3)) == "limit: topic_levels (3)"


def test_subscriptions_of_a_connection(refused):
    says = refused([subscribe(n) for n in range(3)], broker=Limits(subscriptions_per_connection=2))
    assert says == "limit: subscriptions_per_connection (2)"


def test_subscriptions_of_the_hub(refused):
    says = refused([subscribe(n) for n in range(3)], broker=Limits(subscriptions=2))
    assert says == "limit: subscriptions (2)"


def test_prefetch(refused):
    says = refused([subscribe(1, ack="client", **{"prefetch-count": "11"})], broker=Limits(prefetch=10))
    assert says == "limit: prefetch (10)"


def test_queues(refused):
    assert refused([send(f"/queue/{n}") for n in range(3)], broker=Limits(queues=2)) == "limit: queues (2)"


def test_queue_messages(refused):
    assert refused([send() for _ in range(3)], broker=Limits(queue_messages=2)) == "limit: queue_messages (2)"


def test_queue_bytes(refused):
    says = refused([send(body=b"x" * 1000)] * 3, broker=Limits(queue_bytes=3500))
    assert says == "limit: queue_bytes (3500)"


def test_memory(refused):
    """All queues together."""
    says = refused([send(f"/queue/{n}", b"x" * 1000) for n in range(4)], broker=Limits(memory_bytes=5000))
    assert says == "limit: memory_bytes (5000)"


def test_open_transactions(refused):
    says = refused([(BEGIN, {"transaction": str(n)}) for n in range(3)], stomp=StompLimits(transactions=2))
    assert says == "more than 2 open transactions (limit: transactions)"


def test_bytes_in_transactions(refused):
    held = (SEND, {"destination": "/queue/q", "transaction": "t"}, b"x" * 1000)
    says = refused([(BEGIN, {"transaction": "t"}), held, held], stomp=StompLimits(transaction_bytes=2000))
    assert "limit: transaction-bytes" in says


def test_durables(start):
    hub = start(broker_limits=Limits(durables=1))
    client = hub.client(client_id="c")
    client.subscribe("/topic/a", "1", activemq__subscriptionName="d1")
    client.send("SUBSCRIBE", {"destination": "/topic/a", "id": "2", "activemq.subscriptionName": "d2"})
    assert client.refusal() == "limit: durables (1)"


def test_connections(start):
    """One too many is told so before it can say CONNECT, and comes in when another has left."""
    hub = start(broker_limits=Limits(connections=2))
    first, second = hub.client(), hub.client(connect=False)
    assert hub.client(connect=False).refusal() == "too many connections (limit: connections, 2)"
    first.publish("/topic/a", b"unharmed")
    second.close()
    hub.events.wait(SessionClosed, 2)
    hub.client().publish("/topic/a", b"x")


def test_who_is_turned_away_keeps_no_place(start):
    """A crowd that is told to go, and lingers, does not keep out who comes when there is room again."""
    hub = start(broker_limits=Limits(connections=1))
    inside, outside = hub.client(), hub.client(connect=False)
    assert outside.expect("ERROR").headers["message"] == "too many connections (limit: connections, 1)"
    inside.close()
    hub.events.wait(SessionClosed)
    hub.client().publish("/topic/a", b"x")
