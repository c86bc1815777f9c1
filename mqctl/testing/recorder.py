"""A sink that keeps what it is given and lets a test wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from mqctl.model import ConnectionEvent, Delivery, Disconnected

_Event = TypeVar("_Event", bound=ConnectionEvent)


class Recorder:
    """An `EventSink`. All waits end with an AssertionError that shows what came instead."""

    def __init__(self, patience_s: float = 10.0) -> None:
        self._patience_s = patience_s
        self._changed = threading.Condition(threading.RLock())
        self._events: list[ConnectionEvent] = []

    def __call__(self, events: Sequence[ConnectionEvent]) -> None:
        with self._changed:
            self._events.extend(events)
            self._changed.notify_all()

    @property
    def events(self) -> list[ConnectionEvent]:
        """All events so far."""
        with self._changed:
            return list(self._events)

    def of(self, kind: type[_Event]) -> list[_Event]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def payloads(self) -> list[bytes]:
        """What the messages so far carried."""
        return [delivery.payload for delivery in self.of(Delivery)]

    def deliveries(self, count: int) -> list[Delivery]:
        """Wait for `count` messages, and return all there are."""
        self._wait_for(lambda: len(self.of(Delivery)) >= count, f"{count} messages")
        return self.of(Delivery)

    def message(self, payload: bytes) -> Delivery:
        """Wait for the message that carries `payload`."""
        self._wait_for(lambda: payload in self.payloads, f"the message {payload[:40]!r}")
        return next(delivery for delivery in self.of(Delivery) if delivery.payload == payload)

    def disconnected(self) -> Disconnected:
        """Wait for the end of the connection."""
        self._wait_for(lambda: bool(self.of(Disconnected)), "Disconnected")
        return self.of(Disconnected)[0]

    def _wait_for(self, there: Callable[[], bool], what: str) -> None:
        with self._changed:
            came = self._changed.wait_for(there, self._patience_s)
        if not came:
            raise AssertionError(f"{what} did not come within {self._patience_s:g} s; the last: {self.events[-5:]}")
