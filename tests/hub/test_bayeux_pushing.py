"""What is pushed to a client as it comes, and what waits for it where it is away or does not read."""

from __future__ import annotations

import json

import pytest

from mqctl.protocols.bayeux.session import Terms
from tests.hub.bayeux import Poller, Socket
from tests.hub.raw_web import ask

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
