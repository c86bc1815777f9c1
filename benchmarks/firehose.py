"""A server that only sends: each subscriber gets the same messages as fast as it reads them.

It is no broker; it exists so that a client is measured and nothing else. Prints its port when it listens.
"""

from __future__ import annotations

import enum
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

from mqctl.protocols import websocket
from mqctl.protocols.mqtt.properties import read_varint, varint
from mqctl.protocols.websocket import Opcode

BATCH = 1000
MESSAGE_BYTES = 1 << 20
TOPIC = b"bench"


class Peer(Protocol):
    """A client: bytes in, and what it gets in one piece on the wire."""

    def read(self) -> bytes:
        """What comes next. Raises ConnectionError at the end."""
        ...

    def write(self, data: bytes) -> None:
        """Send."""
        ...

    def wrap(self, piece: bytes) -> bytes:
        """A frame or packet as it travels."""
        ...


class Plain:
    """Over TCP."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def read(self) -> bytes:
        data = self._client.recv(65536)
        if not data:
            raise ConnectionError("the client went away")
        return data

    def write(self, data: bytes) -> None:
        self._client.sendall(data)

    def wrap(self, piece: bytes) -> bytes:
        return piece


class Web(Plain):
    """Over WebSocket, a message for each frame or packet, as brokers send them."""

    def __init__(self, client: socket.socket, opcode: Opcode) -> None:
        super().__init__(client)
        self._opcode = opcode
        self._receiver = websocket.Receiver(MESSAGE_BYTES)
        self._upgrade()

    def _upgrade(self) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += super().read()
        lines = (line.partition(":") for line in request.decode().split("\r\n")[1:])
        headers = {name.lower(): value.strip() for name, _, value in lines}
        offered = headers.get("sec-websocket-protocol", "").split(",")[0]
        key = websocket.accept_key(headers["sec-websocket-key"])
        chosen = f"Sec-WebSocket-Protocol: {offered}\r\n" if offered else ""
        self._client.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {key}\r\n{chosen}\r\n".encode()
        )

    def read(self) -> bytes:
        parts = self._receiver.receive(super().read())
        if any(part.opcode is Opcode.CLOSE for part in parts):
            self._client.sendall(websocket.close(websocket.CloseCode.NORMAL))
        return b"".join(part.payload for part in parts if part.opcode < Opcode.CLOSE)

    def wrap(self, piece: bytes) -> bytes:
        return websocket.encode(self._opcode, piece)


def flood(peer: Peer, count: int, encode: Callable[[int], bytes]) -> None:
    """Send `count` messages."""
    batch = b"".join(peer.wrap(encode(n)) for n in range(BATCH))
    for _ in range(count // BATCH):
        peer.write(batch)


def stomp(peer: Peer, count: int, size: int) -> None:
    """Greet, wait for the subscription, flood, say goodbye."""
    read_frame(peer, b"CONNECT", b"STOMP")
    peer.write(peer.wrap(b"CONNECTED\nversion:1.2\nheart-beat:0,0\nserver:firehose/1\n\n\0"))
    headers = read_frame(peer, b"SUBSCRIBE")
    if b"receipt" in headers:
        peer.write(peer.wrap(b"RECEIPT\nreceipt-id:" + headers[b"receipt"] + b"\n\n\0"))
    head = b"MESSAGE\ndestination:/topic/%b\nsubscription:%b\ncontent-length:%d\n" % (TOPIC, headers[b"id"], size)
    flood(peer, count, lambda n: head + b"message-id:m-%d\n\n" % n + b"x" * size + b"\0")
    headers = read_frame(peer, b"DISCONNECT")
    peer.write(peer.wrap(b"RECEIPT\nreceipt-id:" + headers.get(b"receipt", b"") + b"\n\n\0"))


def read_frame(peer: Peer, *commands: bytes) -> dict[bytes, bytes]:
    """The headers of the next frame that is one of `commands`."""
    data = b""
    while True:
        data += peer.read()
        for frame in data.split(b"\0"):
            lines = frame.strip(b"\n").split(b"\n\n")[0].split(b"\n")
            if lines[0] in commands and data.endswith(b"\0"):
                return dict(line.split(b":", 1) for line in lines[1:] if b":" in line)


class Packet(enum.IntEnum):
    """The first byte of a packet (MQTT 3.1.1, 2.2)."""

    CONNECT = 0x10
    PUBLISH = 0x30
    SUBSCRIBE = 0x82
    UNSUBSCRIBE = 0xA2
    PINGREQ = 0xC0
    DISCONNECT = 0xE0


def mqtt(peer: Peer, count: int, size: int) -> None:
    """Answer as a broker does that grants QoS 0, and flood whoever subscribed."""
    message = len(TOPIC).to_bytes(2, "big") + TOPIC + b"x" * size
    publish = bytes((Packet.PUBLISH,)) + varint(len(message)) + message
    for kind, body in read_packets(peer):
        match kind:
            case Packet.CONNECT:
                peer.write(peer.wrap(b"\x20\2\0\0"))
            case Packet.SUBSCRIBE:
                peer.write(peer.wrap(b"\x90\3" + body[:2] + b"\0"))
                flood(peer, count, lambda _: publish)
            case Packet.UNSUBSCRIBE:
                peer.write(peer.wrap(b"\xb0\2" + body[:2]))
            case Packet.PINGREQ:
                peer.write(peer.wrap(b"\xd0\0"))
            case Packet.DISCONNECT:
                return


def read_packets(peer: Peer) -> Iterator[tuple[int, bytes]]:
    """First byte and body of each packet until the client leaves."""
    data = b""
    while True:
        data += peer.read()
        with suppress(IndexError):
            while True:
                length, at = read_varint(data, 1)
                if len(data) < at + length:
                    break
                packet, data = data[: at + length], data[at + length :]
                yield packet[0], packet[at:]


SERVES: dict[str, Callable[[socket.socket, int, int], None]] = {
    "stomp": lambda client, count, size: stomp(Plain(client), count, size),
    "stomp+ws": lambda client, count, size: stomp(Web(client, Opcode.TEXT), count, size),
    "mqtt": lambda client, count, size: mqtt(Plain(client), count, size),
    "mqtt+ws": lambda client, count, size: mqtt(Web(client, Opcode.BINARY), count, size),
}


def main() -> None:
    """Serve one client after the other: `firehose SCHEME COUNT SIZE`."""
    serve, count, size = SERVES[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            client, _ = listener.accept()
            with client, suppress(OSError):
                serve(client, count, size)


if __name__ == "__main__":
    main()
