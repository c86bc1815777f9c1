"""Clients of Bayeux that cost a hub more than they should: it bears them for a time and serves others."""

from __future__ import annotations

import contextlib
import gzip
import resource
import socket
import threading
import time

import pytest

from mqctl.broker import Limits as BrokerLimits
from mqctl.cli.open_files import allow_connections
from mqctl.hub.events import MessagesDropped
from mqctl.hub.server import ASKING_MAX
from mqctl.protocols.stomp.spec import Limits as StompLimits
from tests.hub.bayeux import Poller, Socket
from tests.hub.client import PATIENCE_S
from tests.hub.raw_web import ask, handshake

pytestmark = pytest.mark.parametrize("via", ["web-socket"], indirect=True)

HALF_OPEN = 5_000
CHUNKED = "POST /bayeux HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def many_files():
    """Sockets at both ends are files of this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_connections(2 * HALF_OPEN)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def closed(sock):
    """Whether the hub closes, whatever it says before."""
    sock.settimeout(PATIENCE_S)
    with contextlib.suppress(ConnectionResetError):
        while sock.recv(65_536):
            pass
    sock.close()
    return True


def test_thousands_that_are_half_open(start, many_files):
    """Nothing sent, half a request, half a body, an upgrade and no more: each is closed; one that works goes on."""
    limits = {"stomp_limits": StompLimits(connect_timeout_s=2.0, frame_timeout_s=2.0)}
    hub = start(**limits, broker_limits=BrokerLimits(connections=HALF_OPEN + 100))
    halves = [
        b"",
        b"POST /bayeux HTT",
        f"POST /bayeux HTTP/1.1\r\nHost: {hub.endpoint}\r\nContent-Length: 9\r\n\r\n[".encode(),
        handshake(hub.endpoint, path="/bayeux"),
    ]
    with Socket(hub.endpoint) as works:
        works.subscribe("/a").connected()
        socks = []
        for number in range(HALF_OPEN):
            source = (f"127.0.0.{2 + number // 1000}", 0)
            socks.append(socket.create_connection((hub.endpoint.host, hub.endpoint.port), PATIENCE_S, source))
            socks[-1].sendall(halves[number % len(halves)])
            if number % 500 == 0:
                works.publish("/a", number)
        assert all(map(closed, socks))
        assert hub.thread.ask(lambda it: it.snapshot().connections) == 1
        works.publish("/a", "still")


def test_no_more_than_the_hub_takes(start):
    """Beyond its limit connections are turned away at once; those that are there go on."""
    hub = start(broker_limits=BrokerLimits(connections=20))
    with Poller(hub.endpoint) as poller:
        socks = [socket.create_connection(hub.endpoint) for _ in range(20 + ASKING_MAX)]
        assert closed(socks.pop())
        assert poller.publish("/a")[0]["successful"]
        for sock in socks:
            sock.close()


def test_a_body_of_chunks_without_end(start):
    """It may be neither large nor slow."""
    hub = start(stomp_limits=StompLimits(frame_timeout_s=0.5))
    head = CHUNKED.format(hub.endpoint).encode()
    status, _, body, sock = ask(hub.endpoint, head + b"10000\r\n" + b" " * 65_536 + b"\r\n1\r\n ")
    assert (status, body) == (413, b"more than 65536 bytes\n")
    sock.close()
    with socket.create_connection(hub.endpoint, PATIENCE_S) as sock:
        sock.sendall(head)
        began_s = time.monotonic()
        dribbling = threading.Event()

        def dribble():
            with contextlib.suppress(OSError):
                while not dribbling.wait(0.05):
                    sock.sendall(b"1\r\n \r\n")

        thread = threading.Thread(target=dribble)
        thread.start()
        assert sock.recv(65_536).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began_s < 5
        dribbling.set()
        thread.join()


def test_headers_that_come_byte_by_byte(start):
    """However busy it looks, a request has to begin in time."""
    hub = start(stomp_limits=StompLimits(connect_timeout_s=0.5))
    with socket.create_connection(hub.endpoint, PATIENCE_S) as sock, contextlib.suppress(OSError):
        sock.sendall(b"POST /bayeux HTTP/1.1\r\n")
        end_s = time.monotonic() + 5
        sock.settimeout(0.05)
        while time.monotonic() < end_s:
            sock.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                if not sock.recv(1000):
                    return
        pytest.fail("the hub goes on listening")


def test_a_small_body_that_unpacks_to_a_large_one(hub):
    packed = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    head = (
        f"POST /bayeux HTTP/1.1\r\nHost: {hub.endpoint}\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n"
    )
    status, _, body, sock = ask(hub.endpoint, head.encode() + b"\r\n" + packed)
    sock.close()
    assert (status, body) == (413, b"more than 65536 bytes\n")


def test_a_client_that_polls_and_never_reads(start):
    """What it asks for is bounded, and after a time it is closed."""
    hub = start(unread_timeout_s=0.5)
    with Poller(hub.endpoint) as poller, Poller(hub.endpoint) as writer:
        poller.subscribe("/a").connected()
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(hub.endpoint)
            body = b'[{"channel":"/meta/connect","clientId":"%b"}]' % poller.client_id.encode()
            head = f"POST /bayeux HTTP/1.1\r\nHost: {hub.endpoint}\r\nCookie: {poller.cookie}\r\n"
            sock.sendall((f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body) * 20)
            for _ in range(20):
                writer.publish("/a", "x" * 1_000_000)
            end_s = time.monotonic() + 5
            while hub.thread.ask(lambda it: it.snapshot().connections) > 2:
                assert time.monotonic() < end_s
                time.sleep(0.05)


def test_a_stream_that_nobody_reads(start):
    """What is not taken waits in the session, up to its bound, and the stream is closed in time."""
    limits = BrokerLimits(backlog_messages=50)
    hub = start(broker_limits=limits, write_buffer_bytes=10_000, unread_timeout_s=0.5)
    with Poller(hub.endpoint) as poller, Poller(hub.endpoint) as writer:
        poller.subscribe("/a").connected()
        request = f"GET /bayeux/{poller.client_id} HTTP/1.1\r\nHost: {hub.endpoint}\r\nCookie: {poller.cookie}\r\n"
        _, _, _, sock = ask(hub.endpoint, request.encode() + b"Accept: text/event-stream\r\n\r\n")
        for _ in range(100):
            writer.publish("/a", "x" * 100_000)
        dropped = hub.events.wait(MessagesDropped)
        assert {(drop.destination, drop.reason) for drop in dropped} == {("/topic/a", "slow consumer")}
        assert hub.thread.ask(lambda it: it.snapshot().bayeux.waiting) <= 50
        assert closed(sock)
