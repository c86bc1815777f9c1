"""How a hub stops: what is on its way arrives, and nothing can keep it from stopping."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

import pytest

from mqctl.broker import Limits, SlowConsumer
from mqctl.errors import ConnectError
from mqctl.hub.config import HubConfig
from mqctl.hub.events import SessionClosed, SessionOpened
from mqctl.hub.server import Hub
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.hub.bayeux import Socket
from tests.hub.client import Client

BODY = b"x" * 10_000


@contextmanager
def beating(client, *, every_s):
    """Beats go out whatever else the test does."""
    over = threading.Event()

    def beat():
        while not over.wait(every_s):
            client.raw(b"\n")

    beats = threading.Thread(target=beat)
    beats.start()
    try:
        yield
    finally:
        over.set()
        beats.join()


def stop_in_background(hub):
    stopping = threading.Thread(target=hub.thread.stop)
    stopping.start()
    return stopping


def test_nobody_connected(hub):
    begun = time.monotonic()
    hub.thread.stop()
    assert time.monotonic() - begun < 2
    hub.thread.stop()


def test_clients_are_closed_and_the_events_say_why(hub):
    clients = [hub.client() for _ in range(3)]
    stopping = stop_in_background(hub)
    for client in clients:
        client.end()
    stopping.join()
    assert {closed.reason for closed in hub.events.of(SessionClosed)} == {"the hub was stopped"}
    assert len(hub.events.of(SessionClosed)) == 3


def test_nobody_gets_in_any_more(hub):
    client = hub.client()
    stopping = stop_in_background(hub)
    client.end()
    stopping.join()
    with pytest.raises(ConnectionRefusedError):
        Client(hub.endpoint)


def test_a_slow_reader_gets_everything(start):
    """Far more than its socket holds, backlog included, is written before the hub closes."""
    hub = start(drain_s=10.0, broker_limits=Limits(backlog_messages=100_000))
    reader, writer = hub.client(), hub.client()
    reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    reader.subscribe("/topic/a")
    writer.publish("/topic/a", *[BODY] * 2000)
    assert hub.stats.waiting > 0
    stopping = stop_in_background(hub)
    writer.end()
    assert reader.bodies(2000) == [BODY] * 2000
    reader.end()
    stopping.join()


def test_a_slow_reader_that_beats_is_not_given_up(start):
    """A hub that stops listens no more, so that it must not say that it hears nothing."""
    hub = start(drain_s=10.0, heart_beat_ms=250, broker_limits=Limits(backlog_messages=100_000))
    reader, writer = hub.client(heart_beat="250,0"), hub.client()
    reader.subscribe("/topic/a")
    writer.publish("/topic/a", *[BODY] * 2000)
    with beating(reader, every_s=0.05):
        stopping = stop_in_background(hub)
        writer.end()
        time.sleep(2.0)  # what makes it slow, not a wait for readiness
        assert reader.bodies(2000) == [BODY] * 2000
    reader.end()
    stopping.join()


def test_what_a_held_publisher_has_sent_is_done(start):
    """Requests that the hub has read are carried out when the reader catches up, while the reader is still there."""
    hub = start(slow_consumer=SlowConsumer.BLOCK, drain_s=10.0, broker_limits=Limits(backlog_messages=100))
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a")
    writer.publish("/topic/a", b"x" * 12_000_000)
    small = [writer.encoded("SEND", {"destination": "/topic/a", "receipt": str(n)}) for n in range(500)]
    writer.raw(b"".join(small))
    hub.until(lambda stats: stats.held_publishers == 1)
    stopping = stop_in_background(hub)
    hub.until_stopping()
    assert len(reader.expect("MESSAGE").body) == 12_000_000
    got, confirmed = rest(reader), rest(writer)
    assert len(confirmed) > 100, "more than the backlog that it was held for"
    assert confirmed == [("RECEIPT", str(n)) for n in range(len(confirmed))]
    assert len(got) == len(confirmed)
    stopping.join()


def test_what_a_held_publisher_has_sent_reaches_clients_of_bayeux(start):
    """They are told that the hub ends after the publishers are done, and what came until then comes before that."""
    hub = start(
        http=(Endpoint("127.0.0.1", 0),),
        slow_consumer=SlowConsumer.BLOCK,
        drain_s=10.0,
        broker_limits=Limits(backlog_messages=100),
    )
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a")
    writer.publish("/topic/a", b"x" * 12_000_000)
    with Socket(hub.thread.ask(lambda it: it.endpoints[1])) as socket:
        socket.subscribe("/a").connected()
        writer.raw(b"".join(writer.encoded("SEND", {"destination": "/topic/a"}, b"%d" % n) for n in range(500)))
        hub.until(lambda stats: stats.held_publishers == 1)
        stopping = stop_in_background(hub)
        hub.until_stopping()
        assert len(reader.expect("MESSAGE").body) == 12_000_000
        count = len(rest(reader))
        assert count > 100, "more than the backlog that it was held for"
        assert socket.data(count) == list(range(count))
        assert socket.closed() == (1001, "the hub was stopped")
        stopping.join()


def rest(client):
    """The commands and receipts of all frames up to the end of the connection."""
    frames = []
    while data := client.socket.recv(1 << 20):
        frames += client.parser.feed(data)
    client.close()
    return [(frame.command, frame.headers.get("receipt-id")) for frame in [*client.unread(), *frames]]


def test_who_never_reads_is_cut_off_in_time(start):
    hub = start(drain_s=0.5)
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a")
    writer.publish("/topic/a", *[BODY] * 2000)
    begun = time.monotonic()
    hub.thread.stop()
    assert 0.4 < time.monotonic() - begun < 3


def test_who_holds_the_connection_open_is_cut_off(start):
    """A client that has read everything and does not close does not hold the hub up for long."""
    hub = start(drain_s=30.0)
    hub.client()
    begun = time.monotonic()
    hub.thread.stop()
    assert time.monotonic() - begun < 3


def test_while_clients_come_and_go(hub):
    """Connections that are being made when the hub stops do not outlive it."""
    over = threading.Event()

    def come_and_go():
        while not over.is_set():
            try:
                socket.create_connection((hub.endpoint.host, hub.endpoint.port)).close()
            except OSError:
                return

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    hub.events.wait(SessionClosed, 20)
    hub.thread.stop()
    over.set()
    for thread in threads:
        thread.join()
    assert not hub.thread.alive


def test_a_listener_that_cannot_be_had(start):
    """An error that says which and why, and the listeners before it are closed again."""
    busy = start().endpoint
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hub = HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", port), busy)))
    with pytest.raises(ConnectError) as caught:
        hub.__enter__()
    assert str(caught.value) == f"cannot listen on {busy}: address already in use"
    assert "port 0" in caught.value.hint
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_start_that_fails_half_way_leaves_nothing_listening(monkeypatch):
    """Whatever the reason."""
    listening = []

    async def fail(hub):
        listening.extend(server.sockets[0].getsockname() for server in hub._servers)
        raise ImportError("half a package")

    monkeypatch.setattr(Hub, "_serve_http", fail)
    anywhere = (Endpoint("127.0.0.1", 0),)
    with pytest.raises(ImportError, match="half a package"), HubThread(HubConfig(stomp=anywhere, http=anywhere)):
        raise AssertionError("it started")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listening[0])


def test_sessions_are_told_by_name(hub):
    """The name in the events is the one in CONNECTED."""
    client = hub.client(client_id="desk")
    (opened,) = hub.events.wait(SessionOpened)
    host, port = client.socket.getsockname()
    assert (opened.session, opened.peer) == (client.greeting.headers["session"], f"{host}:{port}")


def test_what_nobody_fetched_is_told(hub):
    """A hub keeps nothing on disk: what waited in a queue, taken back from its consumer too, is dropped and counted."""
    client = hub.client()
    client.publish("/queue/q", b"1", b"2", b"3")
    client.subscribe("/queue/q", ack="client", prefetch_count="1")
    client.expect("MESSAGE")
    stopping = stop_in_background(hub)
    client.end()
    stopping.join()
    assert hub.events.dropped(3) == {("/queue/q", "the hub was stopped")}
