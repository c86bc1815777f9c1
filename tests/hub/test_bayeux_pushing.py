"""What is pushed to a client as it comes, and what waits for it where it is away or does not read."""

from __future__ import annotations

import json
import time

import pytest

from mqctl.protocols.bayeux.session import ServerSession, Terms
from tests.hub.bayeux import Poller, Socket
from tests.hub.raw_web import ask
from tests.hub.test_bayeux_protocol import poller_waits, server_of

pytestmark = pytest.mark.parametrize("via", ["web-socket"], indirect=True)

FILL = "x" * 1000


class Stream:
    """The stream of events of a session.

    Args:
        hub: Where it is.
        poller: Whose it is.
    """

    def __init__(self, hub, poller):
        head = f"GET /bayeux/{poller.client_id} HTTP/1.1\r\nHost: {hub.endpoint}\r\nCookie: {poller.cookie}\r\n"
        status, _, self._body, self.sock = ask(hub.endpoint, head.encode() + b"Accept: text/event-stream\r\n\r\n")
        assert status == 200

    def data(self, count):
        """The data of the next messages."""
        got = []
        while len(got) < count:
            while b"\n\n" not in self._body:
                self._body += self.sock.recv(65_536) or pytest.fail(f"the stream ended after {len(got)}")
            event, _, self._body = self._body.partition(b"\n\n")
            if event.startswith(b"data: "):
                got += [message["data"] for message in json.loads(event[6:])]
        return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class TestWhatWaited:
    """All of it comes, piece by piece, and nothing else has to happen for that."""

    @pytest.fixture
    def hub(self, start):
        return start(bayeux_terms=Terms(reply_bytes=10_000))

    def test_over_a_socket_that_takes_the_session_up(self, hub):
        with Poller(hub.endpoint) as poller, Socket(hub.endpoint, poller.client_id) as sock:
            poller.subscribe("/a").connected()
            hub.client().publish("/topic/a", *[json.dumps([number, FILL]).encode() for number in range(100)])
            sock.tell("/meta/connect", connectionType="websocket")
            assert [number for number, _ in sock.data(100)] == list(range(100))

    def test_over_a_stream_that_is_opened(self, hub):
        with Poller(hub.endpoint) as poller:
            poller.subscribe("/a").connected()
            hub.client().publish("/topic/a", *[json.dumps([number, FILL]).encode() for number in range(100)])
            with Stream(hub, poller) as stream:
                assert [number for number, _ in stream.data(100)] == list(range(100))


def test_a_silent_stream_says_that_it_is_there(start):
    """Or a proxy would end it."""
    hub = start(heart_beat_ms=20)
    with Poller(hub.endpoint) as poller:
        poller.subscribe("/a").connected()
        with Stream(hub, poller) as stream:
            said = b""
            while said.count(b":\n\n") < 3:
                said += stream.sock.recv(1000)
            hub.client().publish("/topic/a", b"1")
            assert stream.data(1) == [1]


def test_a_connect_does_not_overtake_the_stream(start):
    """What waits because the stream is not read comes by the stream, behind what was written there before."""
    hub = start(write_buffer_bytes=10_000)
    with Poller(hub.endpoint) as poller:
        poller.subscribe("/a").connected()
        with Stream(hub, poller) as stream:
            sent = 0
            while not choked(hub, poller.client_id) or sent % 10:
                hub.client().publish("/topic/a", json.dumps([sent, FILL * 1000]).encode())
                sent += 1
            (reply,) = poller.say("/meta/connect", connectionType="eventsource")
            assert reply["successful"]
            assert [number for number, _ in stream.data(sent)] == list(range(sent))


def test_who_polls_again_is_pushed_no_more(hub):
    """A stream that broke unnoticed would swallow what the client waits for elsewhere."""
    with Poller(hub.endpoint) as poller:
        poller.subscribe("/a").connected()
        with Stream(hub, poller) as stream:
            waiting = poller.hold()
            hub.until(lambda _: poller_waits(hub, poller))
            hub.client().publish("/topic/a", b"1")
            assert [each.get("data") for each in waiting.get().messages] == [1, None]
            assert stream.sock.recv(1000) == b""


def choked(hub, client_id):
    """Whether its connection takes no more just now."""
    return hub.thread.ask(lambda it: not server_of(it).sessions[client_id].port._pusher.ready)


class TestWhoDoesNotRead:
    @pytest.fixture
    def hub(self, start):
        return start(bayeux_terms=Terms(timeout_ms=100), write_buffer_bytes=10_000)

    def test_costs_no_time(self, hub, monkeypatch):
        """Its connect cannot be answered when its time is over, and not until it reads."""
        looks = []
        look = ServerSession.next_deadline_ns
        monkeypatch.setattr(ServerSession, "next_deadline_ns", lambda self: looks.append(self) or look(self))
        with Socket(hub.endpoint) as sock, Socket(hub.endpoint) as writer:
            sock.subscribe("/a").connected()
            sock.tell("/meta/connect", connectionType="websocket")
            while not choked(hub, sock.client_id):
                writer.publish("/a", FILL * 1000)
            looks.clear()
            time.sleep(0.5)  # this is for how long it does not read
            assert len(looks) < 20
            while "/meta/connect" not in [each["channel"] for each in sock.next()]:
                pass
