"""An MQTT broker that does what a test tells it: it lets clients in, answers some packets, and keeps what it gets."""

from __future__ import annotations

import contextlib
import queue
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

from mqctl.adapters.base import Connection
from mqctl.adapters.mqtt import MqttAdapter
from mqctl.protocols.mqtt.properties import read_varint, varint
from mqctl.target import MqttOptions, Target
from mqctl.testing.recorder import Recorder
from tests.unit.adapters.loopback import PATIENCE_S, Loopback

_NAMES = (
    *("CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE"),
    *("UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"),
)
KINDS = dict(enumerate(_NAMES, 1))
NUMBERS = {name: number for number, name in KINDS.items()}
USUAL = frozenset({"SUBSCRIBE", "UNSUBSCRIBE", "PINGREQ"})


class Packet(NamedTuple):
    """What a client sent."""

    kind: str
    flags: int
    body: bytes

    @property
    def mid(self) -> int:
        """The packet's id, of those that begin with it."""
        return int.from_bytes(self.body[:2], "big")


def packet(kind: str, body: bytes = b"", flags: int = 0) -> bytes:
    """A packet as bytes."""
    return bytes((NUMBERS[kind] << 4 | flags,)) + varint(len(body)) + body


def text(value: str | bytes) -> bytes:
    """A string with its length in front."""
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


class Peer:
    """The broker's end of one connection."""

    def __init__(self, sock: socket.socket, answers: frozenset[str], *, five: bool) -> None:
        self.sock = sock
        self._answers = answers
        self._five = five
        self._packets: queue.Queue[Packet | None] = queue.Queue()
        self._rest = b""

    def send(self, kind: str, body: bytes = b"", flags: int = 0) -> None:
        self.sock.sendall(packet(kind, body, flags))

    def message(self, payload: bytes, topic: str = "t", *, mid: int = 0, qos: int = 0, flags: int = 0) -> None:
        """A PUBLISH; `flags` are DUP and RETAIN."""
        self.sock.sendall(self.publish(payload, topic, mid=mid, qos=qos, flags=flags))

    def publish(self, payload: bytes, topic: str = "t", *, mid: int = 0, qos: int = 0, flags: int = 0) -> bytes:
        head = text(topic) + (mid.to_bytes(2, "big") if qos else b"") + (b"\0" if self._five else b"")
        return packet("PUBLISH", head + payload, flags | qos << 1)

    def answer(self, kind: str, mid: int, more: bytes = b"") -> None:
        self.send(kind, mid.to_bytes(2, "big") + more, 2 if kind == "PUBREL" else 0)

    def next(self, kind: str) -> Packet:
        """The next packet of that kind that the client sent."""
        while came := self._packets.get(timeout=PATIENCE_S):
            if came.kind == kind:
                return came
        raise AssertionError(f"the client hung up before {kind}")

    def nothing_but(self, kind: str, within_s: float) -> None:
        """Fail if the client sends another kind meanwhile."""
        with contextlib.suppress(queue.Empty):
            while came := self._packets.get(timeout=within_s):
                assert came.kind == kind

    def read_packet(self) -> Packet | None:
        """None when the client has left."""
        while True:
            with contextlib.suppress(IndexError):
                length, at = read_varint(self._rest, 1)
                if len(self._rest) >= at + length:
                    first, body = self._rest[0], self._rest[at : at + length]
                    self._rest = self._rest[at + length :]
                    return Packet(KINDS[first >> 4], first & 0xF, body)
            data = self.sock.recv(65536)
            if not data:
                return None
            self._rest += data

    def serve(self) -> None:
        """Read until the client hangs up."""
        with contextlib.suppress(OSError):
            while came := self.read_packet():
                self._packets.put(came)
                if came.kind in self._answers:
                    self._answer(came)
                if came.kind == "DISCONNECT":
                    self.sock.shutdown(socket.SHUT_RDWR)
        self._packets.put(None)

    def _answer(self, came: Packet) -> None:
        match came.kind:
            case "SUBSCRIBE":
                granted = came.body[-1:] if not self._five else bytes((0, came.body[-1] & 3))
                self.send("SUBACK", came.body[:2] + granted)
            case "UNSUBSCRIBE":
                self.send("UNSUBACK", came.body[:2] + (b"\0\0" if self._five else b""))
            case "PINGREQ":
                self.send("PINGRESP")
            case "PUBLISH":
                at = 2 + int.from_bytes(came.body[:2], "big")
                if qos := came.flags >> 1 & 3:
                    self.send("PUBACK" if qos == 1 else "PUBREC", came.body[at : at + 2])
            case "PUBREL":
                self.send("PUBCOMP", came.body[:2])


class FakeBroker:
    """Listens on loopback.

    Args:
        connack: Flags, code and, in MQTT 5, properties.
        first: Sent instead of CONNACK, to whatever the client says first; None with `silent` for nothing.
        also: Sent in one piece with CONNACK.
        answers: What is answered at once.
        five: Whether MQTT 5 is spoken.
    """

    def __init__(
        self,
        connack: bytes = b"\0\0",
        *,
        first: bytes | None = None,
        also: bytes = b"",
        answers: frozenset[str] = USUAL,
        five: bool = False,
    ) -> None:
        self._first = first
        self._greeting = packet("CONNACK", connack + (b"\0" if five and len(connack) == 2 else b"")) + also
        self._answers = answers
        self.five = five
        self._loopback = Loopback(self._welcome)
        self.endpoint = self._loopback.endpoint
        self._peers: queue.Queue[Peer] = queue.Queue()

    def peer(self) -> Peer:
        """The next client that came in."""
        return self._peers.get(timeout=PATIENCE_S)

    def __enter__(self) -> FakeBroker:
        self._loopback.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._loopback.__exit__()

    def _welcome(self, sock: socket.socket) -> None:
        peer = Peer(sock, self._answers, five=self.five)
        came = peer.read_packet()
        peer._packets.put(came)
        if self._first is not None:
            sock.sendall(self._first)
            sock.shutdown(socket.SHUT_WR)
            return
        sock.sendall(self._greeting)
        self._peers.put(peer)
        peer.serve()


def target(*brokers: FakeBroker, **changes: Any) -> Target:
    """Where the fake brokers are, without pings unless asked for."""
    version = "5" if brokers and brokers[0].five else "3.1.1"
    options: dict[str, Any] = {
        "scheme": "mqtt",
        "heart_beat_s": 0.0,
        "connect_timeout_s": PATIENCE_S,
        "mqtt": MqttOptions(version=version),
    }
    return Target(**options | {"endpoints": tuple(broker.endpoint for broker in brokers)} | changes)


@contextlib.contextmanager
def session(broker: FakeBroker, **changes: Any) -> Iterator[tuple[Connection, Peer, Recorder]]:
    """A client's connection, the broker's end of it, and the client's events."""
    recorder = Recorder(PATIENCE_S)
    connection = MqttAdapter().connect(target(broker, **changes), sink=recorder)
    try:
        yield connection, broker.peer(), recorder
    finally:
        connection.close(timeout_s=0.2)
