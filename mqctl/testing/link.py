"""A loopback relay in front of a broker, to break, to stall and to spoil connections on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar

from mqctl.target import Endpoint
from mqctl.testing.faults import Direction, Trigger

_CHUNK_BYTES: Final = 64 * 1024
_CHUNKS_AHEAD: Final = 256
_RESET: Final = struct.pack("ii", 1, 0)

_Queue = asyncio.Queue[tuple[float, bytes | Trigger | None]]
_Writer = asyncio.StreamWriter
_T = TypeVar("_T")


class Link:
    """Relays TCP connections to `upstream` from `endpoint`, an address of the loopback interface.

    Attributes:
        endpoint: Where clients connect.
        up: The faults on the way to the broker.
        down: The faults on the way to the client.

    Args:
        upstream: The broker.
        seed: Makes chance repeat itself.
    """

    def __init__(self, upstream: Endpoint, *, seed: int = 0) -> None:
        self._upstream = upstream
        # Bound, and never listening: nobody else gets the port while `refuse` has closed the listener.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.endpoint = Endpoint(*self._reserved.getsockname())
        self._numbers = 0
        rng = random.Random(seed)  # noqa: S311 - chance of a test, no secrets
        self.up = Direction(rng, lambda: self._numbers)
        self.down = Direction(rng, lambda: self._numbers)
        self._pairs: dict[int, _Pair] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"mqctl.link.{self.endpoint}", daemon=True)
        self._thread.start()
        self.accept()

    def cut(self) -> None:
        """Reset all connections, as a cable or a firewall would. New ones are relayed."""
        self._do(self._cut())

    def finish(self) -> None:
        """End all connections as a peer that closes would, each side after what it is still to get."""
        self._do(self._finish())

    def stall(self) -> None:
        """Hold back all bytes until `resume` or `cut`."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def resume(self) -> None:
        """Let the bytes flow again."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def refuse(self) -> None:
        """Let nobody connect until `accept`: connection refused. What is connected stays so."""
        self._do(self._stop_listening())

    def accept(self) -> None:
        """Let clients connect."""
        self._do(self._listen())

    def close(self) -> None:
        """Cut, and listen no more."""
        if self._loop.is_closed():
            return
        self.refuse()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._reserved.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accepted, *self.endpoint)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _cut(self) -> None:
        tasks = list(self._tasks)
        for number in list(self._pairs):
            self._reset(number)
        await asyncio.gather(*tasks, return_exceptions=True)
        # Last, or what was stalled would get through.
        self._flowing.set()

    def _reset(self, number: int) -> None:
        """Break one connection on both sides, and lose what is under way."""
        pair = self._pairs.pop(number, None)
        if pair is None:
            return
        for writer in (pair.to_near, pair.to_far):
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        pair.task.cancel()

    async def _finish(self) -> None:
        for pair in list(self._pairs.values()):
            for writer in (pair.to_near, pair.to_far):
                with contextlib.suppress(OSError):
                    await writer.drain()
                    writer.write_eof()

    def _accepted(self, near: asyncio.StreamReader, to_near: _Writer) -> None:
        self._numbers += 1
        task = self._loop.create_task(self._relay(self._numbers, near, to_near))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, number: int, near: asyncio.StreamReader, to_near: _Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            far, to_far = await asyncio.open_connection(*self._upstream)
        except OSError:
            to_near.close()
            return
        self._pairs[number] = _Pair(to_near, to_far, task)
        try:
            async with asyncio.TaskGroup() as group:
                for reader, writer, direction in ((near, to_far, self.up), (far, to_near, self.down)):
                    # So that `drain` waits until the system has it all, ahead of a reset.
                    writer.transport.set_write_buffer_limits(0)
                    due: _Queue = asyncio.Queue(_CHUNKS_AHEAD)
                    group.create_task(self._read(reader, due, direction, number))
                    group.create_task(self._write(due, writer, direction, number))
        except* OSError:
            self._reset(number)
        finally:
            self._pairs.pop(number, None)
            to_near.close()
            to_far.close()

    async def _read(self, reader: asyncio.StreamReader, due: _Queue, direction: Direction, number: int) -> None:
        """Queue what comes, with the time when it is due; it is written in that order."""
        while data := await reader.read(_CHUNK_BYTES):
            await self._flowing.wait()
            for piece in direction.passing(data, number):
                await due.put((direction.due_s(self._loop.time()), piece))
        await due.put((self._loop.time(), None))

    async def _write(self, due: _Queue, writer: _Writer, direction: Direction, number: int) -> None:
        while True:
            due_s, piece = await due.get()
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            match piece:
                case None:
                    writer.write_eof()
                    return
                case Trigger():
                    await self._fire(piece, number)
                case bytes():
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(direction.rest_s(len(piece)))

    async def _fire(self, trigger: Trigger, number: int) -> None:
        if trigger.action is None:
            trigger.fired.set()
            self._reset(number)
        else:
            await self._loop.run_in_executor(None, trigger.action)
            trigger.fired.set()


class _Pair(NamedTuple):
    """The two halves of a relayed connection."""

    to_near: _Writer
    to_far: _Writer
    task: asyncio.Task[None]
