"""The hub's HTTP port: pages for people and machines, and the door through which connections become WebSockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol, cast

from aiohttp import BasicAuth, hdrs, web
from aiohttp.typedefs import Handler

from mqctl.hub import framing, metrics
from mqctl.hub.bayeux_house import BayeuxHouse
from mqctl.hub.bayeux_http import BayeuxHttp
from mqctl.hub.config import BAYEUX_PATHS, STOMP_PATHS, HubConfig
from mqctl.hub.doorman import is_loopback, refused_host, refused_origin
from mqctl.hub.exchange import Exchange
from mqctl.hub.framing import Framing
from mqctl.hub.patience import LINGER_S
from mqctl.protocols.websocket import VERSION, accept_key

SUBPROTOCOLS: Final = ("v12.stomp", "v11.stomp", "v10.stomp")
"""STOMP 1.2, 1.1 and 1.0, in the order in which we prefer them."""
SHUTDOWN_S: Final = 1.0
"""For requests that are being answered when the hub stops."""
_SERVED: Final = (
    f"there is STOMP over WebSocket at {' and '.join(STOMP_PATHS)}, Bayeux at {' and '.join(BAYEUX_PATHS)}, "
    "and /healthz, and /metrics"
)
_CROWDED: Final = b"too many connections (limit: connections)\n"


class _Port(Protocol):
    """What takes over a connection that has become a WebSocket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def data_received(self, data: bytes) -> None: ...


class HttpPort:
    """All HTTP listeners of a hub.

    Args:
        config: The hub's.
        make_port: Makes what speaks STOMP over a WebSocket.
        snapshot: What `/metrics` tells.
        crowded: Whether there is no room for another connection.
        exchange: The broker of the sessions of Bayeux.
    """

    def __init__(
        self,
        config: HubConfig,
        make_port: Callable[[Framing], _Port],
        snapshot: Callable[[], metrics.Snapshot],
        crowded: Callable[[], bool],
        exchange: Exchange,
    ) -> None:
        self._config = config
        self._make_port = make_port
        self._snapshot = snapshot
        self._crowded = crowded
        self._on_loopback = all(is_loopback(endpoint.host) for endpoint in config.http)
        app = web.Application(middlewares=[self._guard])
        app.add_routes([web.get(path, self._stomp, allow_head=False) for path in STOMP_PATHS])
        self._bayeux = BayeuxHttp(config, BayeuxHouse(config, exchange))
        app.add_routes([web.post(f"{path}{{below:(/.*)?}}", self._bayeux.post) for path in BAYEUX_PATHS])
        app.add_routes([web.get("/healthz", self._healthz), web.get("/metrics", self._metrics)])
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_silent(),
            keepalive_timeout=config.stomp_limits.connect_timeout_s,
            lingering_time=LINGER_S,
            shutdown_timeout=SHUTDOWN_S,
            handler_cancellation=True,
        )

    async def start(self) -> None:
        """Be ready to accept connections."""
        await self._runner.setup()

    async def close(self) -> None:
        """Answer what was asked, and nothing more; WebSockets are not ours any more."""
        await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """Open ones that are no WebSockets."""
        server = self._runner.server
        return len(server.connections) if server is not None else 0

    def accept(self) -> asyncio.BaseProtocol:
        """A protocol for the next connection."""
        return _Door(self._open_door)

    def _open_door(self) -> asyncio.Protocol | None:
        server = self._runner.server  # None when the hub has stopped meanwhile
        return None if server is None or self._crowded() else server()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Look at the name by which the hub was found; say in words what is not served."""
        if self._on_loopback and (says := refused_host(request.host, self._config.allow_origins)):
            return _answer(403, says)
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return _answer(404, f"nothing at {request.path[:200]}: {_SERVED}")
        except web.HTTPMethodNotAllowed as error:
            return _answer(405, f"{request.path} takes {' and '.join(sorted(error.allowed_methods))}")
        except Exception as error:  # noqa: BLE001 - a bug costs the request where it shows itself
            loop = asyncio.get_running_loop()
            loop.call_exception_handler({"message": "a bug in the hub: a request was not answered", "exception": error})
            return _answer(500, "a bug in the hub")

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _answer(200, "ok")

    async def _metrics(self, request: web.Request) -> web.Response:
        if not self._knows(request.headers.get(hdrs.AUTHORIZATION)):
            return _answer(401, "the metrics need the hub's password", {hdrs.WWW_AUTHENTICATE: 'Basic realm="hub"'})
        page = metrics.prometheus(self._snapshot())
        return web.Response(body=page.encode(), headers={hdrs.CONTENT_TYPE: metrics.CONTENT_TYPE})

    def _knows(self, authorization: str | None) -> bool:
        try:
            login = BasicAuth.decode(authorization or "", encoding="utf-8")
        except ValueError:
            return self._config.authenticate(None, None)
        return self._config.authenticate(login.login, login.password)

    async def _stomp(self, request: web.Request) -> web.Response:
        key = accept_key(request.headers.get(hdrs.SEC_WEBSOCKET_KEY, ""))
        refusal = self._refused_upgrade(request, key)
        if refusal is not None:
            return refusal
        early = _Early()
        request.protocol.set_parser(early)  # type: ignore[arg-type] # it has what is used of a WebSocketReader
        transport = _taken_from(request)
        if transport is not None:
            port = self._make_port(framing.WebSocket(self._config.stomp_limits.frame_bytes))
            transport.set_protocol(cast("asyncio.BaseProtocol", port))
            transport.write(_switching(key, request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, [])))
            port.connection_made(transport)
            if early.data:
                port.data_received(bytes(early.data))
        return web.Response()  # goes nowhere: the connection is the port's

    def _refused_upgrade(self, request: web.Request, key: str | None) -> web.Response | None:
        headers = request.headers
        says = refused_origin(headers.get(hdrs.ORIGIN), request.host, self._config.allow_origins)
        if says is not None:
            return _answer(403, says)
        if (
            headers.get(hdrs.UPGRADE, "").lower() != "websocket"
            or "upgrade" not in headers.get(hdrs.CONNECTION, "").lower()
        ):
            return _answer(426, "this is for WebSocket, which speaks STOMP here", {hdrs.UPGRADE: "websocket"})
        if headers.get(hdrs.SEC_WEBSOCKET_VERSION) != VERSION:
            return _answer(426, f"WebSocket version {VERSION} is spoken here", {hdrs.SEC_WEBSOCKET_VERSION: VERSION})
        if key is None:
            return _answer(400, "Sec-WebSocket-Key is to be 16 bytes in base64")
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


class _Door(asyncio.Protocol):
    """Lets a new connection in, or says that it is one too many.

    Only once it is made: of those that are accepted in one turn of the loop, none knows of the others.
    """

    def __init__(self, opened: Callable[[], asyncio.Protocol | None]) -> None:
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand it over, or close."""
        transport = cast("asyncio.Transport", transport)
        handler = self._opened()
        if handler is None:
            head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Length: {len(_CROWDED)}\r\nConnection: close\r\n\r\n"
            transport.write(head.encode() + _CROWDED)
            transport.close()
        else:
            transport.set_protocol(handler)
            handler.connection_made(transport)


def _taken_from(request: web.Request) -> asyncio.Transport | None:
    """The connection of a request, of which aiohttp then knows nothing more; None if it is gone."""
    handler = request.protocol
    transport, handler.transport = handler.transport, None
    handler.connection_lost(None)
    return transport


def _switching(key: str | None, offered: list[str]) -> bytes:
    """The answer to an upgrade. Without a sub-protocol in common it names none, as RabbitMQ does."""
    names = {name.strip() for line in offered for name in line.split(",")}
    chosen = next((f"Sec-WebSocket-Protocol: {name}\r\n" for name in SUBPROTOCOLS if name in names), "")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {key}\r\n{chosen}\r\n"
    ).encode()


def _answer(status: int, says: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{says}\n", headers=headers)


def _silent() -> logging.Logger:
    """What clients do wrong is told to them, not to standard error; a bug is told by `_guard`."""
    logger = logging.Logger("mqctl.hub.http")
    logger.disabled = True
    return logger
