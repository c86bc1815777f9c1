"""STOMP over WebSocket: what differs from STOMP over TCP."""

from __future__ import annotations

import contextlib
import functools
import queue
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from mqctl.adapters.base import Connection
from mqctl.adapters.stomp import StompAdapter
from mqctl.errors import ConnectError, MqctlError, ProtocolError, UnsupportedError
from mqctl.model import Dialect, Outgoing, Topic, Unknown
from mqctl.protocols.stomp.codec import encode
from mqctl.protocols.stomp.spec import Version
from mqctl.protocols.websocket import Opcode
from mqctl.protocols.websocket import encode as framed
from mqctl.target import Endpoint, Target
from mqctl.testing.recorder import Recorder
from tests.unit.adapters.fake import CLASSIC, RABBITMQ
from tests.unit.adapters.fake_web import PATIENCE_S, WebPeer

TOPIC = Topic(levels=("t",))


def connected(server: str, **headers: str) -> bytes:
    return encode("CONNECTED", {"version": "1.2", "server": server, **headers}, version=Version.V1_2)


@contextlib.contextmanager
def web_broker(answer: bytes, *, headers: str = "") -> Iterator[tuple[Target, Callable[[], WebPeer]]]:
    """A server that agrees to WebSocket and sends `answer`, in one segment with the upgrade; and what waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as held:
        peers: queue.SimpleQueue[WebPeer] = queue.SimpleQueue()

        def serve() -> None:
            sock, _ = listener.accept()
            held.enter_context(sock)
            sock.settimeout(PATIENCE_S)
            peers.put(WebPeer(sock, early=answer, headers=headers))

        thread = threading.Thread(target=serve)
        thread.start()
        endpoint = Endpoint(*listener.getsockname())
        target = Target(scheme="stomp+ws", endpoints=(endpoint,), heart_beat_s=0.0, connect_timeout_s=PATIENCE_S)
        yield target, functools.partial(peers.get, timeout=PATIENCE_S)
        thread.join()


@contextlib.contextmanager
def session(server: str, *, beat: str = "0,0") -> Iterator[tuple[Connection, WebPeer, Recorder]]:
    recorder = Recorder(PATIENCE_S)
    greeting = framed(Opcode.TEXT, connected(server, **{"heart-beat": beat}))
    with web_broker(greeting) as (target, next_peer):
        connection = StompAdapter().connect(
            Target(scheme=target.scheme, endpoints=target.endpoints, heart_beat_s=0.2 if beat != "0,0" else 0.0),
            sink=recorder,
        )
        try:
            peer = next_peer()
            assert peer.next()[1].startswith(b"CONNECT\n")
            yield connection, peer, recorder
        finally:
            connection.close(timeout_s=0.2)


def failure(answer: bytes) -> MqctlError:
    with web_broker(answer) as (target, _), pytest.raises(MqctlError) as caught:
        StompAdapter().connect(target, sink=lambda _events: None)
    return caught.value


class TestPayloads:
    def test_what_is_no_text_is_refused_for_classic_before_a_byte_is_sent(self):
        with session(CLASSIC) as (connection, peer, _):
            with pytest.raises(UnsupportedError, match="reads only text over WebSocket") as caught:
                connection.submit(Outgoing(topic=TOPIC, payload=b"\xff"))
            assert "stomp://" in (caught.value.hint or "")
            connection.submit(Outgoing(topic=TOPIC, payload="값".encode()))
            kind, frame = peer.next()
            assert kind is Opcode.TEXT
            assert frame.startswith(b"SEND\n")
            assert frame.endswith("값\0".encode())

    def test_and_sent_as_a_binary_message_to_others(self):
        with session(RABBITMQ) as (connection, peer, _):
            connection.submit(Outgoing(topic=TOPIC, payload=b"\xff"))
            kind, frame = peer.next()
            assert kind is Opcode.BINARY
            assert frame.endswith(b"\xff\0")


class TestHeartBeats:
    def test_one_is_a_message_of_its_own(self):
        with session(CLASSIC, beat="100,100") as (_, peer, recorder):
            assert peer.next() == (Opcode.TEXT, b"\n")
            peer.sock.sendall(framed(Opcode.TEXT, b"\n"))
            assert peer.next() == (Opcode.TEXT, b"\n")
            assert len(recorder.events) == 1

    @pytest.mark.parametrize(
        ("headers", "dialect", "announced"),
        [
            ("Server: Cowboy\r\n", None, "0,7000"),
            ("Server: Jetty(9)\r\n", None, "7000,7000"),
            ("", Dialect.RABBITMQ, "0,7000"),
            ("Server: Cowboy\r\n", Dialect.HUB, "7000,7000"),
        ],
    )
    def test_rabbitmq_is_promised_none(self, headers, dialect, announced):
        with web_broker(framed(Opcode.TEXT, connected(RABBITMQ)), headers=headers) as (target, next_peer):
            wanted = Target(scheme=target.scheme, endpoints=target.endpoints, heart_beat_s=7.0, dialect=dialect)
            with StompAdapter().connect(wanted, sink=lambda _events: None):
                peer = next_peer()
                assert f"\nheart-beat:{announced}\n".encode() in peer.next()[1]
                peer.sock.close()


class TestEnds:
    @pytest.mark.parametrize(
        ("server", "reason", "words"),
        [
            (CLASSIC, b"\x03\xf1Text message too large", "1009 (message too big): Text message too large"),
            (RABBITMQ, b"\x03\xe8STOMP died", "it refused something, and over stomp:// it would say why"),
        ],
    )
    def test_why_the_broker_closed_is_told(self, server, reason, words):
        with session(server) as (connection, peer, recorder):
            pending = connection.submit(Outgoing(topic=TOPIC, payload=b"x"))
            peer.sock.sendall(framed(Opcode.CLOSE, reason))
            outcome = pending.outcome(PATIENCE_S)
            assert isinstance(outcome, Unknown)
            assert words in outcome.reason
            assert words in recorder.disconnected().reason

    def test_a_broken_rule_is_told(self):
        with session(CLASSIC) as (_, peer, recorder):
            peer.sock.sendall(b"\x83\0")
            assert "broke WebSocket's rules: no such kind of frame: 3" in recorder.disconnected().reason

    def test_a_payload_that_classic_spoiled_is_explained(self):
        """It replaces each byte that is no text by three, and leaves content-length as it was."""
        headers = {"destination": "/topic/t", "message-id": "m", "subscription": "1"}
        spoiled = encode("MESSAGE", headers, b"a\xffb", version=Version.V1_2).replace(b"\xff", "\ufffd".encode())
        with session(CLASSIC) as (_, peer, recorder):
            peer.sock.sendall(framed(Opcode.TEXT, spoiled))
            assert "ActiveMQ Classic spoils payloads that are not UTF-8" in recorder.disconnected().reason

    @pytest.mark.parametrize(
        ("answer", "kind", "words"),
        [
            (b"\x83\0", ProtocolError, "broke WebSocket's rules"),
            (framed(Opcode.CLOSE, b"\x03\xf0bad host"), ConnectError, "policy): bad host"),
            (framed(Opcode.TEXT, b"hello\n\n\0"), ProtocolError, "does not speak STOMP"),
        ],
    )
    def test_what_answers_connect_otherwise_is_named(self, answer, kind, words):
        error = failure(answer)
        assert type(error) is kind
        assert words in str(error)
