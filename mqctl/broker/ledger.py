"""Who receives: a session's account, and each subscriber's ledger of what it has not acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mqctl.broker.backlog import Backlog, Entry
from mqctl.broker.refusals import UnknownDelivery
from mqctl.broker.values import Address
from mqctl.model import AckMode

if TYPE_CHECKING:
    from mqctl.broker.queues import Queue


class Account:
    """What the broker knows of an open session. `session` is the shell's own object."""

    __slots__ = ("client_id", "deliveries", "drained", "paused", "session", "subscribers")

    def __init__(self, session: Any, client_id: str | None) -> None:
        self.session = session
        self.client_id = client_id
        self.paused = False
        self.drained = 0
        self.subscribers: dict[str, Subscriber] = {}
        self.deliveries: dict[int, Subscriber] = {}

    @property
    def acknowledges(self) -> bool:
        """Whether acknowledgements come over this session's socket."""
        return any(subscriber.ack_mode is not AckMode.AUTO for subscriber in self.subscribers.values())

    def owner_of(self, delivery_id: int) -> Subscriber:
        """The subscriber that a delivery went to.

        Raises:
            UnknownDelivery: It was acknowledged, taken back, or never made to this session.
        """
        subscriber = self.deliveries.get(delivery_id)
        if subscriber is None:
            raise UnknownDelivery(f"no unacknowledged message {delivery_id}: acknowledge each message once")
        return subscriber


class Subscriber:
    """One subscription. The shell reads `session`, `key` and `address`, and may keep what it likes in `wire`.

    A subscriber of a topic has its own backlog; consumers of a queue share the queue's. `account` is None while the
    owner of a durable subscription is away.
    """

    __slots__ = (
        "account", "ack_mode", "address", "backlog", "durable", "in_flight", "key", "prefetch", "queue",
        "serial", "session", "wire",
    )  # fmt: skip

    def __init__(
        self, serial: int, address: Address, backlog: Backlog, *, queue: Queue | None, durable: tuple[str, str] | None
    ) -> None:
        self.serial = serial
        self.address = address
        self.backlog = backlog
        self.queue = queue
        self.durable = durable
        self.account: Account | None = None
        self.session: Any = None
        self.key = ""
        self.ack_mode = AckMode.AUTO
        self.prefetch = 0
        self.in_flight: dict[int, Entry] = {}
        self.wire: Any = None

    def attach(self, account: Account, key: str, ack_mode: AckMode, prefetch: int) -> None:
        """Give the subscription to a session."""
        self.account = account
        self.session = account.session
        self.key = key
        self.ack_mode = ack_mode
        self.prefetch = prefetch
        self.wire = None
        account.subscribers[key] = self

    def detach(self) -> None:
        """Take the subscription from its session; what is in flight goes back to the backlog."""
        assert self.account is not None
        del self.account.subscribers[self.key]
        for entry in self.take_all():
            self.backlog.put_back(entry)
        self.account = self.session = None

    @property
    def direct(self) -> bool:
        """Whether a topic's messages need no ledger: written to the socket, and done."""
        return self.ack_mode is AckMode.AUTO and self.account is not None and not self.account.paused

    @property
    def ready(self) -> bool:
        """Whether one more message may be sent now."""
        if self.account is None or self.account.paused:
            return False
        return self.ack_mode is AckMode.AUTO or len(self.in_flight) < self.prefetch

    def send(self, delivery_id: int, entry: Entry) -> None:
        """Enter a delivery that must be acknowledged."""
        assert self.account is not None
        self.in_flight[delivery_id] = entry
        self.account.deliveries[delivery_id] = self

    def take(self, delivery_id: int) -> list[Entry]:
        """Take out what an acknowledgement of `delivery_id` covers: that one, or in client mode all up to it."""
        if self.ack_mode is AckMode.INDIVIDUAL:
            return self._take([delivery_id])
        # Ids grow, and the dict keeps the order of entering.
        covered = []
        for candidate in self.in_flight:
            if candidate > delivery_id:
                break
            covered.append(candidate)
        return self._take(covered)

    def take_all(self) -> list[Entry]:
        """Take out everything in flight."""
        return self._take(list(self.in_flight))

    def _take(self, delivery_ids: list[int]) -> list[Entry]:
        assert self.account is not None
        for delivery_id in delivery_ids:
            del self.account.deliveries[delivery_id]
        return [self.in_flight.pop(delivery_id) for delivery_id in delivery_ids]
