"""Topics, queues, receipts, expiry and what travels with a message."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from tests.hub.conftest import either_way

pytestmark = either_way


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("body", [b"", b"plain", "한글 ✓".encode(), bytes(range(256)), b"\0" * 1000])
def test_bodies_travel_unchanged(hub, version, body):
    client = hub.client(version)
    client.subscribe("/topic/a")
    client.publish("/topic/a", body)
    assert client.bodies(1) == [body]


def test_a_body_of_five_mebibytes(hub):
    client, body = hub.client(), bytes(range(256)) * 20_480
    client.subscribe("/topic/a")
    client.publish("/topic/a", body)
    assert client.bodies(1) == [body]


@pytest.mark.parametrize("value", ["a:b", "line\nbreak", "back\\slash", "carriage\rreturn", "가", ""])
def test_headers_travel_unchanged(hub, value):
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a")
    writer.publish("/topic/a", b"x", note=value, content_type="text/plain", priority="4")
    headers = reader.expect("MESSAGE").headers
    assert (headers["note"], headers["content-type"], headers["priority"]) == (value, "text/plain", "4")
    assert "receipt" not in headers


def test_what_an_old_reader_cannot_be_told_is_left_out(hub):
    """A header with a line break reaches who speaks 1.2, and costs who speaks 1.0 nothing but that header."""
    readers, writer = [hub.client("1.0"), hub.client("1.2")], hub.client()
    for reader in readers:
        reader.subscribe("/topic/a")
    writer.publish("/topic/a", b"x", note="line\nbreak", other="kept")
    old, new = (reader.expect("MESSAGE").headers for reader in readers)
    assert ("note" in old, old["other"]) == (False, "kept")
    assert new["note"] == "line\nbreak"


def test_everyone_on_a_topic_gets_everything_in_order(hub):
    """Whatever their version and their name for the subscription."""
    readers = [(hub.client(version), key) for version in ("1.0", "1.1", "1.2", "1.2") for key in ("s", "t")]
    for reader, key in readers:
        reader.subscribe("/topic/a", key)
    bodies = [b"%d" % n for n in range(500)]
    hub.client().publish("/topic/a", *bodies)
    for reader, key in readers:
        frames = [reader.frame() for _ in bodies]
        assert [frame.body for frame in frames] == bodies
        assert {frame.headers["subscription"] for frame in frames} == {key}


def test_message_ids_are_unique(hub):
    reader = hub.client()
    reader.subscribe("/topic/a")
    hub.client().publish("/topic/a", *[b"x"] * 50)
    assert len({reader.frame().headers["message-id"] for _ in range(50)}) == 50


def test_order_across_topics_of_one_publisher(hub):
    """A wildcard's subscriber sees the publisher's order, though each topic has an audience of its own."""
    every, some = hub.client(), hub.client()
    every.subscribe("/topic/**")
    some.subscribe("/topic/a")
    writer = hub.client()
    for n in range(200):
        writer.send("SEND", {"destination": f"/topic/{'ab'[n % 2]}"}, b"%d" % n)
    assert every.bodies(200) == [b"%d" % n for n in range(200)]
    assert some.bodies(100) == [b"%d" % n for n in range(0, 200, 2)]


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"),
    [
        ("a.*", ["a.b", "a.c"], ["a", "a.b.c", "b.a"]),
        ("a.**", ["a", "a.b", "a.b.c"], ["b", "b.a"]),
        ("*.b", ["a.b", "c.b"], ["b", "a.b.c"]),
        ("**", ["a", "a.b.c"], []),
    ],
)
def test_wildcards(hub, pattern, matches, misses):
    reader, writer = hub.client(), hub.client()
    reader.subscribe(f"/topic/{pattern}")
    for name in [*misses, *matches]:
        writer.publish(f"/topic/{name}", name.encode())
    assert reader.bodies(len(matches)) == [name.encode() for name in matches]
    assert reader.between() == []


def test_a_queue_keeps_and_shares_out(hub):
    """A message waits for a consumer; two consumers get each message once, in turn."""
    writer = hub.client()
    writer.publish("/queue/q", b"0", b"1")
    one, two = hub.client(), hub.client()
    one.subscribe("/queue/q")
    two.subscribe("/queue/q")
    assert one.bodies(2) == [b"0", b"1"]
    writer.publish("/queue/q", b"2", b"3", b"4", b"5")
    got = [client.bodies(2) for client in (one, two)]
    assert sorted(got[0] + got[1]) == [b"2", b"3", b"4", b"5"]


def test_unsubscribe_is_done_when_its_receipt_comes(hub):
    """What was published before comes before the receipt, and nothing after it."""
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a")
    writer.publish("/topic/a", b"before")
    assert [frame.body for frame in reader.ask("UNSUBSCRIBE", {"id": "s"})] == [b"before"]
    writer.publish("/topic/a", b"after")
    assert reader.between() == []


@pytest.mark.parametrize("last", ["UNSUBSCRIBE", "DISCONNECT"])
def test_what_was_asked_for_at_once_is_done_in_order(hub, last):
    """Messages and the end of the subscription in one read: the messages come first."""
    client = hub.client()
    client.subscribe("/topic/a")
    sends = [client.encoded("SEND", {"destination": "/topic/a"}, b"%d" % n) for n in range(3)]
    client.raw(b"".join(sends) + client.encoded(last, {"id": "s", "receipt": "r"}))
    assert client.bodies(3) == [b"0", b"1", b"2"]
    client.expect("RECEIPT")


def test_a_name_for_a_subscription_can_be_used_again(hub):
    reader = hub.client()
    for topic in ("/topic/a", "/topic/b"):
        reader.subscribe(topic)
        reader.publish(topic, b"x")
        assert reader.expect("MESSAGE").headers["destination"] == topic
        reader.ask("UNSUBSCRIBE", {"id": "s"})


def test_receipts_come_in_order_and_after_the_effect(hub):
    """When the receipt of a SEND is there the message is: a consumer that comes only then gets it."""
    writer = hub.client()
    for n in range(100):
        writer.send("SEND", {"destination": "/queue/q", "receipt": f"n{n}"}, b"%d" % n)
    assert [writer.expect("RECEIPT").headers["receipt-id"] for _ in range(100)] == [f"n{n}" for n in range(100)]
    assert hub.stats.waiting == 100


def test_expired_messages_are_not_delivered(hub):
    """`expires` is a time since 1970 in milliseconds, 0 never; what is dropped is told."""
    writer = hub.client()
    now_ms = time.time_ns() // 1_000_000
    writer.publish("/queue/q", b"gone", expires=str(now_ms - 1))
    writer.publish("/queue/q", b"soon gone", expires=str(now_ms + 300))
    writer.publish("/queue/q", b"kept", expires="0")
    writer.publish("/queue/q", b"kept too", expires=str(now_ms + 60_000))
    hub.until(lambda stats: stats.waiting == 2)
    reader = hub.client()
    reader.subscribe("/queue/q")
    assert reader.bodies(2) == [b"kept", b"kept too"]
    assert hub.events.dropped(2) == {("/queue/q", "expired")}


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (("SUBSCRIBE", {"destination": "/topic/a", "id": "1", "selector": "a = 1"}), "no selectors"),
        (("SUBSCRIBE", {"destination": "/topic/a", "id": "1", "ack": "maybe"}), "unknown ack mode"),
        (("SUBSCRIBE", {"destination": "/topic/a"}), "needs the header 'id'"),
        (("SUBSCRIBE", {"destination": "/topic/a", "id": "1", "prefetch-count": "0"}), "at least 1"),
        (("SUBSCRIBE", {"destination": "/temp-queue/a", "id": "1"}), "/topic/NAME and /queue/NAME"),
        (("SUBSCRIBE", {"destination": "/queue/a.*", "id": "1"}), "not the name of a queue"),
        (("SEND", {"destination": "/topic/a.*"}), "a wildcard cannot be published to"),
        (("SUBSCRIBE", {"destination": "/queue/a.>", "id": "1"}), "not the name of a queue"),
        (("SEND", {"destination": "a"}), "/topic/NAME and /queue/NAME"),
        (("SEND", {"destination": "/queue/"}), "/topic/NAME and /queue/NAME"),
        (("SEND", {}), "needs the header 'destination'"),
        (("SEND", {"destination": "/queue/a\x1b[2J"}), "control character"),
        (("SEND", {"destination": "/topic/a", "expires": "soon"}), "expires is not a number"),
        (("UNSUBSCRIBE", {"id": "none"}), "no subscription 'none'"),
        (("ACK", {"id": "77"}), "acknowledge each message once"),
        (("ACK", {"id": "none"}), "no message was sent with the ack id"),
        (("CONNECT", {}), "connected already"),
        (("MESSAGE", {}), "not for clients to send"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(hub, frame, says):
    """An ERROR that says why and names the receipt; the connection ends, and no other."""
    client, other = hub.client(), hub.client()
    client.send(frame[0], {**frame[1], "receipt": "r"})
    error = client.expect("ERROR")
    assert says in error.headers["message"]
    assert error.headers.get("receipt-id") == "r"
    client.end()
    other.publish("/topic/a", b"unharmed")


def test_a_subscription_twice(hub):
    client = hub.client()
    client.subscribe("/topic/a")
    client.send("SUBSCRIBE", {"destination": "/topic/b", "id": "s"})
    assert "is there already" in client.refusal()


def test_own_messages_come_back_after_the_receipt(hub):
    client = hub.client()
    client.subscribe("/topic/a")
    for n in range(20):
        client.publish("/topic/a", b"%d" % n)
        assert client.bodies(1) == [b"%d" % n]


def test_publishers_interleave_but_keep_their_order(hub):
    reader = hub.client()
    reader.subscribe("/topic/a")
    writers = [hub.client() for _ in range(3)]
    for n in range(100):
        for name, writer in enumerate(writers):
            writer.send("SEND", {"destination": "/topic/a"}, b"%d-%d" % (name, n))
    came = [tuple(map(int, body.split(b"-"))) for body in reader.bodies(300)]
    for name in range(3):
        numbers = [n for who, n in came if who == name]
        assert all(after == before + 1 for before, after in pairwise(numbers))
