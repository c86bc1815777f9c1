"""The lines of `mqctl hub --events`, written by a thread of their own, so that a slow reader never stops the hub."""

from __future__ import annotations

import queue
import threading
from io import FileIO

from mqctl.cli.context import AppContext
from mqctl.cli.streams import ReaderGone, write_out
from mqctl.errors import MeasuredWrong
from mqctl.hub.events import EventsLost, HubEvent, as_json

WAITING_MAX = 10_000
"""Events that wait for a slow reader; beyond them events are counted only."""


class EventPrinter:
    """Called with each event. Without a reader the hub goes on, and says so once."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        # Not through the buffer: whoever is stuck in its lock would keep the process from ending.
        self._out = FileIO(context.stdout.fileno(), "w", closefd=False)
        self._waiting: queue.Queue[HubEvent | None] = queue.Queue(WAITING_MAX)
        self._lost = 0
        self._thread = threading.Thread(target=self._print, name="mqctl.hub.events", daemon=True)

    def __call__(self, event: HubEvent) -> None:
        """Print the event, soon."""
        try:
            if self._lost:
                self._waiting.put_nowait(EventsLost(self._lost))
                self._lost = 0
            self._waiting.put_nowait(event)
        except queue.Full:
            self._lost += 1

    def start(self) -> None:
        """Begin to print."""
        self._thread.start()

    def finish(self, timeout_s: float = 1.0) -> None:
        """Print what waits, unless nobody reads it."""
        try:
            self._waiting.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _print(self) -> None:
        try:
            while (event := self._waiting.get()) is not None:
                write_out(self._out, f"{as_json(event)}\n".encode())
        except ReaderGone:
            self._context.report("nobody reads the events any more; the hub goes on without them")
        except MeasuredWrong as error:
            self._context.report(f"{error}; the hub goes on without events")
