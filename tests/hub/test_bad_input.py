"""What no client should send: only its own connection ends, with a reason, and the hub goes on."""

from __future__ import annotations

import socket
import struct

import pytest

from mqctl.hub import addresses
from mqctl.hub.events import SessionClosed
from tests.hub.conftest import either_way

GARBAGE = {
    "no-command": b"\n\n\x00",
    "unknown-command": b"HELLO\n\n\0",
    "http": b"POST /topic/a HTTP/1.1\r\nHost: hub\r\nContent-Length: 30\r\n\r\nSEND\ndestination:/topic/a\n\nx\0",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "binary": bytes(range(255, -1, -1)) * 20,
    "not-utf-8": b"SEND\ndestination:/topic/\xff\n\n\0",
    "no-colon": b"SEND\ndestination\n\n\0",
    "bad-escape": b"SEND\ndestination:/topic/a\\t\n\n\0",
    "no-blank-line": b"SEND\ndestination:/topic/a\0",
    "length-not-a-number": b"SEND\ndestination:/topic/a\ncontent-length:-1\n\nx\0",
    "length-beyond-numbers": b"SEND\ndestination:/topic/a\ncontent-length:" + b"9" * 500 + b"\n\nx\0",
    "length-too-short": b"SEND\ndestination:/topic/a\ncontent-length:1\n\nxyz\0",
    "body-where-none-may-be": b"SUBSCRIBE\nid:1\ndestination:/topic/a\n\nbody\0",
    "surrogate-in-a-name": b"SEND\ndestination:/topic/\xed\xa0\x80\n\n\0",
}


@either_way
@pytest.mark.parametrize("kind", [kind for kind in GARBAGE if kind != "no-command"])
@pytest.mark.parametrize("connected", [True, False])
def test_garbage(hub, kind, connected):
    """ERROR, the end, an event that says why; a pair of others does not lose a message."""
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a")
    bad = hub.client(connect=connected)
    writer.publish("/topic/a", b"before")
    bad.raw(GARBAGE[kind])
    reason = bad.refusal()
    assert reason
    writer.publish("/topic/a", b"after")
    assert reader.bodies(2) == [b"before", b"after"]
    (closed,) = hub.events.wait(SessionClosed)
    assert closed.reason == reason
    assert hub.stats.sessions == 2


@pytest.mark.parametrize("cut", [1, 5, 20, 40])
@pytest.mark.parametrize("reset", [True, False])
def test_a_frame_that_ends_with_its_connection(hub, cut, reset):
    """A truncated frame does nothing, whether the connection is closed or reset."""
    bad, other = hub.client(), hub.client()
    bad.raw(b"SEND\ndestination:/queue/q\ncontent-length:9\n\n123456789\0"[:cut])
    if reset:
        bad.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    bad.close()
    hub.events.wait(SessionClosed)
    other.publish("/topic/a", b"x")
    assert hub.stats.waiting == 0


def test_a_frame_byte_by_byte(hub):
    client = hub.client()
    client.subscribe("/topic/a")
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"SEND\ndestination:/topic/a\n\nslowly\0":
        client.raw(bytes([byte]))
    assert client.bodies(1) == [b"slowly"]


@either_way
def test_what_came_before_the_garbage_is_done(hub):
    client = hub.client()
    client.raw(client.encoded("SEND", {"destination": "/queue/q", "receipt": "1"}) + b"GARBAGE\n\n\0")
    client.expect("RECEIPT")
    client.refusal()
    assert hub.stats.waiting == 1


@either_way
def test_nothing_after_the_garbage_is_done(hub):
    client = hub.client()
    client.raw(b"GARBAGE\n\n\0" + client.encoded("SEND", {"destination": "/queue/q"}))
    client.refusal()
    assert hub.stats.waiting == 0


@either_way
def test_a_consumer_that_errs_is_sent_no_more(hub):
    """It is out of its queue at once, not when it has closed, so that nothing is delivered to nobody."""
    consumer, writer = hub.client(), hub.client()
    consumer.subscribe("/queue/q")
    consumer.raw(b"GARBAGE\n\n\0")
    consumer.expect("ERROR")
    writer.publish("/queue/q", b"kept")
    assert hub.stats.waiting == 1


def test_a_connection_that_is_gone_at_once(hub):
    """Reset before the hub has looked at it."""
    for _ in range(50):
        with socket.create_connection((hub.endpoint.host, hub.endpoint.port)) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    hub.client().publish("/topic/a", b"x")
    hub.until(lambda stats: stats.sessions == 1)


def test_many_destinations_do_not_fill_the_memory(hub):
    """Names are remembered, but neither too many nor too long."""
    client = hub.client()
    for n in range(6000):
        client.send("SEND", {"destination": f"/topic/{n}" + "x" * 1000})
    client.between()
    assert hub.stats.routes_cached <= 4096
    cached = addresses._address.cache_info().currsize
    assert cached * addresses.NAME_MAX <= 8 * 2**20
