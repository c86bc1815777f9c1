"""The tools that the contract suite lends to other projects."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys

import pytest

import mqctl.testing
from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.stomp import StompAdapter
from mqctl.model import Delivery, Outgoing, SubscriptionId, Topic
from mqctl.target import Endpoint, Target, parse_url
from mqctl.testing import Link, Recorder

DELIVERY = Delivery("t", b"x", {}, SubscriptionId("1"), 0)
PATIENCE_S = 5.0


def test_the_hub_fixture_is_a_working_hub(mqctl_hub):
    url = parse_url(mqctl_hub.url)
    recorder = Recorder()
    with StompAdapter().connect(Target(scheme=url.scheme, endpoints=url.endpoints), sink=recorder) as connection:
        connection.subscribe(SubscribeSpec(topic=Topic(levels=("t",))), timeout_s=PATIENCE_S)
        connection.submit(Outgoing(topic=Topic(levels=("t",)), payload=b"x"))
        assert recorder.message(b"x").topic == "t"


def test_the_plugin_loads_nothing_that_its_user_may_not_need():
    script = """
import sys
import pytest
before = set(sys.modules)
import mqctl.testing.plugin
assert {name for name in set(sys.modules) - before if not name.startswith("mqctl")} == set()
assert not {"mqctl.hub", "mqctl.adapters", "stomp"} & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_names_are_loaded_when_they_are_used():
    assert all(getattr(mqctl.testing, name) for name in mqctl.testing.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = mqctl.testing.nothing


def test_a_recorder_that_waits_in_vain_says_what_came_instead():
    recorder = Recorder(patience_s=0.01)
    recorder([DELIVERY])
    assert recorder.deliveries(1) == [DELIVERY]
    with pytest.raises(AssertionError, match=r"2 messages did not come.*payload=b'x'"):
        recorder.deliveries(2)


class TestLink:
    @pytest.fixture
    def ends(self):
        """A client, the server's end of its connection, and the link between them."""
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            Link(Endpoint(*listener.getsockname())) as link,
            socket.create_connection((link.endpoint.host, link.endpoint.port), PATIENCE_S) as client,
            listener.accept()[0] as server,
        ):
            server.settimeout(PATIENCE_S)
            yield client, server, link

    def test_it_relays_both_ways_and_the_end(self, ends):
        client, server, _ = ends
        client.sendall(b"ping")
        assert server.recv(10) == b"ping"
        server.sendall(b"pong")
        assert client.recv(10) == b"pong"
        client.shutdown(socket.SHUT_WR)
        assert server.recv(10) == b""

    def test_it_holds_bytes_back_until_told_otherwise(self, ends):
        client, server, link = ends
        link.stall()
        client.sendall(b"late")
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.recv(10)
        link.resume()
        server.settimeout(PATIENCE_S)
        assert server.recv(10) == b"late"

    def test_cutting_ends_both_sides(self, ends):
        client, server, link = ends
        client.sendall(b"x")
        server.recv(1)
        link.cut()
        for end in (client, server):
            with contextlib.suppress(ConnectionError):
                assert end.recv(10) == b""
