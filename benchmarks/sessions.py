"""Many sessions of Bayeux at once: what each takes of the hub's memory, by long-polling and by WebSocket.

Each subscribes to a topic and holds a connect. What the kernel takes for their sockets is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import MQCTL, running, table
from mqctl.target import Endpoint, parse_url
from tests.hub.raw_web import frame, handshake

SESSIONS = 10_000
WARM_UP = 200
"""Sessions before those that are counted: the first ones bring in what all share."""
AT_ONCE = 100
PATIENCE_S = 120.0
PER_SOURCE = 10_000
"""Connections of one loopback address, which has few ports."""
SPARE_FILES = 100


class Client(ABC):
    """A connection, and what it has to say who it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hub: Endpoint) -> None:
        self.reader = reader
        self.writer = writer
        self.hub = hub
        self.client_id = ""
        self.cookie = ""

    async def open(self) -> None:  # noqa: B027 - most have nothing to do
        """Be ready to send."""

    def send(self, channel: str, **fields: Any) -> None:
        """Send a message of its session."""
        self.write(json.dumps([{"id": "1", "channel": channel, "clientId": self.client_id, **fields}]).encode())

    async def ask(self, channel: str, **fields: Any) -> None:
        """Send a message and wait for its reply, the only thing to come."""
        self.send(channel, **fields)
        (reply,) = json.loads(await self.next())
        assert reply["successful"], reply
        self.client_id = reply.get("clientId", self.client_id)

    @abstractmethod
    def write(self, array: bytes) -> None:
        """Send an array of messages."""

    @abstractmethod
    async def next(self) -> bytes:
        """The next array."""


class Poller(Client):
    """Speaks by requests."""

    def write(self, array: bytes) -> None:
        """Ask."""
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        head = f"POST /bayeux HTTP/1.1\r\nHost: {self.hub}\r\n{cookie}Content-Length: {len(array)}\r\n\r\n"
        self.writer.write(head.encode() + array)

    async def next(self) -> bytes:
        """The answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        if cookie := re.search(r"Set-Cookie: ([^;]+)", head):
            self.cookie = cookie[1]
        size = re.search(r"Content-Length: (\d+)", head)
        assert size is not None, head
        return await self.reader.readexactly(int(size[1]))


class Socket(Client):
    """Speaks by messages of a WebSocket."""

    async def open(self) -> None:
        """Upgrade."""
        self.writer.write(handshake(self.hub, path="/bayeux"))
        await self.reader.readuntil(b"\r\n\r\n")

    def write(self, array: bytes) -> None:
        """Send a text message."""
        self.writer.write(frame(array, 1))

    async def next(self) -> bytes:
        """The next message."""
        size = (await self.reader.readexactly(2))[1]
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2))
        return await self.reader.readexactly(size)


KINDS: dict[str, type[Poller | Socket]] = {"long-polling": Poller, "websocket": Socket}


async def greet(kind: str, endpoint: Endpoint, number: int) -> Poller | Socket:
    """A session."""
    source = (f"127.0.0.{1 + number // PER_SOURCE}", 0)
    streams = await asyncio.open_connection(endpoint.host, endpoint.port, local_addr=source)
    client = KINDS[kind](*streams, endpoint)
    await client.open()
    await client.ask("/meta/handshake", version="1.0", supportedConnectionTypes=[kind])
    return client


async def hold(kind: str, endpoint: Endpoint, number: int) -> Poller | Socket:
    """A session that is subscribed, and whose connect waits."""
    client = await greet(kind, endpoint, number)
    await client.ask("/meta/subscribe", subscription="/bench")
    await client.ask("/meta/connect", connectionType=kind)
    client.send("/meta/connect", connectionType=kind)
    return client


async def in_batches(count: int, make: Callable[[int], Awaitable[Any]]) -> list[Any]:
    """What is made, not too much of it at once."""
    made: list[Any] = []
    while len(made) < count:
        numbers = range(len(made), min(count, len(made) + AT_ONCE))
        made += await asyncio.gather(*map(make, numbers))
    return made


@dataclass(frozen=True, slots=True)
class Found:
    """What a hub with many sessions is like."""

    bytes_each: float
    opened_s: float
    heard_s: float
    """From a publish until all have it."""


async def measure(kind: str, endpoint: Endpoint, pid: int, count: int) -> Found:
    """Hold sessions, weigh the hub, and see that each of them hears what is published."""
    clients = await in_batches(WARM_UP, lambda number: hold(kind, endpoint, number))
    before_bytes = anonymous_bytes(pid)
    began_s = time.perf_counter()
    clients += await in_batches(count, lambda number: hold(kind, endpoint, WARM_UP + number))
    opened_s = time.perf_counter() - began_s
    bytes_each = (anonymous_bytes(pid) - before_bytes) / count
    publisher = await greet(kind, endpoint, 0)
    began_s = time.perf_counter()
    publisher.send("/bench", data="hello")
    async with asyncio.timeout(PATIENCE_S):
        arrays = await asyncio.gather(*(client.next() for client in clients))
    heard_s = time.perf_counter() - began_s
    assert all(b"hello" in array for array in arrays)
    for client in [*clients, publisher]:
        client.writer.transport.abort()
    return Found(bytes_each, opened_s, heard_s)


def anonymous_bytes(pid: int) -> int:
    """Memory of a process that is its own, and no file's."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@contextmanager
def crowded_hub(count: int) -> Iterator[tuple[Endpoint, int]]:
    """A hub that lets so many in from one machine; where it is, and its process."""
    room = count + WARM_UP + AT_ONCE
    limits = ["--max-sessions-per-address", str(room), "--max-connections", str(room), "--hold", "10m"]
    with running([MQCTL, "hub", "--http", "127.0.0.1:0", *limits]) as ((url,), pid):
        yield parse_url(url).endpoints[0], pid


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sessions", type=int, default=SESSIONS)
    count = options.parse_args().sessions
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + WARM_UP + SPARE_FILES), hard))
    rows = []
    for kind in KINDS:
        with crowded_hub(count) as (endpoint, pid):
            found = asyncio.run(measure(kind, endpoint, pid, count))
        rows.append(
            [
                kind,
                f"{count:,}",
                f"{found.bytes_each / 1024:.1f} KiB",
                f"{found.opened_s:.1f} s",
                f"{found.heard_s:.2f} s",
            ]
        )
    table(
        "Sessions of Bayeux held at once",
        ["connection", "sessions", "memory each", "opened in", "one message to all"],
        rows,
    )


if __name__ == "__main__":
    main()
