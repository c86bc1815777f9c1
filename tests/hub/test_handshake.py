"""How a connection begins, keeps alive and ends."""

from __future__ import annotations

import socket
import time
from itertools import pairwise

import pytest

from mqctl.hub.events import SessionClosed, SessionOpened
from mqctl.protocols.stomp.spec import Limits
from mqctl.target import Endpoint, Secret
from tests.hub.client import Client


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_each_version_is_spoken(hub, version):
    """CONNECTED names the version, the server and the session; DISCONNECT gives its receipt, then the end."""
    client = hub.client(version)
    assert client.greeting.headers["version"] == version
    assert client.greeting.headers["server"].startswith("mqctl-hub/")
    assert client.ask("DISCONNECT", {}) == []
    client.end()
    (closed,) = hub.events.wait(SessionClosed)
    assert closed.reason == "the client disconnected"
    assert closed.session == client.greeting.headers["session"]


def test_the_highest_common_version_wins(hub):
    client = hub.client(connect=False)
    client.send("STOMP", {"accept-version": "1.0,1.1,2.0", "host": "hub"})
    assert client.expect("CONNECTED").headers["version"] == "1.1"


def test_no_common_version(hub):
    client = hub.client(connect=False)
    client.send("CONNECT", {"accept-version": "3.0", "host": "hub"})
    assert "no common version" in client.refusal()


def test_requests_right_behind_connect_are_done(hub):
    """A client need not wait for CONNECTED before it asks; nor read before it hangs up."""
    client = hub.client(connect=False)
    connect = client.encoded("CONNECT", {"accept-version": "1.2", "host": "hub"})
    send = client.encoded("SEND", {"destination": "/queue/q", "receipt": "1"}, b"x" * 100_000)
    client.raw(connect + send + client.encoded("DISCONNECT", {"receipt": "2"}))
    client.socket.shutdown(socket.SHUT_WR)
    client.expect("CONNECTED")
    assert [client.expect("RECEIPT").headers["receipt-id"] for _ in range(2)] == ["1", "2"]
    client.end()


def test_a_client_that_says_no_more_is_answered_and_left(hub):
    """Half-closed without DISCONNECT: what was asked for is answered, and the hub closes too."""
    client = hub.client()
    client.send("SEND", {"destination": "/queue/q", "receipt": "1"})
    client.socket.shutdown(socket.SHUT_WR)
    client.expect("RECEIPT")
    client.end()
    (closed,) = hub.events.wait(SessionClosed)
    assert closed.reason == "the client hung up"


def test_an_answer_and_the_end_in_one_turn(hub):
    """The loop may hand over a request and the end of the client's words before we write: the answer goes out."""
    client = hub.client()
    port = hub.thread.ask(lambda it: next(iter(it._ports)))
    frame = client.encoded("SEND", {"destination": "/queue/q", "receipt": "1"})
    hub.thread.ask(lambda it: (port.data_received(frame), port.eof_received()))
    client.expect("RECEIPT")


class TestAuthentication:
    @pytest.fixture
    def guarded(self, start):
        return start(user="ann", password=Secret("s3cret"))

    def test_right(self, guarded):
        client = guarded.client(login="ann", passcode="s3cret", client_id="desk")
        client.publish("/topic/a", b"1")
        (opened,) = guarded.events.wait(SessionOpened)
        assert (opened.client_id, opened.protocol) == ("desk", "STOMP 1.2")

    @pytest.mark.parametrize(
        "login",
        [{}, {"login": "ann"}, {"login": "bob", "passcode": "s3cret"}, {"login": "ann", "passcode": "S3cret"},
         {"passcode": "s3cret"}, {"login": "ann", "passcode": ""}, {"login": "änn", "passcode": "s3cret"}],
    )  # fmt: skip
    def test_wrong(self, guarded, login):
        """One sentence for whatever was wrong, no session, and the password nowhere."""
        client = guarded.client(connect=False)
        client.send("CONNECT", {"accept-version": "1.2", "host": "hub", **login})
        assert client.refusal() == "wrong user or password"
        (closed,) = guarded.events.wait(SessionClosed)
        assert closed.reason == "wrong user or password"
        assert not guarded.events.of(SessionOpened)

    def test_nothing_is_done_for_who_was_refused(self, guarded):
        client = guarded.client(connect=False)
        connect = client.encoded("CONNECT", {"accept-version": "1.2", "host": "hub", "passcode": "guess"})
        client.raw(connect + client.encoded("SEND", {"destination": "/queue/q"}, b"x"))
        client.refusal()
        assert guarded.stats.published == 0


class TestHeartBeats:
    def test_the_hub_beats_in_time(self, start):
        """Asked for one every 400 ms, it sends one at least that often while it has nothing else to say."""
        client = start(heart_beat_ms=100).client(heart_beat="0,400")
        assert client.greeting.headers["heart-beat"] == "100,100"
        times = [time.monotonic()]
        for _ in range(5):
            assert client.socket.recv(1) == b"\n"
            times.append(time.monotonic())
        assert max(after - before for before, after in pairwise(times)) < 0.8

    def test_a_silent_client_is_given_up(self, start):
        """Who promised beats and sends none is told, closed, and named in the event."""
        hub = start(heart_beat_ms=50)
        client = hub.client(heart_beat="50,0")
        begun = time.monotonic()
        assert "heart-beats were agreed every 50 ms" in client.refusal()
        assert time.monotonic() - begun < 2
        (closed,) = hub.events.wait(SessionClosed)
        assert "heart-beats were agreed" in closed.reason

    def test_a_beating_client_is_kept(self, start):
        """Line ends alone keep a connection far beyond the agreed interval."""
        client = start(heart_beat_ms=50).client(heart_beat="400,0")
        for _ in range(14):
            client.raw(b"\n")
            time.sleep(0.1)  # the beat itself, not a wait for readiness
        client.publish("/topic/a", b"1")

    def test_none_agreed(self, hub):
        """Neither side beats for a client of 1.0."""
        assert "heart-beat" not in hub.client("1.0").greeting.headers


class TestSlowLoris:
    def test_no_connect_in_time(self, start):
        client = start(stomp_limits=Limits(connect_timeout_s=0.2)).client(connect=False)
        assert "limit: connect-timeout" in client.refusal()

    def test_unfinished_frame(self, start):
        """A frame that trickles in ends the connection, though each byte comes soon after the other."""
        hub = start(stomp_limits=Limits(frame_timeout_s=0.3))
        client, other = hub.client(), hub.client()
        client.raw(b"SEND\ndestination:/topic/a\n\n")
        for _ in range(4):
            client.raw(b"x")
            time.sleep(0.05)  # the trickle itself
        assert "limit: frame-timeout" in client.refusal()
        other.publish("/topic/a", b"unharmed")

    def test_much_before_connect(self, hub):
        """Nobody knows yet who that is, so it is not given the room of a frame."""
        client = hub.client(connect=False)
        client.raw(b"CONNECT\nhost:hub\ncontent-length:1000000\n\n" + b"x" * 100_000)
        assert "limit: connect-bytes" in client.refusal()

    def test_line_ends_before_connect(self, hub):
        client = hub.client(connect=False)
        client.raw(b"\n" * 100_000)
        assert "limit: connect-bytes" in client.refusal()


def test_ipv6_and_several_listeners(start):
    """One hub on two addresses: who comes in at one reaches who came in at the other."""
    hub = start(stomp=(Endpoint("127.0.0.1", 0), Endpoint("::1", 0)))
    four, six = hub.thread.urls
    assert four.startswith("stomp://127.0.0.1:")
    assert six.startswith("stomp://[::1]:")
    reader = hub.client()
    reader.subscribe("/topic/a")
    with Client(hub.thread.ask(lambda it: it.endpoints[1])) as writer:
        writer.publish("/topic/a", b"across")
    assert reader.bodies(1) == [b"across"]
    assert any(opened.peer.startswith("[::1]:") for opened in hub.events.of(SessionOpened))
