"""The tools that the contract suite lends to other projects."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time

import pytest

import mqctl.testing
from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.stomp import StompAdapter
from mqctl.faults.direction import Direction
from mqctl.model import Delivery, Outgoing, SubscriptionId, Topic
from mqctl.target import Endpoint, Target, parse_url
from mqctl.testing import Link, Recorder

DELIVERY = Delivery("t", b"x", {}, SubscriptionId("1"), 0)
PATIENCE_S = 20.0


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

    def test_cutting_resets_both_sides(self, ends):
        client, server, link = ends
        client.sendall(b"x")
        server.recv(1)
        link.cut()
        for end in (client, server):
            with pytest.raises(ConnectionResetError):
                end.recv(10)

    def test_a_cut_loses_what_was_stalled(self, ends):
        client, server, link = ends
        client.sendall(b"ping")
        assert server.recv(10) == b"ping"
        link.stall()
        client.sendall(b"lost")
        link.cut()
        with pytest.raises(ConnectionResetError):
            server.recv(10)

    def test_finishing_ends_both_sides_after_what_was_under_way(self, ends):
        client, server, link = ends
        client.sendall(b"last")
        assert server.recv(10) == b"last"
        link.finish()
        assert client.recv(10) == server.recv(10) == b""

    def test_refusing_keeps_what_is_connected_and_the_address(self, ends):
        client, server, link = ends
        link.refuse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(link.endpoint, PATIENCE_S)
        client.sendall(b"still")
        assert server.recv(10) == b"still"
        link.accept()
        socket.create_connection(link.endpoint, PATIENCE_S).close()

    def test_nobody_behind_it_ends_the_connection(self, ends):
        link = ends[2]
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            with Link(Endpoint(*deaf.getsockname())) as dead, socket.create_connection(dead.endpoint) as client:
                client.settimeout(PATIENCE_S)
                assert client.recv(10) == b""
        assert link.endpoint != dead.endpoint

    def test_closing_twice_is_no_trouble(self, ends):
        ends[2].close()


def received(end: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    data = b""
    while len(data) < size:
        chunk = end.recv(size - len(data))
        assert chunk, data
        data += chunk
    return data


class TestFaults:
    ends = TestLink.ends

    def test_a_delay_holds_for_each_way_alone(self, ends):
        client, server, link = ends
        link.down.delay(0.1)
        before = time.monotonic()
        client.sendall(b"ping")
        assert server.recv(10) == b"ping"
        there = time.monotonic()
        server.sendall(b"pong")
        assert client.recv(10) == b"pong"
        assert there - before < 0.1 <= time.monotonic() - there

    def test_delays_that_differ_keep_the_order(self, ends):
        client, server, link = ends
        link.up.delay(0.0, jitter_s=0.02)
        sent = b"".join(bytes([number]) for number in range(50))
        for number in range(50):
            client.sendall(sent[number : number + 1])
        assert received(server, 50) == sent

    def test_a_delay_is_no_throttle(self, ends):
        """What comes while something waits is not held up by that."""
        client, server, link = ends
        link.up.delay(0.1)
        before = time.monotonic()
        for _ in range(20):
            client.sendall(b"x")
            time.sleep(0.002)
        received(server, 20)
        assert time.monotonic() - before < 0.5

    def test_a_throttle_takes_its_time(self, ends):
        client, server, link = ends
        link.up.throttle(10_000)
        link.up.slice()
        before = time.monotonic()
        client.sendall(bytes(1000))
        received(server, 1000)
        assert 0.09 < time.monotonic() - before < 2.0
        link.up.heal()

    @pytest.mark.parametrize("size", [1, 5, 8])
    def test_it_cuts_after_so_many_bytes(self, ends, size):
        client, server, link = ends
        fired = link.up.cut_after(size)
        client.sendall(b"abcdefgh")
        assert received(server, size) == b"abcdefgh"[:size]
        with pytest.raises(ConnectionResetError):
            server.recv(1)
        assert fired.wait(PATIENCE_S)

    @pytest.mark.parametrize(
        "cuts", [[b"one-END two-END three-END four"], [b"one-E", b"ND two-EN", b"D three-", b"END four"]]
    )
    def test_it_cuts_behind_the_nth_pattern_however_the_bytes_come(self, ends, cuts):
        client, server, link = ends
        fired = link.down.cut_at(b"-END", nth=3)
        expected = b"one-END two-END three-END"
        for cut in cuts:
            server.sendall(cut)
            time.sleep(0.01)
        assert received(client, len(expected)) == expected
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert fired.wait(PATIENCE_S)

    def test_a_trigger_fires_once_and_may_do_anything(self, ends):
        client, server, link = ends
        seen = []
        fired = link.up.call_at(b"!", 2, lambda: seen.append(link.endpoint))
        client.sendall(b"a!b!c!d!")
        assert received(server, 8) == b"a!b!c!d!"
        assert fired.wait(PATIENCE_S)
        assert seen == [link.endpoint]

    def test_what_is_swallowed_is_told_to_nobody_and_new_connections_live(self, ends):
        client, server, link = ends
        client.sendall(b"heard")
        assert server.recv(10) == b"heard"
        link.up.swallow()
        client.sendall(b"unheard")
        server.sendall(b"pong")
        assert client.recv(10) == b"pong"
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.recv(10)

    def test_corruption_changes_one_byte_once(self, ends):
        client, server, link = ends
        link.up.corrupt()
        client.sendall(b"abc")
        assert received(server, 3) == bytes([ord("a") ^ 0x80]) + b"bc"
        client.sendall(b"abc")
        assert received(server, 3) == b"abc"

    def test_slices_are_short(self, ends):
        client, server, link = ends
        link.up.slice()
        link.up.throttle(2000)
        client.sendall(bytes(range(100)))
        pieces = []
        while sum(map(len, pieces)) < 100:
            pieces.append(server.recv(1000))
        assert b"".join(pieces) == bytes(range(100))
        assert len(pieces) > 3

    def test_what_is_healed_is_a_good_network(self, ends):
        client, server, link = ends
        link.up.delay(60.0)
        link.up.throttle(1)
        link.up.corrupt()
        link.up.swallow()
        link.up.cut_after(1)
        link.up.heal()
        client.sendall(b"abc")
        assert received(server, 3) == b"abc"

    def test_the_seed_repeats_chance(self):
        def drawn(seed: int) -> list[bytes]:
            direction = Direction(random.Random(seed), lambda: 1)
            direction.slice()
            direction.delay(0.0, jitter_s=1.0)
            return [*direction.passing(bytes(100), 1), direction.due_s(0.0)]

        assert drawn(1) == drawn(1) != drawn(2)
