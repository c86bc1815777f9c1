"""A client that does not read: what it costs under each policy, and whom."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from mqctl.broker import Limits, SlowConsumer
from mqctl.hub.events import SessionClosed
from mqctl.protocols.stomp.spec import Limits as StompLimits

BODY = b"x" * 10_000
BUFFER_BYTES = 1024 * 1024
COUNT = 1500
"""Messages of BODY: several times what the sockets of both sides hold."""


def sleeper(hub, **headers):
    """A subscriber that reads nothing after its subscription."""
    client = hub.client(**headers)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    client.subscribe("/topic/a")
    return client


def slow_hub(start, policy, **limits):
    return start(
        slow_consumer=policy,
        write_buffer_bytes=BUFFER_BYTES,
        broker_limits=Limits(**{"backlog_messages": 100, **limits}),
    )


def test_drop_oldest(start):
    """The newest messages reach the sleeper when it wakes; the others get all; the publisher is not slowed."""
    hub = slow_hub(start, SlowConsumer.DROP_OLDEST)
    slow, quick, writer = sleeper(hub), hub.client(), hub.client()
    quick.subscribe("/topic/a")
    for start_of_burst in range(0, COUNT, 50):
        burst = [BODY + b"%d" % n for n in range(start_of_burst, start_of_burst + 50)]
        writer.publish("/topic/a", *burst)
        assert quick.bodies(50) == burst
    dropped = hub.stats.dropped
    assert dropped > 0
    assert hub.events.dropped(dropped) == {("/topic/a", "slow consumer")}
    rest = [int(body.removeprefix(BODY)) for body in slow.bodies(COUNT - dropped)]
    assert rest[-100:] == list(range(COUNT - 100, COUNT))
    assert rest == sorted(rest)


def test_disconnect(start):
    """The sleeper is told why and closed; the publisher is not slowed, and nobody else notices."""
    hub = slow_hub(start, SlowConsumer.DISCONNECT)
    sleeper(hub)
    writer = hub.client()
    writer.publish("/topic/a", *[BODY] * COUNT)
    (closed,) = hub.events.wait(SessionClosed)
    assert closed.reason == "too slow for /topic/a: limit: backlog_messages (100)"
    hub.until(lambda stats: stats.sessions == 1)


def test_disconnect_says_why(start):
    """A sleeper that wakes within the drain finds the reason behind the messages."""
    hub = slow_hub(start, SlowConsumer.DISCONNECT)
    slow, writer = sleeper(hub), hub.client()
    writer.publish("/topic/a", *[BODY] * COUNT)
    assert slow.refusal() == "too slow for /topic/a: limit: backlog_messages (100)"


@pytest.mark.parametrize("ends", ["wakes", "leaves"])
def test_block(start, ends):
    """The publisher waits, nothing is dropped, and it goes on when the sleeper has caught up or is gone."""
    hub = slow_hub(start, SlowConsumer.BLOCK)
    slow, writer, bystander = sleeper(hub), hub.client(), hub.client()
    writing = threading.Thread(target=lambda: writer.publish("/topic/a", *[BODY] * COUNT))
    writing.start()
    hub.until(lambda stats: stats.held_publishers == 1)
    bystander.publish("/topic/b", b"not held")
    assert writing.is_alive()
    if ends == "wakes":
        assert slow.bodies(COUNT) == [BODY] * COUNT
    else:
        slow.close()
    writing.join()
    assert hub.stats.held_publishers == 0
    assert hub.stats.dropped == 0


def test_a_held_publisher_is_not_given_up(start):
    """It is the hub that does not listen: neither its silence nor its half-read frame is held against it."""
    hub = start(
        slow_consumer=SlowConsumer.BLOCK,
        write_buffer_bytes=BUFFER_BYTES,
        broker_limits=Limits(backlog_messages=100),
        stomp_limits=StompLimits(frame_timeout_s=1.0),
        heart_beat_ms=400,
    )
    slow, writer = sleeper(hub), hub.client(heart_beat="400,0")
    writing = threading.Thread(target=lambda: writer.publish("/topic/a", *[BODY] * COUNT))
    writing.start()
    hub.until(lambda stats: stats.held_publishers == 1)
    with pytest.raises(AssertionError):
        hub.events.wait(SessionClosed, timeout_s=1.5)
    assert slow.bodies(COUNT) == [BODY] * COUNT
    writing.join()


def test_a_held_publisher_that_goes_is_forgotten(start):
    hub = slow_hub(start, SlowConsumer.BLOCK)
    slow, writer = sleeper(hub), hub.client()

    def write():
        with contextlib.suppress(OSError, AssertionError):
            writer.publish("/topic/a", *[BODY] * COUNT)

    writing = threading.Thread(target=write)
    writing.start()
    hub.until(lambda stats: stats.held_publishers == 1)
    writer.socket.shutdown(socket.SHUT_RDWR)
    writing.join()
    slow.close()
    hub.until(lambda stats: stats.sessions == stats.held_publishers == stats.memory_bytes == 0)


def test_answers_that_nobody_reads_do_not_pile_up(start):
    """Who asks for receipts and reads none is not read from any more, and loses nothing when it reads again."""
    hub = start(write_buffer_bytes=BUFFER_BYTES)
    client, other = hub.client(), hub.client()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    receipt = "r" * 8000
    frame = client.encoded("SEND", {"destination": "/topic/a", "receipt": receipt})
    sent, count = threading.Event(), 6000

    def ask():
        for _ in range(count):
            client.raw(frame)
        sent.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert not sent.wait(1.5), "48 MB of receipts are waiting somewhere"
    other.publish("/topic/a", b"unharmed")
    assert {client.expect("RECEIPT").headers["receipt-id"] for _ in range(count)} == {receipt}
    asking.join()


def test_memory_limit(start):
    """Backlogs count against the memory of the hub; beyond it the newest is dropped, and told."""
    hub = slow_hub(start, SlowConsumer.DROP_OLDEST, backlog_messages=10_000, memory_bytes=1_000_000)
    slow, writer = sleeper(hub), hub.client()
    writer.publish("/topic/a", *[BODY] * COUNT)
    assert hub.stats.memory_bytes <= 1_000_000
    assert hub.events.dropped(hub.stats.dropped) == {("/topic/a", "memory limit")}
    slow.close()
    hub.until(lambda stats: stats.memory_bytes == 0)


def test_a_consumer_that_acknowledges_slowly_is_not_slow(hub):
    """Its prefetch bounds what it is sent; the rest waits in the queue and comes as it acknowledges."""
    client = hub.client()
    client.subscribe("/queue/q", ack="client", prefetch_count="10")
    hub.client().publish("/queue/q", *[b"%d" % n for n in range(100)])
    for n in range(0, 100, 10):
        frames = [client.expect("MESSAGE") for _ in range(10)]
        assert [frame.body for frame in frames] == [b"%d" % each for each in range(n, n + 10)]
        client.send("ACK", {"id": frames[-1].headers["ack"]})


@pytest.mark.parametrize("policy", list(SlowConsumer))
def test_who_reads_nothing_for_long_is_closed(start, policy):
    """Without heart-beats nothing else would end it, and its buffers would stay full for ever."""
    hub = start(slow_consumer=policy, unread_timeout_s=0.5, drain_s=0.1, broker_limits=Limits(backlog_messages=10_000))
    writer = hub.client()
    sleeper(hub)
    writer.publish("/topic/a", *[BODY] * COUNT)
    (closed,) = hub.events.wait(SessionClosed)
    assert closed.reason == "nothing read in 0.5 s (limit: unread-timeout)"
    hub.until(lambda stats: stats.sessions == 1 and stats.memory_bytes == 0)


def test_who_reads_slowly_is_not_closed(start):
    hub = start(unread_timeout_s=0.5, broker_limits=Limits(backlog_messages=10_000))
    slow, writer = sleeper(hub), hub.client()
    writer.publish("/topic/a", *[BODY] * COUNT)
    for _ in range(15):
        assert slow.bodies(40) == [BODY] * 40
        time.sleep(0.1)  # the slowness itself
    assert slow.bodies(COUNT - 600) == [BODY] * (COUNT - 600)
