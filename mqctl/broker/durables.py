"""Durable subscriptions: a name of a client under which a topic's messages are kept while the client is away."""

from __future__ import annotations

from mqctl.broker.ledger import Subscriber
from mqctl.broker.refusals import DurableRefused, LimitExceeded
from mqctl.broker.values import Address, AddressKind

DurableName = tuple[str, str]
"""Client id and subscription name."""


class Durables:
    """All durable subscriptions, and when those whose owner is away come to their end."""

    __slots__ = ("_by_name", "_ends_ns", "_for_ns", "_max")

    def __init__(self, *, count_max: int, for_s: float) -> None:
        self._max = count_max
        self._for_ns = round(for_s * 1e9)
        self._by_name: dict[DurableName, Subscriber] = {}
        # All are kept equally long, so the first that left is the first to end.
        self._ends_ns: dict[DurableName, int] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def find(self, name: DurableName) -> Subscriber | None:
        """The subscription of that name."""
        return self._by_name.get(name)

    def check(self, client_id: str | None, name: str, address: Address) -> DurableName:
        """Whether a client may have a durable subscription of that name now.

        Raises:
            DurableRefused: It has no client id, asks for a queue, or the name's owner is here.
            LimitExceeded: It would be one too many.
        """
        if client_id is None:
            raise DurableRefused("a durable subscription needs a client id", hint="connect with a client id")
        if address.kind is AddressKind.QUEUE:
            raise DurableRefused(f"a queue keeps its messages anyway: subscribe to {address} without a durable name")
        known = self._by_name.get((client_id, name))
        if known is not None and known.account is not None:
            raise DurableRefused(f"durable subscription {name!r} of client {client_id!r} is in use")
        if known is None and len(self) >= self._max:
            raise LimitExceeded("durables", self._max)
        return client_id, name

    def add(self, name: DurableName, subscriber: Subscriber) -> None:
        """Remember a subscription whose owner is here."""
        self._by_name[name] = subscriber

    def owner_left(self, name: DurableName, now_ns: int) -> None:
        """Start the time that the subscription is kept."""
        self._ends_ns[name] = now_ns + self._for_ns

    def owner_back(self, name: DurableName) -> None:
        """Stop that time."""
        del self._ends_ns[name]

    def remove(self, name: DurableName) -> None:
        """Forget the subscription."""
        del self._by_name[name]
        self._ends_ns.pop(name, None)

    def next_end_ns(self) -> int | None:
        """When the first of those whose owner is away ends."""
        return next(iter(self._ends_ns.values()), None)

    def ended(self, now_ns: int) -> list[Subscriber]:
        """Those whose time is over."""
        return [self._by_name[name] for name, end_ns in self._ends_ns.items() if end_ns <= now_ns]

    def away(self) -> list[Subscriber]:
        """Those whose owner is away."""
        return [self._by_name[name] for name in self._ends_ns]
