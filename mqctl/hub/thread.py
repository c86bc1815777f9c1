"""Running a hub: in this thread until it is told to stop, or in a thread of its own beside the caller."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from mqctl.hub.config import HubConfig
from mqctl.hub.server import Ending, Hub
from mqctl.target import Endpoint

T = TypeVar("T")


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a new event loop: uvloop's where there is one."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with suppress(ImportError):  # not on every platform
        import uvloop  # noqa: PLC0415

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def serve(config: HubConfig, on_ready: Callable[[tuple[str, ...]], None]) -> Ending:
    """Run a hub in this thread, the main one, until SIGINT or SIGTERM; then drain and close.

    A second signal ends the draining.

    Args:
        config: The hub.
        on_ready: Called with the URLs once all listeners listen.

    Raises:
        ConnectError: An address cannot be listened on.
    """

    async def main() -> Ending:
        stopped = asyncio.Event()
        hub = Hub(config)

        def on_signal() -> None:
            if stopped.is_set():
                hub.abort()
            stopped.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, on_signal)
        await hub.start()
        try:
            on_ready(hub.urls)
            await stopped.wait()
        finally:
            ending = await hub.stop()
        return ending

    return run_loop(main())


class HubThread:
    """A hub in a thread of its own. As a context manager it listens inside, and has drained and closed after.

    Raises:
        ConnectError: On entering: an address cannot be listened on.
    """

    def __init__(self, config: HubConfig) -> None:
        self._config = config
        self._started: Future[Hub] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="mqctl.hub", daemon=True)
        self.urls: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.urls = self._started.result().urls
        except Exception:
            self._thread.join()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the first listener is."""
        return self.urls[0]

    @property
    def endpoint(self) -> Endpoint:
        """Where the first listener is, without the scheme."""
        return self._started.result().endpoints[0]

    @property
    def alive(self) -> bool:
        """Whether the hub runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Drain and close, unless that was done."""
        assert self._loop is not None
        assert self._stopped is not None
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def ask(self, question: Callable[[Hub], T]) -> T:
        """Call a function with the hub in the hub's thread, and hand out its answer."""
        assert self._loop is not None
        hub = self._started.result()

        async def answer() -> T:
            return question(hub)

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()

    def _run(self) -> None:
        try:
            run_loop(self._main())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        hub = Hub(self._config)
        await hub.start()
        self._started.set_result(hub)
        await self._stopped.wait()
        await hub.stop()
