"""Long messages on slow lines, and the life of whoever takes them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mqctl.adapters.heartbeat import HeartBeat
from mqctl.adapters.mqtt_transport import PIECE_BYTES, POSTED_MAX, Transport
from mqctl.adapters.stream import plain

BEAT = HeartBeat(send_s=0.05, receive_s=0.1)
PING = b"ping"
PATIENCE_S = 10.0


class Ended:
    """Keeps why a connection ended."""

    def __init__(self) -> None:
        self.reason = ""
        self.over = threading.Event()

    def on_open(self) -> None:
        pass

    def on_bytes(self, data: bytes, now_ns: int) -> None:
        pass

    def on_closed(self, reason: str) -> None:
        self.reason = reason
        self.over.set()


@pytest.fixture
def idle() -> Iterator[tuple[Transport, socket.socket]]:
    """Both ends, without the threads."""
    ours, theirs = socket.socketpair()
    transport = Transport(plain(ours), "peer")
    yield transport, theirs
    transport.kill("closed")
    transport.join(PATIENCE_S)
    theirs.close()


@pytest.fixture
def pair() -> Iterator[tuple[Transport, socket.socket, Ended]]:
    ours, theirs = socket.socketpair()
    # Little room between, so that a write waits for whoever reads.
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE_BYTES)
    transport, ended = Transport(plain(ours), "peer"), Ended()
    transport.run(BEAT, lambda: PING, ended)
    yield transport, theirs, ended
    transport.kill("closed")
    transport.join(PATIENCE_S)
    theirs.close()


def test_whoever_takes_a_long_message_slowly_is_alive(pair):
    transport, theirs, ended = pair
    message = bytes(40 * PIECE_BYTES)
    writing = threading.Thread(target=transport.write, args=(message,))
    writing.start()
    taken = bytearray()
    begun = time.monotonic()
    while len(taken) < len(message):
        taken += theirs.recv(PIECE_BYTES)
        # Slower than the line is silent until it counts as dead.
        ended.over.wait(BEAT.silence_s / 20)
    assert time.monotonic() - begun > BEAT.silence_s
    assert taken[: len(message)] == message, "no ping stands in the midst of it"
    assert not ended.over.is_set()
    writing.join(PATIENCE_S)


def test_whoever_takes_no_more_is_gone(pair):
    transport, theirs, ended = pair
    with pytest.raises(OSError):
        transport.write(bytes(40 * PIECE_BYTES))
    assert ended.over.wait(PATIENCE_S)
    assert "0.3 s" in ended.reason
    assert theirs.recv(PIECE_BYTES)


def test_what_was_left_is_sent_in_one_piece_and_in_its_order(idle):
    transport, theirs = idle
    for part in (b"a", b"b", b"c"):
        transport.leave(part)
    transport.run(HeartBeat(), lambda: PING, Ended())
    assert theirs.recv(100) == b"abc"


def test_nothing_overtakes_what_was_left(idle):
    transport, theirs = idle
    transport.leave(b"first")
    with pytest.raises(TimeoutError):
        transport.write(b"second", time.monotonic() + 0.01)
    transport.run(HeartBeat(), lambda: PING, Ended())
    transport.write(b"third")
    assert theirs.recv(5) == b"first"
    assert theirs.recv(100) == b"third"


def test_whoever_leaves_much_waits_for_room(idle):
    transport, theirs = idle
    transport.leave(bytes(POSTED_MAX))
    more = threading.Thread(target=transport.leave, args=(b"more",))
    more.start()
    more.join(0.05)
    assert more.is_alive()
    transport.run(HeartBeat(), lambda: PING, Ended())
    more.join(PATIENCE_S)
    assert theirs.recv(POSTED_MAX + 4, socket.MSG_WAITALL).endswith(b"more")


def test_nobody_waits_for_room_in_a_connection_that_is_over(idle):
    transport, _ = idle
    transport.leave(bytes(POSTED_MAX))
    transport.kill("over")
    transport.leave(b"more")
    with pytest.raises(OSError):
        transport.write(b"x")
