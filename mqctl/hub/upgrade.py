"""How a request becomes a connection of its own: a WebSocket, or whatever else goes on after the answer's head."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from aiohttp import hdrs, web

from mqctl.hub.doorman import refused_origin
from mqctl.protocols.websocket import VERSION, accept_key


class Successor(Protocol):
    """What takes over a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As of any protocol of asyncio."""
        ...

    def data_received(self, data: bytes) -> None:
        """As of any protocol of asyncio."""
        ...


def upgrade(
    request: web.Request,
    make_successor: Callable[[], Successor],
    *,
    allowed: Sequence[str],
    spoken: str,
    subprotocols: Sequence[str] = (),
) -> web.Response:
    """Make a request a WebSocket, or say why not.

    Args:
        request: The request, which has no answer yet.
        make_successor: Makes what speaks over the WebSocket.
        allowed: Origins from which pages may come.
        spoken: What is spoken there.
        subprotocols: Its names, in the order in which we prefer them.
    """
    key = accept_key(request.headers.get(hdrs.SEC_WEBSOCKET_KEY, ""))
    refusal = _refused(request, key, allowed, spoken)
    if refusal is not None:
        return refusal
    offered = request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, [])
    return take_over(request, make_successor, _switching(key, offered, subprotocols))


def take_over(request: web.Request, make_successor: Callable[[], Successor], head: bytes = b"") -> web.Response:
    """Give the connection of a request to something else, which begins after `head`."""
    early = _Early()
    request.protocol.set_parser(early)  # type: ignore[arg-type] # it has what is used of a WebSocketReader
    transport = _taken_from(request)
    if transport is not None:
        successor = make_successor()
        transport.set_protocol(cast("asyncio.BaseProtocol", successor))
        transport.write(head)
        successor.connection_made(transport)
        if early.data:
            successor.data_received(bytes(early.data))
    return web.Response()  # goes nowhere: the connection is the successor's


def is_upgrade(request: web.Request) -> bool:
    """Whether a request wants to be a WebSocket."""
    headers = request.headers
    return (
        headers.get(hdrs.UPGRADE, "").lower() == "websocket" and "upgrade" in headers.get(hdrs.CONNECTION, "").lower()
    )


def answer(status: int, says: str, headers: dict[str, str] | None = None) -> web.Response:
    """A sentence for people, who may have sent what is no text."""
    body = f"{says}\n".encode(errors="backslashreplace")
    return web.Response(status=status, body=body, headers=headers, content_type="text/plain", charset="utf-8")


def _refused(request: web.Request, key: str | None, allowed: Sequence[str], spoken: str) -> web.Response | None:
    says = refused_origin(request.headers.get(hdrs.ORIGIN), request.host, allowed)
    if says is not None:
        return answer(403, says)
    if not is_upgrade(request):
        return answer(426, f"this is for WebSocket, which speaks {spoken} here", {hdrs.UPGRADE: "websocket"})
    if request.headers.get(hdrs.SEC_WEBSOCKET_VERSION) != VERSION:
        return answer(426, f"WebSocket version {VERSION} is spoken here", {hdrs.SEC_WEBSOCKET_VERSION: VERSION})
    if key is None:
        return answer(400, "Sec-WebSocket-Key is to be 16 bytes in base64")
    return None


class _Early:
    """Keeps what a client sends that does not wait until it may."""

    def __init__(self) -> None:
        self.data = bytearray()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Called by aiohttp, which ends the connection if the first of the answer is true."""
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Called by aiohttp at the end."""


def _taken_from(request: web.Request) -> asyncio.Transport | None:
    """The connection of a request, of which aiohttp then knows nothing more; None if it is gone."""
    handler = request.protocol
    transport, handler.transport = handler.transport, None
    handler.connection_lost(None)
    return transport


def _switching(key: str | None, offered: Sequence[str], subprotocols: Sequence[str]) -> bytes:
    """The answer to an upgrade. Without a sub-protocol in common it names none, as RabbitMQ does."""
    names = {name.strip() for line in offered for name in line.split(",")}
    chosen = next((f"Sec-WebSocket-Protocol: {name}\r\n" for name in subprotocols if name in names), "")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {key}\r\n{chosen}\r\n"
    ).encode()
