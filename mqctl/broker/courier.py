"""How one message gets from a publish or a backlog to a subscriber, or to its end; collects the effects."""

from __future__ import annotations

from typing import Any

from mqctl.broker.backlog import Backlog, Budget, Entry
from mqctl.broker.effects import DeadLettered, Deliver, Dropped, Effect, FanOut, Hold, Release, Unfinished
from mqctl.broker.flow import HIGH_WATER, Dam
from mqctl.broker.ledger import Account, Subscriber
from mqctl.broker.queues import Queue, Queues
from mqctl.broker.refusals import LimitExceeded
from mqctl.broker.router import Route, Router
from mqctl.broker.values import (
    DEAD_LETTER_QUEUE,
    DEAD_LETTER_REASON_HEADER,
    ORIGINAL_DESTINATION_HEADER,
    Address,
    AddressKind,
    DropReason,
    Limits,
    Message,
    SlowConsumer,
)
from mqctl.model import AckMode

SWEEP_EVERY_NS = 1_000_000_000
"""Expired messages are never delivered; their memory is freed at most this often."""


class Courier:
    """Moves entries between backlogs, ledgers and the effects in `out`."""

    def __init__(self, limits: Limits, slow_consumer: SlowConsumer, router: Router) -> None:
        self.budget = Budget(limits.memory_bytes)
        self.queues = Queues(limits, self.budget)
        self.dam = Dam()
        self.out: list[Effect] = []
        self.doomed: dict[Account, str] = {}
        self.delivered = 0
        self.dropped = 0
        self.dead_lettered = 0
        self.sweep_at_ns: int | None = None
        self._limits = limits
        self._policy = slow_consumer
        self._router = router
        self._delivery_id = 0
        self._swept_ns = -SWEEP_EVERY_NS
        self._expiring: dict[Backlog, tuple[Address, Subscriber | None]] = {}

    def take_effects(self) -> list[Effect]:
        """Hand over what has been collected."""
        effects, self.out = self.out, []
        return effects

    def fan_out(self, publisher: Account | None, route: Route, message: Message) -> None:
        """Give a message to every subscriber of a topic.

        Raises:
            LimitExceeded: Under the policy `block`, a backlog or the memory is full.
        """
        if self._policy is SlowConsumer.BLOCK:
            self._check_room(route, message)
        if route.direct:
            self.delivered += len(route.direct)
            self.out.append(FanOut(message, route.direct))
        for subscriber in route.others:
            self._offer(publisher, subscriber, message)

    def _check_room(self, route: Route, message: Message) -> None:
        for subscriber in route.others:
            if subscriber.account is None:
                continue
            if not self.budget.admits(message):
                raise LimitExceeded("memory_bytes", self._limits.memory_bytes)
            limit = None if subscriber.ready else subscriber.backlog.exceeded_by(message)
            if limit is not None:
                raise LimitExceeded(limit, getattr(self._limits, limit))

    def _offer(self, publisher: Account | None, subscriber: Subscriber, message: Message) -> None:
        backlog = subscriber.backlog
        if not self.budget.admits(message):
            self._lose(subscriber, "memory_bytes", DropReason.MEMORY)
        elif subscriber.ready:
            self._send(subscriber, backlog.admit(message))
        elif (limit := backlog.exceeded_by(message)) is None or self._make_room(subscriber, message, limit):
            self._keep(publisher, backlog, message, subscriber)

    def _make_room(self, subscriber: Subscriber, message: Message, limit: str) -> bool:
        """Obey the policy for a full backlog; a durable one whose owner is away can only drop its oldest."""
        if self._policy is SlowConsumer.DISCONNECT and subscriber.account is not None:
            self._lose(subscriber, limit, DropReason.SLOW_CONSUMER)
            return False
        count = self._drop_oldest(subscriber.backlog, message)
        self.drop(subscriber.address, count, DropReason.SLOW_CONSUMER, subscriber)
        return True

    def _drop_oldest(self, backlog: Backlog, message: Message) -> int:
        count = 0
        while backlog.exceeded_by(message) is not None:
            backlog.discard(backlog.pop())
            count += 1
        return count

    def _lose(self, subscriber: Subscriber, limit: str, reason: DropReason) -> None:
        """Drop the message on offer, and its subscriber too if the policy says so."""
        self.drop(subscriber.address, 1, reason, subscriber)
        if self._policy is SlowConsumer.DISCONNECT and subscriber.account is not None:
            bound = getattr(self._limits, limit)
            self.doomed[subscriber.account] = f"too slow for {subscriber.address}: limit: {limit} ({bound})"

    def enqueue(self, publisher: Account | None, queue: Queue, message: Message) -> None:
        """Give a message to the queue's next consumer, or keep it. A queue never drops to make room.

        Raises:
            LimitExceeded: The queue or the memory is full.
        """
        consumer = queue.next_ready()
        if consumer is not None and consumer.ack_mode is AckMode.AUTO:
            queue.served()
            self.delivered += 1
            self.out.append(Deliver(consumer, message, None, redelivered=False, delivery_count=1))
            return
        if not self.budget.admits(message):
            raise LimitExceeded("memory_bytes", self._limits.memory_bytes)
        if consumer is not None:
            queue.served()
            self._send(consumer, queue.backlog.admit(message))
            return
        limit = queue.backlog.exceeded_by(message)
        if limit is not None:
            raise LimitExceeded(limit, getattr(self._limits, limit))
        self._keep(publisher, queue.backlog, message, None)

    def _keep(
        self, publisher: Account | None, backlog: Backlog, message: Message, subscriber: Subscriber | None
    ) -> None:
        backlog.append(backlog.admit(message))
        self._watch_expiry(backlog, message.address, subscriber)
        if self._policy is SlowConsumer.BLOCK and publisher is not None and backlog.filled_to(HIGH_WATER):
            self._hold(publisher, backlog, subscriber)

    def _hold(self, publisher: Account, backlog: Backlog, subscriber: Subscriber | None) -> None:
        """Who acknowledges is never held: its acknowledgements, perhaps what drains the backlog, would wait too."""
        away = subscriber is not None and subscriber.account is None
        if not away and not publisher.acknowledges and self.dam.hold(publisher.session, backlog):
            self.out.append(Hold(publisher.session))

    def pump(self, subscriber: Subscriber, now_ns: int) -> None:
        """Send what waits, as far as there is credit."""
        queue = subscriber.queue
        if queue is not None:
            queue.line_up(subscriber)
            self.pump_queue(queue, now_ns)
            return
        backlog = subscriber.backlog
        while subscriber.ready and (entry := self._pop(subscriber, backlog, now_ns)) is not None:
            self._send(subscriber, entry)
        self._release(self.dam.drained(backlog))

    def pump_queue(self, queue: Queue, now_ns: int) -> None:
        """Send what waits to the consumers in turn."""
        backlog = queue.backlog
        while (consumer := queue.next_ready()) is not None:
            entry = self._pop(None, backlog, now_ns)
            if entry is None:
                break
            queue.served()
            self._send(consumer, entry)
        self._release(self.dam.drained(backlog))

    def _pop(self, subscriber: Subscriber | None, backlog: Backlog, now_ns: int) -> Entry | None:
        """The oldest entry that has not expired meanwhile."""
        while backlog:
            entry = backlog.pop()
            if not entry.message.expired(now_ns):
                return entry
            backlog.discard(entry)
            self.drop(entry.message.address, 1, DropReason.EXPIRED, subscriber)
        return None

    def _send(self, subscriber: Subscriber, entry: Entry) -> None:
        entry.deliveries += 1
        self.delivered += 1
        delivery_id = None if subscriber.ack_mode is AckMode.AUTO else self._next_delivery_id()
        self.out.append(Deliver(subscriber, entry.message, delivery_id, entry.deliveries > 1, entry.deliveries))
        if delivery_id is None:
            subscriber.backlog.discard(entry)
            self._count_burst(subscriber)
        else:
            subscriber.send(delivery_id, entry)

    def _next_delivery_id(self) -> int:
        self._delivery_id += 1
        return self._delivery_id

    def _count_burst(self, subscriber: Subscriber) -> None:
        """Stop before a long backlog swamps the write buffer, whose fill the shell tells only between calls."""
        account = subscriber.account
        assert account is not None
        account.drained += 1
        if account.drained >= self._limits.burst_messages:
            self.pause(account)
            self.out.append(Unfinished(account.session))

    def pause(self, account: Account) -> None:
        """Send nothing more to a session until `resume`."""
        account.paused = True
        self._router.generation += 1

    def resume(self, account: Account, now_ns: int) -> None:
        """Send what waited for a session, one burst of it, and then whatever comes."""
        account.paused = False
        account.drained = 0
        self._router.generation += 1
        for key, subscriber in list(account.subscribers.items()):
            # The next burst begins behind where this one ends, else one full backlog would starve the others.
            account.subscribers[key] = account.subscribers.pop(key)
            self.pump(subscriber, now_ns)
            if account.paused:
                return

    def settle(self, subscriber: Subscriber, delivery_id: int, now_ns: int) -> None:
        """Acknowledge a delivery and what it covers."""
        for entry in subscriber.take(delivery_id):
            subscriber.backlog.discard(entry)
        self.pump(subscriber, now_ns)

    def refuse(self, subscriber: Subscriber, delivery_id: int, now_ns: int) -> None:
        """Deliver again what a NACK covers, each at its old place, or call it dead."""
        for entry in subscriber.take(delivery_id):
            entry.refusals += 1
            if entry.refusals > self._limits.max_redeliveries:
                self._bury(subscriber, entry, now_ns)
            else:
                subscriber.backlog.put_back(entry)
        self._watch_returned(subscriber)
        self.pump(subscriber, now_ns)

    def _bury(self, subscriber: Subscriber, entry: Entry, now_ns: int) -> None:
        message = entry.message
        subscriber.backlog.discard(entry)
        if message.address == DEAD_LETTERS:
            self.drop(DEAD_LETTERS, 1, DropReason.REFUSED, subscriber)
            return
        reason = f"refused {entry.refusals} time{'s' * (entry.refusals != 1)}"
        dead = _dead_letter(message, reason)
        queue = self.queues.get(DEAD_LETTER_QUEUE)
        self.drop(DEAD_LETTERS, self._drop_oldest(queue.backlog, dead), DropReason.DEAD_LETTERS_FULL)
        if not self.budget.admits(dead):
            self.drop(message.address, 1, DropReason.DEAD_LETTERS_FULL, subscriber)
            return
        self.dead_lettered += 1
        self.out.append(DeadLettered(message, reason))
        queue.backlog.append(queue.backlog.admit(dead))
        self.pump_queue(queue, now_ns)

    def leave(self, subscriber: Subscriber) -> None:
        """Take a subscriber from its session; what it had in flight goes back to where it came from, and waits."""
        queue = subscriber.queue
        subscriber.detach()
        self._watch_returned(subscriber)
        if queue is None:
            self._router.generation += 1
            self._release(self.dam.release(subscriber.backlog))
            return
        queue.leave(subscriber)

    def left(self, queue: Queue, now_ns: int) -> None:
        """Serve the other consumers once all that leave together have left, so that what came back is in order."""
        self.pump_queue(queue, now_ns)
        self.prune(queue)

    def prune(self, queue: Queue) -> None:
        """Forget the queue if it is idle."""
        if self.queues.prune(queue):
            self._expiring.pop(queue.backlog, None)

    def empty(self, subscriber: Subscriber) -> int:
        """Discard a topic subscriber's backlog; returns how many messages that were."""
        self._expiring.pop(subscriber.backlog, None)
        return subscriber.backlog.clear()

    def drop(self, address: Address, count: int, reason: DropReason, subscriber: Subscriber | None = None) -> None:
        """Count messages that will not be delivered, and say so."""
        if not count:
            return
        self.dropped += count
        self.out.append(Dropped(address, count, reason, subscriber))

    def sweep(self, now_ns: int) -> None:
        """Free the memory of expired messages that wait."""
        if self.sweep_at_ns is None or now_ns < self.sweep_at_ns:
            return
        self._swept_ns = now_ns
        self.sweep_at_ns = None
        watched, self._expiring = self._expiring, {}
        for backlog, (address, subscriber) in watched.items():
            self.drop(address, backlog.sweep(now_ns), DropReason.EXPIRED, subscriber)
            self._release(self.dam.drained(backlog))
            self._watch_expiry(backlog, address, subscriber)

    def _watch_returned(self, subscriber: Subscriber) -> None:
        owner = subscriber if subscriber.queue is None else None
        self._watch_expiry(subscriber.backlog, subscriber.address, owner)

    def _watch_expiry(self, backlog: Backlog, address: Address, subscriber: Subscriber | None) -> None:
        at_ns = backlog.earliest_expiry_ns
        if at_ns is None:
            return
        self._expiring[backlog] = address, subscriber
        due_ns = max(at_ns, self._swept_ns + SWEEP_EVERY_NS)
        if self.sweep_at_ns is None or due_ns < self.sweep_at_ns:
            self.sweep_at_ns = due_ns

    def _release(self, sessions: list[Any]) -> None:
        self.out.extend(Release(session) for session in sessions)


DEAD_LETTERS = Address(AddressKind.QUEUE, DEAD_LETTER_QUEUE)


def _dead_letter(message: Message, reason: str) -> Message:
    """The message as the dead-letter queue holds it: it says where it came from, and keeps for ever."""
    added = ((ORIGINAL_DESTINATION_HEADER, str(message.address)), (DEAD_LETTER_REASON_HEADER, reason))
    names = [name for name, _ in added]
    kept = tuple(header for header in message.headers if header[0] not in names)  # of an earlier death
    return Message(
        id=message.id,
        address=DEAD_LETTERS,
        payload=message.payload,
        headers=kept + added,
        persistent=message.persistent,
    )
