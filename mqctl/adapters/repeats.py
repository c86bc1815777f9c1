"""Messages that come again over another connection, told by their ids.

A broker marks what it delivers again; but over its own death ActiveMQ, Classic and Artemis, forgets what it had
delivered, and marks nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from mqctl.model import Delivery, SubscriptionId

REMEMBERED: Final = 10_000
"""More messages than are ever under way between a delivery and its acknowledgement at the broker."""

_Name = tuple[SubscriptionId, str]


class Repeats:
    """Remembers the last messages of a lasting connection, and knows them again."""

    def __init__(self) -> None:
        self._seen: deque[_Name] = deque(maxlen=REMEMBERED)
        self._before: frozenset[_Name] = frozenset()

    def flag(self, delivery: Delivery) -> None:
        """Note a message; if it came over an earlier connection, mark it as delivered again."""
        lasting = _lasting(delivery.id or "")
        if lasting:
            name = (delivery.subscription, lasting)
            if name in self._before:
                delivery.redelivered = True
            self._seen.append(name)

    def connection_lost(self) -> None:
        """What comes from now on comes over another connection."""
        self._before = frozenset(self._seen)


def _lasting(message_id: str) -> str:
    """What stays the same of an id that is delivered again; empty for ids of which nothing is known to.

    Classic's begin with `ID:` and are the message's own; Artemis' are the consumer's and the message's.
    """
    return message_id if message_id.startswith("ID:") else message_id.partition(",")[2]
