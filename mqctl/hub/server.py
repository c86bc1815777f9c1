"""A hub's life: listen, serve, drain, close."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mqctl import __version__
from mqctl.broker.core import Broker
from mqctl.errors import ConnectError
from mqctl.hub.config import HTTP_URLS, HubConfig
from mqctl.hub.exchange import Exchange
from mqctl.hub.framing import Framing, Plain
from mqctl.hub.metrics import BayeuxStats, Snapshot
from mqctl.hub.patience import LINGER_S
from mqctl.hub.stomp_port import StompPort
from mqctl.target import Endpoint

if TYPE_CHECKING:
    from mqctl.hub.http_port import HttpPort

SERVER_NAME = f"mqctl-hub/{__version__}"
BACKLOG = 1024
"""Connections that the kernel may hold for us while a burst of them arrives."""
ASKING_MAX = 50
"""Connections of the HTTP port beyond the limit of all: to tell who is too many, and how a full hub is."""
ABORT_S = 1.0
"""For connections to be gone that were aborted, which takes the loop a turn."""


class Ending(NamedTuple):
    """What a hub that stopped could not do."""

    cut_off: int
    """Connections that were closed with something on its way to them."""
    waiting: int
    """Messages that were kept in queues and for durable subscribers, and are gone now."""


class Hub:
    """A running hub. Make it inside the loop that it is to run in, `start` it, and `stop` it."""

    def __init__(self, config: HubConfig) -> None:
        self.config = config
        self.exchange = Exchange(
            Broker(config.broker_limits, config.slow_consumer), asyncio.get_running_loop(), config.on_event
        )
        self.exchange.upstream = config.upstream
        if config.upstream is not None:
            config.upstream.attach(self.exchange)
        self.endpoints: tuple[Endpoint, ...] = ()
        self.urls: tuple[str, ...] = ()
        self._ports: set[StompPort] = set()
        self._servers: list[asyncio.Server] = []
        self._http: HttpPort | None = None
        self._began_s = self.exchange.loop.time()
        self._serial = 0
        self._cut_off = 0

    async def start(self) -> None:
        """Listen; afterwards `urls` says where.

        Raises:
            ConnectError: An address cannot be listened on.
        """
        try:
            stomp = [each for endpoint in self.config.stomp for each in await self._listen(self._port, endpoint)]
            http = []
            if self.config.http:
                accept = await self._serve_http()
                http = [each for endpoint in self.config.http for each in await self._listen(accept, endpoint)]
        except BaseException:
            # uvloop's loop would not close round what still listens.
            await self.stop()
            raise
        self.endpoints = (*stomp, *http)
        self.urls = (*(f"stomp://{each}" for each in stomp), *(url.format(each) for each in http for url in HTTP_URLS))

    def snapshot(self) -> Snapshot:
        """What is counted, now."""
        return Snapshot(
            broker=self.exchange.broker.stats(),
            connections=self._connections,
            listener_failures=self.exchange.listener_failures,
            bayeux=self._bayeux,
            uptime_s=self.exchange.loop.time() - self._began_s,
            upstream=None if self.config.upstream is None else self.config.upstream.stats(),
        )

    async def stop(self) -> Ending:
        """Listen no more, give what is on its way out `drain_s` to leave, close every connection."""
        for server in self._servers:
            server.close()
        end_s = self.exchange.loop.time() + self.config.drain_s
        # First the publishers: what they have sent goes to subscribers, who therefore are not closed before.
        await self._wait(StompPort.quiet, end_s)
        if self.config.upstream is not None:
            await self.config.upstream.drain(max(0.0, end_s - self.exchange.loop.time()))
        waiting = 0
        if self._http is not None:
            waiting = await self._http.close(max(LINGER_S, end_s - self.exchange.loop.time()))
        # Twice, because a connection may have been accepted before the listener closed and be made after.
        for _ in range(2):
            await self._wait(StompPort.drain, end_s)
        self.abort()
        if self._ports:
            await asyncio.wait([port.closed for port in self._ports], timeout=ABORT_S)
        broker = self.exchange.broker
        waiting += broker.stats().waiting
        self.exchange.apply(broker.abandon())
        self.exchange.close()
        if self.config.upstream is not None:
            self.config.upstream.detach()
        return Ending(cut_off=self._cut_off, waiting=waiting)

    async def _wait(self, step: Callable[[StompPort], asyncio.Future[None]], end_s: float) -> None:
        left_s = end_s - self.exchange.loop.time()
        if self._ports and not self._cut_off and left_s > 0:
            await asyncio.wait([step(port) for port in self._ports], timeout=left_s)

    def abort(self) -> None:
        """Close every connection at once; `stop` does not wait any more."""
        self._cut_off += len(self._ports)
        for port in list(self._ports):
            port.abort()

    @property
    def _bayeux(self) -> BayeuxStats:
        return self._http.bayeux_stats() if self._http is not None else BayeuxStats()

    @property
    def _connections(self) -> int:
        return len(self._ports) + (self._http.connections if self._http is not None else 0)

    def _port(self, framing: Framing | None = None) -> StompPort:
        self._serial += 1
        return StompPort(
            self.config,
            self.exchange,
            self._ports,
            f"{self._serial}",
            server=SERVER_NAME,
            framing=framing or Plain(),
        )

    async def _serve_http(self) -> Callable[[], asyncio.BaseProtocol]:
        # A hub that only `tail` or `watch` hosts does without.
        from mqctl.hub.http_port import HttpPort  # noqa: PLC0415

        self._http = HttpPort(self.config, self._port, self.snapshot, self._crowded, self.exchange)
        await self._http.start()
        return self._http.accept

    def _crowded(self) -> bool:
        return self._connections >= self.config.broker_limits.connections + ASKING_MAX

    async def _listen(self, make_port: Callable[[], asyncio.BaseProtocol], endpoint: Endpoint) -> list[Endpoint]:
        loop = self.exchange.loop
        try:
            server = await loop.create_server(make_port, endpoint.host, endpoint.port, backlog=BACKLOG)
        except (OSError, UnicodeError) as error:
            raise ConnectError(f"cannot listen on {endpoint}: {_why(error)}", hint=_HINTS.get(_errno(error))) from error
        self._servers.append(server)
        return [Endpoint(*each.getsockname()[:2]) for each in server.sockets]


_HINTS: dict[int | None, str] = {
    errno.EADDRINUSE: "perhaps a hub is running there already; port 0 picks a free port",
    errno.EACCES: "ports below 1024 are the system's; port 0 picks a free port",
}


def _errno(error: Exception) -> int | None:
    return error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None


def _why(error: Exception) -> str:
    """The system's words for it; the loop's are longer and name the address again."""
    number = _errno(error)
    if number:
        return os.strerror(number).lower()
    return error.strerror if isinstance(error, OSError) and error.strerror else "no such host"
