"""From a broker in this process to one sink: a thread that hands over what was queued, and asks for more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from mqctl.adapters.base import EventSink
from mqctl.model import ConnectionEvent, Delivery, Disconnected

HIGH_WATER: Final = 1_000
"""Events that wait for a sink before the broker is told to send it no more."""


class Mailbox:
    """Carries a connection's events to its sink on a thread of its own.

    Args:
        name: Of the connection, for the thread's name.
        sink: Takes the events.
        refill: Called on the thread when the sink has taken what there was and the broker holds more back.
        failed: Called on the thread when the sink raised; must lead to `end`.
    """

    def __init__(self, name: str, sink: EventSink, refill: Callable[[], None], failed: Callable[[str], None]) -> None:
        self.messages = 0
        self.bytes = 0
        self._sink = sink
        self._refill = refill
        self._failed = failed
        self._events: list[ConnectionEvent] = []
        self._changed = threading.Condition()
        self._more = False
        self._ended = False
        self._muted = False
        self._thread = threading.Thread(target=self._run, name=f"mqctl.memory[{name}].deliver", daemon=True)

    def start(self, first: ConnectionEvent) -> None:
        """Begin with this event."""
        self._events.append(first)
        self._thread.start()

    def is_current_thread(self) -> bool:
        """Whether the sink is what is calling."""
        return threading.current_thread() is self._thread

    def put(self, delivery: Delivery) -> bool:
        """Queue a message; returns whether the broker shall send no more until the sink has taken what is here."""
        with self._changed:
            self._events.append(delivery)
            self.messages += 1
            self.bytes += len(delivery.payload)
            full = len(self._events) >= HIGH_WATER
            self._more = self._more or full
            self._changed.notify()
            return full

    def ask_for_more(self) -> None:
        """The broker holds more back."""
        with self._changed:
            self._more = True
            self._changed.notify()

    def end(self, last: Disconnected) -> None:
        """Queue the last event; only the first call counts."""
        with self._changed:
            if not self._ended:
                self._events.append(last)
                self._ended = True
                self._changed.notify()

    def join(self, timeout_s: float) -> None:
        """Wait until the last event was taken; if that takes too long, the sink is called no more."""
        if not self.is_current_thread():
            self._thread.join(timeout_s)
            self._muted = self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._events or self._more or self._ended)
                batch, self._events = self._events, []
                more, self._more = self._more, False
            if not batch and not more:
                return
            self._hand_over(batch)
            if more:
                self._refill()

    def _hand_over(self, batch: Sequence[ConnectionEvent]) -> None:
        if self._muted or not batch:
            return
        try:
            self._sink(batch)
        except Exception as error:  # noqa: BLE001 - a sink that raises must not end the thread in silence
            self._failed(f"the receiver of events failed: {error!r}")
