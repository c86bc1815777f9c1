"""The one thread that writes a history: whoever has something to tell leaves it in order, and goes on."""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Final, Self

from mqctl.experiments.events import Event, Header
from mqctl.experiments.history import Sink, Writer

BATCH_MAX: Final = 1000
"""So many events go out in one write. They wait for nothing: fewer go out where fewer came meanwhile."""


class Scribe:
    """Writes a history. `put` may be called from any thread; what one puts before another stands before it.

    Attributes:
        error: Why nothing more could be written, if so.

    Args:
        sink: A new file, unbuffered.
        header: What is run.
    """

    def __init__(self, sink: Sink, header: Header) -> None:
        self.error: OSError | None = None
        self._writer = Writer(sink, header)
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.put = self._events.put
        self._thread = threading.Thread(target=self._run, name="mqctl.laboratory.scribe", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what is there."""
        self._events.put(None)
        self._thread.join()

    def _run(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._batch()
            if self.error is None:
                try:
                    self._writer.write(*batch)
                except OSError as error:
                    self.error = error

    def _batch(self) -> tuple[list[Event], bool]:
        """What waits, at least one event; and whether more may come."""
        batch: list[Event] = []
        event = self._events.get()
        while event is not None:
            batch.append(event)
            if len(batch) == BATCH_MAX or self._events.empty():
                return batch, True
            event = self._events.get()
        return batch, False
