"""Connections: bytes that come in order, late, in pieces cut anywhere; until the connection breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from mqctl.experiments.simulation.weather import Weather
from mqctl.experiments.simulation.world import World
from mqctl.measurement.stamp import MAGIC


class End(Protocol):
    """Who is at one end of a connection."""

    def receive(self, data: bytes) -> None:
        """Bytes came."""
        ...

    def lost(self) -> None:
        """The connection is gone."""
        ...


class Pipe:
    """One direction of a connection.

    Attributes:
        arrive: Takes what comes.
        relief: Told whenever some of what was under way has come.
        under_way: Bytes that were sent and did not come yet.

    Args:
        world: When things happen.
        weather: How long they take.
    """

    def __init__(self, world: World, weather: Weather) -> None:
        self.arrive: Callable[[bytes], object] = _ignore
        self.relief: Callable[[], object] = _nothing
        self.under_way = 0
        self._world, self._weather = world, weather
        self._delay_ns = world.draw(weather.delay_max_ns)
        self._byte_max_ns = weather.byte_max_ns if world.rng.random() < weather.slow_share else 0
        self._last_ns = 0
        self._breaks: tuple[int, Callable[[], object]] | None = None
        self._open = True

    def break_at(self, message: int, broken: Callable[[], object]) -> None:
        """Let the connection break somewhere in the message of that number, from 1, that passes here."""
        self._breaks = message, broken

    def send(self, data: bytes) -> None:
        """Let bytes come, unless the connection is broken."""
        if not self._open:
            return
        if self._breaks is None:
            self._carry(data)
            return
        left, broken = self._breaks
        self._breaks = left - data.count(MAGIC), broken
        if self._breaks[0] > 0:
            self._carry(data)
            return
        self._carry(data[: self._place(data, left)])
        self._open = False
        self._world.at(self._last_ns + 1, broken)

    def close(self) -> None:
        """Let nothing more come, whatever is under way."""
        self._open = False
        self.arrive = _ignore
        self.relief = _nothing

    def _place(self, data: bytes, number: int) -> int:
        """Where to cut within a message of those that are sent."""
        start = -1
        for _ in range(number):
            start = data.index(MAGIC, start + 1)
        return start + 1 + self._world.draw(2 * len(MAGIC))

    def _carry(self, data: bytes) -> None:
        world = self._world
        for piece in self._pieces(data):
            taken_ns = self._last_ns + 1 + world.draw(self._byte_max_ns * len(piece))
            self._last_ns = max(taken_ns, world.now_ns + self._delay_ns + world.draw(self._weather.jitter_max_ns))
            self.under_way += len(piece)
            world.at(self._last_ns, partial(self._come, piece))

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            size = 1 + self._world.draw(self._weather.piece_bytes_max - 1)
            yield data[:size]
            data = data[size:]

    def _come(self, piece: bytes) -> None:
        self.under_way -= len(piece)
        self.arrive(piece)
        self.relief()


class Wire:
    """A connection.

    Attributes:
        up: From the client to the server.
        down: Back.

    Args:
        world: When things happen.
        weather: How long they take.
    """

    def __init__(self, world: World, weather: Weather) -> None:
        self.up, self.down = Pipe(world, weather), Pipe(world, weather)
        self._world, self._weather = world, weather
        self._whole = True

    def join(self, client: End, server: End) -> None:
        """Put somebody at each end."""
        self._client, self._server = client, server
        self.down.arrive, self.up.arrive = client.receive, server.receive

    def reset(self) -> None:
        """Break it, unless that was done. The client knows at once; the server takes what comes until it notices."""
        if not self._whole:
            return
        self._whole = False
        self.down.close()
        self._world.after(self._world.draw(self._weather.notices_max_ns), self._notice)
        self._client.lost()

    def _notice(self) -> None:
        self.up.close()
        self._server.lost()


def _ignore(_data: bytes) -> None:
    """Nobody is there."""


def _nothing() -> None:
    """Nobody waits."""
