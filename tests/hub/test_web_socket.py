"""STOMP over WebSocket: the upgrade, messages whole and in pieces, the close, and what no client should send."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time

import aiohttp
import pytest
import websocket

from mqctl.broker import Limits
from mqctl.hub import framing
from mqctl.hub.events import SessionClosed, SessionOpened
from mqctl.hub.stomp_port import EARLY_BYTES
from mqctl.protocols.stomp.spec import Limits as StompLimits
from mqctl.protocols.websocket import Opcode
from mqctl.target import Endpoint, Secret
from tests.hub.client import Client
from tests.hub.raw_web import frame, handshake, upgrade
from tests.hub.web_client import BINARY, CLOSE, PATIENCE_S, TEXT, WebClient

CONNECT = b"CONNECT\naccept-version:1.2\nhost:hub\n\n\0"
PONG = websocket.ABNF.OPCODE_PONG

pytestmark = pytest.mark.parametrize("via", ["web-socket"], indirect=True)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, None),
        (["v12.stomp", "v11.stomp", "v10.stomp"], "v12.stomp"),
        (["v10.stomp", "v11.stomp", "v12.stomp"], "v12.stomp"),
        (["v10.stomp", "v11.stomp"], "v11.stomp"),
        (["mqtt", "v10.stomp"], "v10.stomp"),
    ],
)
def test_the_newest_sub_protocol_is_chosen(hub, offered, chosen):
    web = websocket.create_connection(f"ws://{hub.endpoint}/stomp", subprotocols=offered, timeout=PATIENCE_S)
    assert web.subprotocol == chosen
    web.close()


def test_no_sub_protocol_in_common(hub):
    """As at RabbitMQ: the answer names none, and STOMP is spoken."""
    with upgrade(hub.endpoint, {"Sec-WebSocket-Protocol": "soap, wamp"}) as client:
        assert b"Sec-WebSocket-Protocol" not in client.head
        client.send(CONNECT)
        assert client.message()[1].startswith(b"CONNECTED\n")


@pytest.mark.parametrize("path", ["/stomp", "/ws"])
def test_both_paths(hub, path):
    with upgrade(hub.endpoint, path=path) as client:
        client.send(CONNECT)
        assert client.message()[1].startswith(b"CONNECTED\n")


def test_no_compression(hub):
    """It is offered and not taken, because a batch for all subscribers is framed once."""
    with upgrade(hub.endpoint, {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}) as client:
        assert b"Sec-WebSocket-Extensions" not in client.head


def test_text_is_sent_as_text_and_bytes_as_binary(hub):
    """A browser ends a connection over text that is not UTF-8, and old clients read only text."""
    client = hub.client()
    client.subscribe("/topic/a")
    for body, opcode in ((b"plain\0", TEXT), ("가".encode(), TEXT), (b"\xff", BINARY), (b"", TEXT)):
        client.send("SEND", {"destination": "/topic/a"}, body)
        kind, message = client.message()
        assert (kind, client.parser.feed(message)[0].body) == (opcode, body)


def test_both_kinds_are_read_however_messages_cut_the_frames(hub):
    """A frame in several messages, several frames in one, a message in fragments, and all bytes one by one."""
    client = hub.client()
    client.subscribe("/topic/a")
    send = "SEND\ndestination:/topic/a\n\n{}\0\n".format
    client.web.send("\n" + send(1) + send("두") + send(3)[:10])
    client.web.send_binary(send(3)[10:].encode())
    fragments = [send("넷").encode()[at : at + 4] for at in range(0, 40, 4)]
    for n, fragment in enumerate(fragments):
        last = n == len(fragments) - 1
        client.web.send_frame(websocket.ABNF.create_frame(fragment, TEXT if n == 0 else 0, last))
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in frame(send(5).encode()):
        client.socket.sendall(bytes([byte]))
    assert [body.decode() for body in client.bodies(5)] == ["1", "두", "3", "넷", "5"]


def test_each_frame_is_a_message_of_its_own(hub):
    """Though they leave together: `WebClient` checks it of every message."""
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a")
    writer.publish("/topic/a", *[b"%d" % n for n in range(500)])
    assert reader.bodies(500) == [b"%d" % n for n in range(500)]


def test_a_batch_is_encoded_once_for_all_subscribers(hub, monkeypatch):
    """And written to each at once."""
    readers = [hub.client() for _ in range(20)]
    for reader in readers:
        reader.subscribe("/topic/a")
    wrapped = []
    wrap = framing.WebSocket.wrap
    monkeypatch.setattr(framing.WebSocket, "wrap", lambda self, data: wrapped.append(data) or wrap(self, data))
    hub.client().publish("/topic/a", b"x", b"y")
    assert [reader.bodies(2) for reader in readers] == [[b"x", b"y"]] * 20
    assert sum(data.startswith(b"MESSAGE") for data in wrapped) == 2


def test_heart_beats_are_messages_of_a_line_end(start):
    hub = start(heart_beat_ms=100)
    client = hub.client(heart_beat="0,100")
    assert [client.message() for _ in range(3)] == [(TEXT, b"\n")] * 3


def test_a_client_that_beats_with_pings_lives(start):
    """Whatever comes shows that it is there."""
    hub = start(heart_beat_ms=100)
    client = hub.client(heart_beat="100,0")
    for n in range(6):
        client.web.ping(b"%d" % n)
        assert client.message() == (PONG, b"%d" % n)
        time.sleep(0.1)  # the beat itself
    client.publish("/topic/a", b"x")


def test_events_name_the_transport(hub):
    client = hub.client()
    (opened,) = hub.events.wait(SessionOpened)
    assert (opened.protocol, opened.session) == ("STOMP 1.2 over WebSocket", client.greeting.headers["session"])
    assert opened.peer == "{}:{}".format(*client.socket.getsockname())


def test_both_transports_share_the_topics(start):
    loopback = (Endpoint("127.0.0.1", 0),)
    hub = start(stomp=loopback, http=loopback)
    over_tcp, over_web = hub.thread.ask(lambda it: it.endpoints)
    web = (f"stomp+ws://{over_web}/stomp", f"bayeux+http://{over_web}/bayeux", f"http://{over_web}/")
    assert hub.thread.urls == (f"stomp://{over_tcp}", *web)
    with Client(over_tcp) as one, WebClient(over_web) as other:
        one.subscribe("/topic/a")
        other.subscribe("/topic/a")
        with Client(over_tcp) as writer:
            writer.publish("/topic/a", b"1")
        with WebClient(over_web) as writer:
            writer.publish("/topic/a", b"2")
        assert one.bodies(2) == other.bodies(2) == [b"1", b"2"]


def test_a_client_library_of_another_kind(hub):
    """aiohttp's, with its own framing and its own idea of closing."""

    async def talk():
        async with aiohttp.ClientSession() as session, session.ws_connect(f"ws://{hub.endpoint}/ws") as web:
            await web.send_bytes(CONNECT)
            assert (await web.receive_str()).startswith("CONNECTED\n")
            await web.send_str("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0SEND\ndestination:/topic/a\n\nhello\0")
            assert (await web.receive_str()).endswith("\n\nhello\0")
            await web.close()
            return web.close_code

    assert asyncio.run(talk()) == 1000
    (closed,) = hub.events.wait(SessionClosed)
    assert closed.reason == "the client hung up"


def test_disconnect_is_answered_and_closed(hub):
    client = hub.client()
    client.send("DISCONNECT", {"receipt": "bye"})
    assert client.expect("RECEIPT").headers["receipt-id"] == "bye"
    client.end()
    assert client.closed_with == (1000, "the client disconnected")
    (closed,) = hub.events.wait(SessionClosed)
    assert closed.reason == "the client disconnected"


@pytest.mark.parametrize(("payload", "echo"), [(b"", b"\x03\xe8"), (b"\x0f\xa0bye", b"\x0f\xa0")])
def test_a_close_is_answered_after_all_that_came_before_it(hub, payload, echo):
    """RFC 6455, 5.5.1. More requests than fit into a turn of the loop are all acted upon."""
    with upgrade(hub.endpoint) as client:
        requests = [b"SEND\ndestination:/queue/q\nreceipt:%d\n\n\0" % n for n in range(1000)]
        client.raw(b"".join(map(frame, [CONNECT, *requests])) + frame(payload, Opcode.CLOSE) + frame(b"\xff" * 9))
        assert client.message()[1].startswith(b"CONNECTED\n")
        for n in range(1000):
            assert client.message()[1] == b"RECEIPT\nreceipt-id:%d\n\n\0" % n
        assert client.message() == (CLOSE, echo)
        assert client.ended()
    assert hub.stats.waiting == 1000


def test_a_stop_is_told(hub):
    """1001, going away."""
    client = hub.client()
    hub.thread.stop()
    client.end()
    assert client.closed_with == (1001, "the hub was stopped")


def test_what_is_refused_is_told_twice(hub):
    """In an ERROR frame to STOMP, in the close frame to WebSocket."""
    client = hub.client()
    client.send("SEND", {"destination": "nowhere"})
    says = client.refusal()
    assert client.closed_with[0] == 1008
    assert client.closed_with[1].startswith(says[:40])


BROKEN = {
    "unmasked": b"\x81\x01x",
    "reserved bit": frame(b"x", first=0x40),
    "unknown kind": frame(b"x", 3),
    "long ping": frame(b"x" * 126, Opcode.PING),
    "not utf-8": frame(b"\xff", Opcode.TEXT),
    "close code": frame(b"\x03\xee", Opcode.CLOSE),
    "close of one byte": frame(b"\x03", Opcode.CLOSE),
    "continued nothing": frame(b"x", Opcode.CONTINUATION),
    "http again": b"GET /stomp HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_frames(hub, kind):
    """ERROR, a close frame, the end; what came before is done, and a pair of others does not lose a message."""
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a")
    with upgrade(hub.endpoint) as bad:
        bad.raw(frame(CONNECT) + frame(b"SEND\ndestination:/topic/a\n\nfrom the bad\0") + BROKEN[kind])
        assert bad.message()[1].startswith(b"CONNECTED\n")
        assert bad.message()[1].startswith(b"ERROR\nmessage:")
        opcode, why = bad.message()
        assert (opcode, int.from_bytes(why[:2])) == (CLOSE, 1007 if kind == "not utf-8" else 1002)
        assert bad.ended()
    (closed,) = hub.events.wait(SessionClosed)
    assert closed.reason == why[2:].decode()
    writer.publish("/topic/a", b"after")
    assert reader.bodies(2) == [b"from the bad", b"after"]


def test_a_message_beyond_the_limit(start):
    """By its head alone, before its payload has come: 1009, too big."""
    hub = start(stomp_limits=StompLimits(frame_bytes=100_000))
    with upgrade(hub.endpoint) as client:
        client.send(CONNECT)
        client.message()
        client.raw(b"\x82\xff" + (2**40).to_bytes(8) + b"mask")
        assert b"limit\\c frame" in client.message()[1]
        assert client.message() == (CLOSE, b"\x03\xf1WebSocket message larger than 100000 bytes (limit: frame)")


def test_fragments_without_end_are_not_kept(start):
    """The frame in them hits its limit as it would over TCP, and nothing of it is held."""
    hub = start(stomp_limits=StompLimits(frame_bytes=100_000))
    client = hub.client()
    with contextlib.suppress(OSError):
        client.web.send_frame(websocket.ABNF.create_frame("SEND\ndestination:/queue/q\n\n", TEXT, 0))
        for _ in range(300):
            client.web.send_frame(websocket.ABNF.create_frame("x" * 1000, 0, 0))
    assert "limit: frame" in client.refusal()
    assert hub.stats.waiting == 0


def test_empty_fragments_without_end_harm_nobody(hub):
    """A message may be as long in coming as it likes, if it holds nothing."""
    with upgrade(hub.endpoint) as client:
        client.send(CONNECT)
        client.message()
        client.raw(frame(b"", Opcode.TEXT, fin=False) + frame(b"", 0, fin=False) * 50_000)
        client.raw(frame(b"SEND\ndestination:/topic/a\nreceipt:1\n\n\0", 0))
        assert client.message()[1].startswith(b"RECEIPT")


def test_too_much_before_connect(hub):
    """Counted as it comes, in a message that does not end, in pings, in line ends."""
    for flood in (
        frame(b"x" * EARLY_BYTES, fin=False),
        frame(b"x" * 100, Opcode.PING) * 700,
        frame(b"\n" * 100) * 700,
    ):
        with upgrade(hub.endpoint) as client:
            client.raw(flood)
            while not (message := client.message()[1]).startswith(b"ERROR"):
                pass
            assert b"connect-bytes" in message or b"unknown command" in message


def test_no_connect_in_time(start):
    hub = start(stomp_limits=StompLimits(connect_timeout_s=0.3))
    with upgrade(hub.endpoint) as client:
        assert b"no CONNECT within" in client.message()[1]
        assert client.message()[0] == CLOSE


def test_half_a_frame_is_timed(start):
    """A slow loris finds the clock of STOMP's frames behind the fragments."""
    hub = start(stomp_limits=StompLimits(frame_timeout_s=0.3))
    client = hub.client()
    client.web.send_frame(websocket.ABNF.create_frame("SEND\ndestination:/queue/q\n\n", TEXT, 0))
    assert "limit: frame-timeout" in client.refusal()


def test_pings_of_a_client_that_does_not_read(start):
    """Its pongs are bounded: in the end it is not read from, and others do not notice."""
    hub = start(write_buffer_bytes=64 * 1024)
    with upgrade(hub.endpoint) as client:
        client.send(CONNECT)
        client.message()
        client.socket.settimeout(1.0)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                client.raw(frame(b"x" * 125, Opcode.PING) * 1000)
        hub.client().publish("/topic/a", b"unharmed")
        held = hub.thread.ask(lambda it: [port._transport.get_write_buffer_size() for port in it._ports])
        assert max(held) < 2**20


def test_a_subscriber_that_does_not_read(start):
    """Its backlog is bounded and told; the rest arrives when it wakes, and heart-beats were never missed."""
    hub = start(write_buffer_bytes=64 * 1024, broker_limits=Limits(backlog_messages=100))
    slow, writer = hub.client(), hub.client()
    slow.subscribe("/topic/a")
    body = b"x" * 50_000
    writer.publish("/topic/a", *[body] * 400)
    dropped = hub.stats.dropped
    assert dropped > 0
    assert slow.bodies(400 - dropped) == [body] * (400 - dropped)
    assert hub.events.dropped(dropped) == {("/topic/a", "slow consumer")}


def test_what_a_hasty_client_sends_before_the_answer_is_not_lost(hub):
    """RFC 6455, 4.1 tells it to wait, but nothing is guessed of half a stream."""
    with socket.create_connection(tuple(hub.endpoint), PATIENCE_S) as hasty:
        hasty.sendall(handshake(hub.endpoint) + frame(CONNECT) + frame(b"SEND\ndestination:/queue/q\nreceipt:1\n\n\0"))
        got = b""
        while b"RECEIPT" not in got:
            got += hasty.recv(10_000)
    assert hub.stats.waiting == 1


@pytest.mark.parametrize("cut", [1, 30, 120])
@pytest.mark.parametrize("reset", [True, False])
def test_an_upgrade_that_breaks_off(hub, cut, reset):
    """Whether it is closed or reset, and whether before, in or right after the request."""
    for request in (handshake(hub.endpoint)[:cut], handshake(hub.endpoint), handshake(hub.endpoint) + frame(b"CONN")):
        with socket.create_connection(tuple(hub.endpoint), PATIENCE_S) as gone:
            if reset:
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            gone.sendall(request)
    hub.client().publish("/topic/a", b"x")
    hub.until(lambda stats: stats.sessions == 1)
    assert_only(hub, 1)


def assert_only(hub, count):
    """Waits until so many connections are open."""
    end_s = time.monotonic() + PATIENCE_S
    while (open_now := hub.thread.ask(lambda it: it.snapshot().connections)) != count:
        assert time.monotonic() < end_s, open_now


def test_500_connections_at_once(hub):
    """All get in, all get the message, all get out."""
    clients = [upgrade(hub.endpoint) for _ in range(500)]
    for client in clients:
        client.send(CONNECT)
        client.send(b"SUBSCRIBE\nid:s\ndestination:/topic/a\nreceipt:r\n\n\0")
    for client in clients:
        client.message()
        assert client.message()[1].startswith(b"RECEIPT")
    hub.client().publish("/topic/a", b"hello")
    for client in clients:
        assert client.message()[1].endswith(b"\n\nhello\0")
        client.socket.close()
    hub.until(lambda stats: stats.sessions == 1)
    assert_only(hub, 1)


def test_nothing_is_left_behind(hub):
    """Of aiohttp's side of an upgraded connection nothing stays, neither while it is open nor after."""
    kinds = ("RequestHandler", "HttpRequestParser", "Task", "Request")

    def objects():
        gc.collect()
        names = [type(each).__name__ for each in gc.get_objects()]
        return {kind: names.count(kind) for kind in kinds}

    hub.client().close()
    assert_only(hub, 0)
    before = objects()
    clients = [hub.client() for _ in range(50)]
    assert objects() == before
    for client in clients:
        client.close()
    assert_only(hub, 0)
    assert objects() == before
    assert "StompPort" not in {type(each).__name__ for each in gc.get_objects()}


def test_too_many_connections_are_told_in_stomp(start):
    hub = start(broker_limits=Limits(connections=2))
    hub.client(), hub.client()
    with upgrade(hub.endpoint) as third:
        assert b"too many connections (limit: connections, 2)" in third.message()[1]


def test_the_password_is_stomps(start):
    hub = start(password=Secret("word"))
    hub.client(login="ann", passcode="word")
    other = hub.client(connect=False)
    other.send("CONNECT", {"accept-version": "1.2", "host": "hub", "passcode": "guess"})
    assert other.refusal() == "wrong user or password"
