"""The thread that reads a stream, and the end of both."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mqctl.adapters.stream import Stream


class ReaderThread:
    """Reads a stream, which is freed when nobody reads it any more.

    Args:
        stream: Connected; read by this thread alone, once it runs.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._thread: threading.Thread | None = None
        self._deciding = threading.Lock()
        self._over = self._abandoned = False

    def start(self, name: str, read: Callable[[], None]) -> None:
        """Run `read` in a thread of that name."""
        self._thread = threading.Thread(target=self._run, args=(read,), name=name, daemon=True)
        self._thread.start()

    def _run(self, read: Callable[[], None]) -> None:
        try:
            read()
        finally:
            with self._deciding:
                self._over = True
            if self._abandoned:
                self._stream.close()

    @property
    def is_current(self) -> bool:
        """Whether the caller is this thread, which must not wait for itself."""
        return threading.current_thread() is self._thread

    def ended_within(self, timeout_s: float) -> bool:
        """Wait for the thread to end; whether it did."""
        if self._thread is None or self.is_current:
            return False
        self._thread.join(max(0.0, timeout_s))
        return self._over

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread, then free the stream; whether the thread ended in time."""
        if self._thread is not None and not self.is_current:
            self._thread.join(timeout_s)
            with self._deciding:
                # It will free the stream itself, once whoever holds it lets go.
                self._abandoned = not self._over
            if self._abandoned:
                return False
        self._stream.close()
        return True
