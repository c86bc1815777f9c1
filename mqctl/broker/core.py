"""The broker: calls in, effects out. It knows no sockets, no protocols and no clock, and never calls a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mqctl.broker.backlog import Backlog, Budget
from mqctl.broker.courier import Courier
from mqctl.broker.durables import Durables
from mqctl.broker.effects import DurableEnded, Effect, Evict
from mqctl.broker.ledger import Account, Subscriber
from mqctl.broker.queues import Queue
from mqctl.broker.refusals import LimitExceeded, NotOpen, UnknownSubscription
from mqctl.broker.router import Router
from mqctl.broker.values import DEFAULT_PREFETCH, Address, AddressKind, DropReason, Limits, Message, SlowConsumer
from mqctl.errors import RefusedError
from mqctl.model import AckMode


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerStats:
    """How much there is of everything now, and of messages since the start."""

    sessions: int
    subscriptions: int
    queues: int
    durables: int
    held_publishers: int
    waiting: int
    in_flight: int
    memory_bytes: int
    routes_cached: int
    published: int
    delivered: int
    dropped: int
    dead_lettered: int


class Broker:
    """Topics, queues and durable subscriptions.

    `session` is an opaque hashable object of the shell. Every call returns the effects to be done, in order. A call
    that raises `RefusedError` has changed nothing. Times are `now_ns` of one monotonic clock.

    Args:
        limits: Every bound.
        slow_consumer: What happens to topic subscribers whose backlog is full.
    """

    def __init__(self, limits: Limits | None = None, slow_consumer: SlowConsumer = SlowConsumer.DROP_OLDEST) -> None:
        self._limits = limits = limits or Limits()
        self._router = Router(levels_max=limits.topic_levels, cache_max=limits.route_cache)
        self._courier = Courier(limits, slow_consumer, self._router)
        self._queues = self._courier.queues
        self._durables = Durables(count_max=limits.durables, for_s=limits.durable_for_s)
        self._accounts: dict[Any, Account] = {}
        self._subscriptions = 0
        self._serial = 0
        self._published = 0

    @property
    def budget(self) -> Budget:
        """The memory of all held messages, for ports that hold some of their own."""
        return self._courier.budget

    def open(self, session: Any, client_id: str | None = None) -> None:
        """Admit a session. `client_id` is what its durable subscriptions are kept under.

        Raises:
            LimitExceeded: One connection too many.
        """
        assert session not in self._accounts
        if len(self._accounts) >= self._limits.connections:
            raise LimitExceeded("connections", self._limits.connections)
        self._accounts[session] = Account(session, client_id)

    def close(self, session: Any, now_ns: int) -> list[Effect]:
        """Forget a session, if it is there: what it had in flight goes back to the queues."""
        account = self._accounts.get(session)
        if account is not None:
            self._close(account, now_ns)
        return self._courier.take_effects()

    def publish(self, session: Any, message: Message, now_ns: int) -> list[Effect]:
        """Give a message to a topic's subscribers or to a queue. `session` None is the hub itself.

        Raises:
            AddressRefused: Nothing can be published to that name.
            LimitExceeded: A queue, the memory, or under the policy `block` a backlog is full.
        """
        courier = self._courier
        publisher = None if session is None else self._account(session)
        address = message.address
        if message.expires_at_ns is not None and message.expires_at_ns <= now_ns:
            courier.drop(address, 1, DropReason.EXPIRED)
        elif address.kind is AddressKind.TOPIC:
            route = self._router.route(address.name)
            if route.everyone:
                courier.fan_out(publisher, route, message)
        else:
            self._enqueue(publisher, message)
        self._published += 1
        if courier.doomed:
            self._evict(now_ns)
        return courier.take_effects()

    def subscribe(
        self,
        session: Any,
        key: str,
        address: Address,
        *,
        ack_mode: AckMode = AckMode.AUTO,
        prefetch: int | None = None,
        durable: str | None = None,
        now_ns: int,
    ) -> list[Effect]:
        """Subscribe a session to a topic, a pattern of topics, or a queue.

        A durable subscription that its client left is resumed with what was kept; under another topic it is
        replaced, and what was kept is dropped.

        Args:
            session: Who.
            key: Names the subscription within the session.
            address: What; in a topic `*` is one level and a last `**` any number.
            ack_mode: When a delivery is done.
            prefetch: Most unacknowledged deliveries; automatic acknowledgement needs none.
            durable: Keeps messages under this name while the client is away.
            now_ns: Now.

        Raises:
            AddressRefused: Nothing can be subscribed to under that name.
            DurableRefused: No client id, a queue, or the durable name is in use.
            LimitExceeded: One of the limits.
            UnknownSubscription: The key is taken.
        """
        account = self._account(session)
        prefetch = DEFAULT_PREFETCH if prefetch is None else prefetch
        self._check(account, key, prefetch)
        subscriber = self._plain(address) if durable is None else self._durable(account, address, durable)
        self._subscriptions += 1
        subscriber.attach(account, key, ack_mode, prefetch)
        self._router.generation += 1
        if subscriber.queue is not None:
            subscriber.queue.join(subscriber)
        self._courier.pump(subscriber, now_ns)
        return self._courier.take_effects()

    def unsubscribe(self, session: Any, key: str, *, forget: bool = False, now_ns: int) -> list[Effect]:
        """End a subscription; with `forget` a durable one is deleted and not only left.

        Raises:
            UnknownSubscription: The session has none of that key.
        """
        subscriber = self._account(session).subscribers.get(key)
        if subscriber is None:
            raise UnknownSubscription(f"no subscription {key[:64]!r}")
        self._leave([subscriber], now_ns)
        if forget and subscriber.durable is not None:
            self._remove(subscriber)
        return self._courier.take_effects()

    def ack(self, session: Any, delivery_id: int, now_ns: int) -> list[Effect]:
        """A delivery is done, in client mode with all before it of its subscription.

        Raises:
            UnknownDelivery: Nothing to acknowledge under that id.
        """
        self._courier.settle(self._account(session).owner_of(delivery_id), delivery_id, now_ns)
        return self._courier.take_effects()

    def nack(self, session: Any, delivery_id: int, now_ns: int) -> list[Effect]:
        """A delivery is refused, in client mode with all before it: it is delivered again, in the end to the `DLQ`.

        Raises:
            UnknownDelivery: Nothing to refuse under that id.
        """
        self._courier.refuse(self._account(session).owner_of(delivery_id), delivery_id, now_ns)
        return self._courier.take_effects()

    def drop(self, subscriber: Subscriber | None, address: Address, count: int, reason: DropReason) -> list[Effect]:
        """A port that keeps messages for its client itself dropped some."""
        self._courier.drop(address, count, reason, subscriber)
        return self._courier.take_effects()

    def pause(self, session: Any) -> None:
        """The session's write buffer is over high water: send it nothing."""
        account = self._accounts.get(session)
        if account is not None:
            self._courier.pause(account)

    def resume(self, session: Any, now_ns: int) -> list[Effect]:
        """The session's write buffer is low again: send what waited, one burst at a time (see `Unfinished`)."""
        account = self._accounts.get(session)
        if account is not None:
            self._courier.resume(account, now_ns)
        return self._courier.take_effects()

    def next_deadline_ns(self) -> int | None:
        """When `tick` has something to do."""
        deadlines = (self._courier.sweep_at_ns, self._durables.next_end_ns())
        return min((at_ns for at_ns in deadlines if at_ns is not None), default=None)

    def tick(self, now_ns: int) -> list[Effect]:
        """End the durable subscriptions whose time is over, free what expired."""
        for subscriber in self._durables.ended(now_ns):
            self._remove(subscriber, DropReason.DURABLE_EXPIRED)
            assert subscriber.durable is not None
            self._courier.out.append(DurableEnded(*subscriber.durable, subscriber.address))
        self._courier.sweep(now_ns)
        for queue in list(self._queues):
            self._courier.prune(queue)
        return self._courier.take_effects()

    def abandon(self) -> list[Effect]:
        """Drop what waits for nobody who is here, in queues and for durable subscribers: the hub ends."""
        for queue in self._queues:
            self._courier.drop(Address(AddressKind.QUEUE, queue.name), queue.backlog.clear(), DropReason.STOPPED)
        for subscriber in self._durables.away():
            self._remove(subscriber, DropReason.STOPPED)
        return self._courier.take_effects()

    def stats(self) -> BrokerStats:
        """Everything counted."""
        courier = self._courier
        subscribers = [each for account in self._accounts.values() for each in account.subscribers.values()]
        of_topics = [each for each in subscribers if each.queue is None] + self._durables.away()
        return BrokerStats(
            sessions=len(self._accounts),
            subscriptions=self._subscriptions,
            queues=len(self._queues),
            durables=len(self._durables),
            held_publishers=courier.dam.held,
            waiting=sum(len(each.backlog) for each in of_topics) + sum(len(queue.backlog) for queue in self._queues),
            in_flight=sum(len(each.in_flight) for each in subscribers),
            memory_bytes=courier.budget.used_bytes,
            routes_cached=self._router.cached,
            published=self._published,
            delivered=courier.delivered,
            dropped=courier.dropped,
            dead_lettered=courier.dead_lettered,
        )

    def _account(self, session: Any) -> Account:
        account = self._accounts.get(session)
        if account is None:
            raise NotOpen("the hub has closed this connection")
        return account

    def _enqueue(self, publisher: Account | None, message: Message) -> None:
        name = message.address.name
        self._queues.check(name)
        queue = self._queues.get(name)
        try:
            self._courier.enqueue(publisher, queue, message)
        except LimitExceeded:
            self._courier.prune(queue)
            raise

    def _check(self, account: Account, key: str, prefetch: int) -> None:
        limits = self._limits
        if key in account.subscribers:
            raise UnknownSubscription(f"subscription {key[:64]!r} is there already: choose another id")
        if prefetch < 1:
            raise RefusedError(f"a prefetch of {prefetch} delivers nothing: ask for 1 or more")
        bounds = (
            ("prefetch", prefetch, limits.prefetch),
            ("subscriptions_per_connection", len(account.subscribers) + 1, limits.subscriptions_per_connection),
            ("subscriptions", self._subscriptions + 1, limits.subscriptions),
        )
        for limit, wanted, bound in bounds:
            if wanted > bound:
                raise LimitExceeded(limit, bound)

    def _plain(self, address: Address) -> Subscriber:
        if address.kind is AddressKind.TOPIC:
            return self._of_topic(address, None)
        self._queues.check(address.name)
        queue = self._queues.get(address.name)
        return self._make(address, queue.backlog, queue=queue)

    def _durable(self, account: Account, address: Address, name: str) -> Subscriber:
        full_name = self._durables.check(account.client_id, name, address)
        self._router.check(address.name)
        subscriber = self._durables.find(full_name)
        if subscriber is not None and subscriber.address != address:
            self._remove(subscriber, DropReason.DURABLE_REPLACED)
            subscriber = None
        if subscriber is None:
            subscriber = self._of_topic(address, full_name)
            self._durables.add(full_name, subscriber)
        else:
            self._durables.owner_back(full_name)
        return subscriber

    def _of_topic(self, address: Address, durable: tuple[str, str] | None) -> Subscriber:
        self._router.check(address.name)
        limits = self._limits
        backlog = Backlog("backlog", limits.backlog_messages, limits.backlog_bytes, self._courier.budget)
        subscriber = self._make(address, backlog, durable=durable)
        self._router.add(address.name, subscriber)
        return subscriber

    def _make(
        self, address: Address, backlog: Backlog, *, queue: Queue | None = None, durable: tuple[str, str] | None = None
    ) -> Subscriber:
        self._serial += 1
        return Subscriber(self._serial, address, backlog, queue=queue, durable=durable)

    def _leave(self, subscribers: list[Subscriber], now_ns: int) -> None:
        """Part subscribers from their session; a topic's is gone with it unless it is durable."""
        for subscriber in subscribers:
            self._subscriptions -= 1
            self._courier.leave(subscriber)
            if subscriber.durable is not None:
                self._durables.owner_left(subscriber.durable, now_ns)
            elif subscriber.queue is None:
                self._remove(subscriber)
        for queue in {subscriber.queue: None for subscriber in subscribers if subscriber.queue is not None}:
            self._courier.left(queue, now_ns)

    def _remove(self, subscriber: Subscriber, reason: DropReason | None = None) -> None:
        """Forget a topic's subscriber and what it kept. Without a reason it left by itself, and nothing is lost."""
        self._router.remove(subscriber.address.name, subscriber)
        if subscriber.durable is not None:
            self._durables.remove(subscriber.durable)
        count = self._courier.empty(subscriber)
        if reason is not None:
            self._courier.drop(subscriber.address, count, reason, subscriber)

    def _close(self, account: Account, now_ns: int) -> None:
        del self._accounts[account.session]
        account.paused = True
        self._leave(list(account.subscribers.values()), now_ns)
        self._courier.dam.forget(account.session)

    def _evict(self, now_ns: int) -> None:
        doomed, self._courier.doomed = self._courier.doomed, {}
        for account, reason in doomed.items():
            self._courier.out.append(Evict(account.session, reason))
            self._close(account, now_ns)
