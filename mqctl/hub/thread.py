"""Running a hub: in this thread until it is told to stop, or in a thread of its own beside the caller."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from mqctl.errors import MqctlError
from mqctl.hub.config import HubConfig
from mqctl.hub.server import Hub


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a new event loop: uvloop's where there is one."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with suppress(ImportError):  # not on every platform
        import uvloop  # noqa: PLC0415

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def serve(config: HubConfig, on_ready: Callable[[tuple[str, ...]], None]) -> None:
    """Run a hub in this thread, the main one, until SIGINT or SIGTERM; then drain and close.

    Args:
        config: The hub.
        on_ready: Called with the URLs once all listeners listen.

    Raises:
        ConnectError: An address cannot be listened on.
    """

    async def main() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        hub = Hub(config)
        await hub.start()
        try:
            on_ready(hub.urls)
            await stopped.wait()
        finally:
            await hub.stop()

    run_loop(main())


class HubThread:
    """A hub in a thread of its own. As a context manager it listens inside, and has drained and closed after.

    Raises:
        ConnectError: On entering: an address cannot be listened on.
    """

    def __init__(self, config: HubConfig) -> None:
        self._config = config
        self._ready = threading.Event()
        self._failure: MqctlError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: run_loop(self._main()), name="mqctl.hub", daemon=True)
        self.urls: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._stopped is not None
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        hub = Hub(self._config)
        try:
            await hub.start()
            self.urls = hub.urls
        except MqctlError as failure:
            self._failure = failure
            return
        finally:
            self._ready.set()
        await self._stopped.wait()
        await hub.stop()
