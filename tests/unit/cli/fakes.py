"""A connection that does what a test says, and remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mqctl.adapters.inbox import Inbox
from mqctl.model import (
    AckToken,
    Confirmation,
    Confirmed,
    Delivery,
    Outgoing,
    PublishOutcome,
    SubscriptionId,
    Unknown,
    UnknownCause,
)

CONFIRMED = Confirmed(Confirmation.BROKER)


class Fate:
    """A publish that ends in a given way; None never ends."""

    def __init__(self, outcome: PublishOutcome | None) -> None:
        self._outcome = outcome
        self.waits: list[float] = []

    def done(self) -> bool:
        return self._outcome is not None

    def outcome(self, timeout_s: float) -> PublishOutcome:
        self.waits.append(timeout_s)
        return self._outcome or Unknown("no confirmation within 0.00042 s", UnknownCause.TIMEOUT)


class FakeConnection:
    """Gives each message the next fate, or raises it; remembers messages and acknowledgements."""

    def __init__(self, fates: Iterable[object] = ()) -> None:
        self._fates = iter(fates)
        self.sent: list[Outgoing] = []
        self.asked: list[Confirmation] = []
        self.acked: list[object] = []
        self.on_submit: Callable[[], None] = lambda: None

    def submit(self, message: Outgoing, *, confirmation: Confirmation) -> Any:
        self.on_submit()
        fate = next(self._fates, CONFIRMED)
        if isinstance(fate, BaseException):
            raise fate
        self.sent.append(message)
        self.asked.append(confirmation)
        return fate if isinstance(fate, Fate) else Fate(fate)

    def ack(self, token: AckToken) -> None:
        self.acked.append(token.native)


def delivery(n: int, subscription: str = "s", *, acked: bool = True) -> Delivery:
    """The n-th message."""
    name = SubscriptionId(subscription)
    return Delivery("t", b"%d" % n, {}, name, n, ack=AckToken(name, n) if acked else None)


def filled(*events: object) -> Inbox:
    """An inbox that holds events."""
    inbox = Inbox()
    inbox.put_batch(list(events))
    return inbox
