"""A client's connection to the hub, whatever it speaks, and who uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mqctl.experiments.plan import ConsumerPlan
from mqctl.model import Outgoing


class Role(Protocol):
    """What a client is there for: to send or to listen."""

    def ready(self) -> None:
        """The connection is there."""
        ...

    def came(self, payload: bytes, token: str | None, *, redelivered: bool) -> None:
        """A message; with a token, it is to be acknowledged."""
        ...

    def lost(self) -> None:
        """The connection is gone."""
        ...


class Peer(Protocol):
    """A client's connection, until it is lost."""

    def publish(self, message: Outgoing, done: Callable[[], None]) -> None:
        """Send a message; `done` is called when the hub has confirmed it."""
        ...

    def subscribe(self, plan: ConsumerPlan, done: Callable[[], None]) -> None:
        """Listen; `done` is called when the hub has confirmed that."""
        ...

    def ack(self, token: str) -> None:
        """A message is done."""
        ...

    def nack(self, token: str) -> None:
        """A message is refused."""
        ...
