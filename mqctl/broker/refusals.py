"""What the broker refuses, each under `RefusedError`; nothing has changed when one is raised.

RefusedError
├── LimitExceeded           one of `Limits`, named
├── AddressRefused          a name that cannot be published or subscribed to
├── DurableRefused          a durable subscription without a client id, on a queue, or in use
├── UnknownSubscription     no such subscription, or its key is taken
├── UnknownDelivery         nothing to acknowledge under that id
└── NotOpen                 a call of a session that was closed or evicted
"""

from __future__ import annotations

from mqctl.errors import RefusedError


class LimitExceeded(RefusedError):
    """One of the broker's limits is reached; `limit` is the field of `Limits`."""

    def __init__(self, limit: str, bound: int) -> None:
        super().__init__(f"limit: {limit} ({bound})", hint=f"raise the hub's {limit} limit, or ask less of it")
        self.limit = limit


class AddressRefused(RefusedError):
    """The name cannot be published or subscribed to."""


class DurableRefused(RefusedError):
    """The durable subscription cannot be had."""


class UnknownSubscription(RefusedError):
    """The session has no such subscription, or has it already."""


class UnknownDelivery(RefusedError):
    """The session has no unacknowledged delivery of that id."""


class NotOpen(RefusedError):
    """The session was closed or evicted."""
