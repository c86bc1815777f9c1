"""The hub: the broker as it is, and who does what it decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mqctl.broker.core import Broker
from mqctl.broker.effects import Deliver, Effect, FanOut, Unfinished
from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Message
from mqctl.experiments.simulation.world import World


class Port(Protocol):
    """A connection or session, as the hub sees it. It is the broker's session."""

    def send(self, message: Message, subscriber: Subscriber) -> None:
        """Put a message that nobody acknowledges into the outbox."""
        ...

    def deliver(self, effect: Deliver) -> None:
        """Put a message into the outbox that may have to be acknowledged."""
        ...

    def unfinished(self) -> None:
        """Ask the broker for more when there is room."""
        ...

    def flush(self) -> None:
        """Send what is in the outbox."""
        ...


class Hub:
    """A broker, and its ports.

    It is to have limits that are not reached, and to be one that drops rather than holds publishers or closes sessions:
    then all that it wants done concerns messages.

    Args:
        world: When things happen.
        broker: What decides.
    """

    def __init__(self, world: World, broker: Broker) -> None:
        self.world = world
        self.broker = broker
        self._dirty: dict[Port, None] = {}
        self._messages = 0

    def next_message_id(self) -> str:
        """One that no other message has."""
        self._messages += 1
        return f"simulated-{self._messages}"

    def apply(self, effects: Iterable[Effect]) -> None:
        """Do what the broker wants done."""
        for effect in effects:
            match effect:
                case FanOut(message, subscribers):
                    for subscriber in subscribers:
                        subscriber.session.send(message, subscriber)
                        self.soil(subscriber.session)
                case Deliver(subscriber):
                    subscriber.session.deliver(effect)
                    self.soil(subscriber.session)
                case Unfinished(session):
                    session.unfinished()
                case _:
                    pass

    def soil(self, port: Port) -> None:
        """Note that a port's outbox is no longer empty."""
        self._dirty[port] = None

    def flush(self) -> None:
        """Send what is in all outboxes: that of who publishes last, whose receipt says that the others have it."""
        dirty, self._dirty = self._dirty, {}
        for port in reversed(dirty):
            port.flush()
