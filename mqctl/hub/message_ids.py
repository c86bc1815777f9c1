"""What clients of STOMP 1.0 and 1.1 acknowledge by: message ids, with the broker's delivery numbers behind them."""

from __future__ import annotations

from itertools import takewhile

from mqctl.broker.ledger import Subscriber
from mqctl.broker.refusals import UnknownDelivery
from mqctl.model import AckMode


class MessageIds:
    """The unacknowledged deliveries of one connection, by subscription and message id."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Subscriber, dict[str, int]]] = {}

    def note(self, subscriber: Subscriber, message_id: str, delivery_id: int) -> None:
        """Remember a delivery; their ids grow."""
        self._of.setdefault(subscriber.key, (subscriber, {}))[1][message_id] = delivery_id

    def forget(self, key: str) -> None:
        """Drop all of a subscription that has ended."""
        self._of.pop(key, None)

    def take(self, message_id: str, key: str | None) -> int:
        """The delivery of a message; it, and in client mode all before it, is forgotten.

        Args:
            message_id: As sent in MESSAGE.
            key: The subscription; STOMP 1.0 may leave it out, which means any that has the message.

        Raises:
            UnknownDelivery: Nothing unacknowledged has that id.
        """
        for subscriber, ids in self._of.values() if key is None else filter(None, (self._of.get(key),)):
            if message_id in ids:
                delivery_id = ids.pop(message_id)
                if subscriber.ack_mode is AckMode.CLIENT:
                    _drop_up_to(ids, delivery_id)
                return delivery_id
        raise UnknownDelivery(f"no unacknowledged message {message_id[:64]!r}: acknowledge each message once")


def _drop_up_to(ids: dict[str, int], delivery_id: int) -> None:
    """Ids grow, and the dict keeps the order of entering, so that only what is dropped is looked at."""
    for covered in list(takewhile(lambda message_id: ids[message_id] <= delivery_id, ids)):
        del ids[covered]
