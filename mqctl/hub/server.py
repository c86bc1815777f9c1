"""A hub's life: listen, serve, drain, close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mqctl import __version__
from mqctl.broker.core import Broker
from mqctl.errors import ConnectError
from mqctl.hub.config import HubConfig
from mqctl.hub.exchange import Exchange
from mqctl.hub.stomp_port import StompPort
from mqctl.target import Endpoint

SERVER_NAME = f"mqctl-hub/{__version__}"
BACKLOG = 1024
"""Connections that the kernel may hold for us while a burst of them arrives."""


class Hub:
    """A running hub. Make it inside the loop that it is to run in, `start` it, and `stop` it."""

    def __init__(self, config: HubConfig) -> None:
        self.config = config
        self.exchange = Exchange(
            Broker(config.broker_limits, config.slow_consumer), asyncio.get_running_loop(), config.on_event
        )
        self.urls: tuple[str, ...] = ()
        self._ports: set[StompPort] = set()
        self._servers: list[asyncio.Server] = []
        self._serial = 0

    async def start(self) -> None:
        """Listen; afterwards `urls` says where.

        Raises:
            ConnectError: An address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        try:
            for endpoint in self.config.stomp:
                self._servers.append(await _listen(loop, self._port, endpoint))
        except ConnectError:
            await self.stop()
            raise
        self.urls = tuple(f"stomp://{_bound(server)}" for server in self._servers)

    async def stop(self) -> None:
        """Listen no more, give what is on its way out `drain_s` to leave, close every connection."""
        for server in self._servers:
            server.close()
        self.exchange.close()
        closed = [port.drain() for port in self._ports]
        if closed:
            _, late = await asyncio.wait(closed, timeout=self.config.drain_s)
            for port in list(self._ports) if late else ():
                port.abort()
            await asyncio.wait(closed)

    def _port(self) -> StompPort:
        self._serial += 1
        return StompPort(self.config, self.exchange, self._ports, f"{self._serial}", SERVER_NAME)


async def _listen(
    loop: asyncio.AbstractEventLoop, make_port: Callable[[], asyncio.BaseProtocol], endpoint: Endpoint
) -> asyncio.Server:
    try:
        return await loop.create_server(make_port, endpoint.host, endpoint.port, backlog=BACKLOG)
    except OSError as error:
        raise ConnectError(
            f"cannot listen on {endpoint}: {error.strerror or error}", hint="port 0 picks a free one"
        ) from error


def _bound(server: asyncio.Server) -> Endpoint:
    host, port = server.sockets[0].getsockname()[:2]
    return Endpoint(host, port)
