"""How long the hub bears with a client that does not read, or does not close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

LINGER_S: Final = 1.0
"""How long the client has to close after we have said our last word. Closing first, with something of the client's
unread, would reset the connection, and the client would not read the ERROR (STOMP 1.2, Connection Lingering)."""


class Linger:
    """Ends a connection for certain, some time after the last word.

    A client that does not read must not keep the rest of its output, and itself, here for ever.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None

    def start(self, patience_s: float) -> None:
        """Begin, unless that was done: less patience is needed where all output has left."""
        if self._timer is None:
            self._wait(max(LINGER_S, patience_s))

    def cancel(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, patience_s: float) -> None:
        step_s = min(LINGER_S, patience_s)
        self._timer = self._loop.call_later(step_s, self._see_out, patience_s - step_s)

    def _see_out(self, patience_s: float) -> None:
        if patience_s > 0 and self._transport.get_write_buffer_size():
            self._wait(patience_s)
        else:
            self._transport.abort()


class Stall:
    """Watches a client whose write buffer is full: it must take something now and then.

    Args:
        loop: Whose timers are used.
        timeout_s: How long it may take nothing.
        taken_bytes: How much it has taken so far.
        on_stall: Called when it has taken nothing for that long.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout_s: float,
        taken_bytes: Callable[[], int],
        on_stall: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._timeout_s = timeout_s
        self._taken_bytes = taken_bytes
        self._on_stall = on_stall
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch from now on."""
        self._timer = self._loop.call_later(self._timeout_s, self._expect_progress, self._taken_bytes())

    def cancel(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _expect_progress(self, taken_bytes: int) -> None:
        if self._taken_bytes() == taken_bytes:
            self._on_stall()
        else:
            self.start()
