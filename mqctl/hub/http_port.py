"""The hub's HTTP port: pages for people and machines, and the door through which connections become WebSockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final, cast

from aiohttp import BasicAuth, hdrs, web
from aiohttp.typedefs import Handler

from mqctl.hub import framing, metrics
from mqctl.hub.bayeux_http import BayeuxHttp
from mqctl.hub.config import BAYEUX_PATHS, STOMP_PATHS, HubConfig
from mqctl.hub.doorman import is_loopback, refused_host
from mqctl.hub.exchange import Exchange
from mqctl.hub.framing import Framing
from mqctl.hub.page import Page
from mqctl.hub.patience import LINGER_S
from mqctl.hub.upgrade import Successor, answer, upgrade

SUBPROTOCOLS: Final = ("v12.stomp", "v11.stomp", "v10.stomp")
"""STOMP 1.2, 1.1 and 1.0, in the order in which we prefer them."""
SHUTDOWN_S: Final = 1.0
"""For requests that are being answered when the hub stops."""
_SERVED: Final = (
    f"there is a page at /, STOMP over WebSocket at {' and '.join(STOMP_PATHS)}, "
    f"Bayeux at {' and '.join(BAYEUX_PATHS)}, and /healthz, and /metrics"
)
_CROWDED: Final = b"too many connections (limit: connections)\n"


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
        make_port: Callable[[Framing], Successor],
        snapshot: Callable[[], metrics.Snapshot],
        crowded: Callable[[], bool],
        exchange: Exchange,
    ) -> None:
        self._config = config
        self._make_port = make_port
        self._snapshot = snapshot
        self._crowded = crowded
        self._refused_host = lru_cache(maxsize=16)(partial(refused_host, allowed=config.allow_origins))
        self._on_loopback = all(is_loopback(endpoint.host) for endpoint in config.http)
        self._watcher: asyncio.TimerHandle | None = None
        app = web.Application(middlewares=[self._guard])
        app.add_routes([web.get(path, self._stomp, allow_head=False) for path in STOMP_PATHS])
        self._bayeux = BayeuxHttp(config, exchange)
        app.add_routes(self._bayeux.routes())
        app.add_routes(Page().routes())
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
        self._watch({})

    def bayeux_stats(self) -> metrics.BayeuxStats:
        """What there is of sessions of Bayeux."""
        return self._bayeux.stats()

    async def close(self, drain_s: float) -> int:
        """Answer what was asked, and nothing more; WebSockets of STOMP are not ours any more.

        Returns how many messages waited for clients of Bayeux.

        Args:
            drain_s: What is on its way to clients of Bayeux has so long to leave.
        """
        if self._watcher is not None:
            self._watcher.cancel()
        waiting = await self._bayeux.close(drain_s)
        await self._runner.cleanup()
        return waiting

    def _watch(self, unread: Mapping[asyncio.Transport, int]) -> None:
        """Close who took nothing of an answer since the last time: aiohttp waits for such clients for ever."""
        now_unread: dict[asyncio.Transport, int] = {}
        for handler in self._runner.server.connections if self._runner.server is not None else ():
            transport = handler.transport
            if transport is not None and (size := transport.get_write_buffer_size()):
                now_unread[transport] = size
                if unread.get(transport) == size:
                    transport.abort()
        loop = asyncio.get_running_loop()
        self._watcher = loop.call_later(self._config.unread_timeout_s, self._watch, now_unread)

    @property
    def connections(self) -> int:
        """Open ones that are no WebSockets of STOMP."""
        server = self._runner.server
        return self._bayeux.connections + (len(server.connections) if server is not None else 0)

    def accept(self) -> asyncio.BaseProtocol:
        """A protocol for the next connection."""
        return _Door(self._open_door)

    def _open_door(self) -> asyncio.Protocol | None:
        server = self._runner.server  # None when the hub has stopped meanwhile
        return None if server is None or self._crowded() else server()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Look at the name by which the hub was found; say in words what is not served."""
        if self._on_loopback and (says := self._refused_host(request.host)):
            return answer(403, says)
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return answer(404, f"nothing at {request.path[:200]}: {_SERVED}")
        except web.HTTPMethodNotAllowed as error:
            return answer(405, f"{request.path} takes {' and '.join(sorted(error.allowed_methods))}")
        except Exception as error:  # noqa: BLE001 - a bug costs the request where it shows itself
            loop = asyncio.get_running_loop()
            loop.call_exception_handler({"message": "a bug in the hub: a request was not answered", "exception": error})
            return answer(500, "a bug in the hub")

    async def _healthz(self, _request: web.Request) -> web.Response:
        return answer(200, "ok")

    async def _metrics(self, request: web.Request) -> web.Response:
        if not self._knows(request.headers.get(hdrs.AUTHORIZATION)):
            return answer(401, "the metrics need the hub's password", {hdrs.WWW_AUTHENTICATE: 'Basic realm="hub"'})
        page = metrics.prometheus(self._snapshot())
        return web.Response(body=page.encode(), headers={hdrs.CONTENT_TYPE: metrics.CONTENT_TYPE})

    def _knows(self, authorization: str | None) -> bool:
        try:
            login = BasicAuth.decode(authorization or "", encoding="utf-8")
        except ValueError:
            return self._config.authenticate(None, None)
        return self._config.authenticate(login.login, login.password)

    async def _stomp(self, request: web.Request) -> web.Response:
        return upgrade(
            request,
            lambda: self._make_port(framing.WebSocket(self._config.stomp_limits.frame_bytes)),
            allowed=self._config.allow_origins,
            spoken="STOMP",
            subprotocols=SUBPROTOCOLS,
        )


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


def _silent() -> logging.Logger:
    """What clients do wrong is told to them, not to standard error; a bug is told by `_guard`."""
    logger = logging.Logger("mqctl.hub.http")
    logger.disabled = True
    return logger
