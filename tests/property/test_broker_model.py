"""The broker against a naive model: lists that are searched, and a count of what everybody must have.

Nothing is lost, nothing comes twice unmarked, nothing overtakes, nobody has more in flight than asked for, nobody who
could be served waits, and the memory account is exact after every step and zero at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mqctl import topics
from mqctl.broker import (
    Address,
    AddressKind,
    Broker,
    DeadLettered,
    Deliver,
    Dropped,
    DropReason,
    DurableEnded,
    Effect,
    FanOut,
    Limits,
    Message,
    Subscriber,
    Unfinished,
)
from mqctl.broker.values import MESSAGE_OVERHEAD_BYTES
from mqctl.model import AckMode

SECOND_NS = 1_000_000_000
MAX_REDELIVERIES = 1
TOPICS = ("a", "a.b", "a.c")
PATTERNS = ("a.b", "a.*", "a.**", "**")
QUEUES = ("q", "r")


@dataclass(eq=False)
class Item:
    payload: bytes
    place: int
    key: object
    cost: int
    origin: Address
    expires_at_ns: int | None
    seen: bool = False
    refusals: int = 0


@dataclass(eq=False)
class Line:
    """What waits for one topic subscriber, or in one queue."""

    waiting: list[Item] = field(default_factory=list)
    places: int = 0

    def add(self, payload: bytes, key: object, cost: int, origin: Address, expires_at_ns: int | None) -> None:
        self.places += 1
        self.waiting.append(Item(payload, self.places, key, cost, origin, expires_at_ns))

    def put_back(self, item: Item) -> None:
        self.waiting.append(item)
        self.waiting.sort(key=lambda each: each.place)


@dataclass(eq=False)
class Sub:
    session: int | None
    key: str
    address: Address
    mode: AckMode
    prefetch: int
    durable: tuple[str, str] | None
    line: Line
    flying: dict[int, Item] = field(default_factory=dict)


class BrokerModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.broker = Broker(Limits(max_redeliveries=MAX_REDELIVERIES, burst_messages=3, route_cache=2))
        self.now_ns = 0
        self.sessions: dict[int, bool] = {}
        self.clients: dict[int, str] = {}
        self.subs: list[Sub] = []
        self.queues: dict[str, Line] = {}
        self.opened = self.published = self.keys = 0

    @precondition(lambda self: len(self.sessions) < 4)
    @rule(client=st.sampled_from(["x", "y"]))
    def open(self, client: str) -> None:
        self.opened += 1
        self.broker.open(self.opened, client)
        self.sessions[self.opened] = False
        self.clients[self.opened] = client

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99))
    def close(self, pick: int) -> None:
        session = self._pick(list(self.sessions), pick)
        del self.sessions[session]
        for sub in [each for each in self.subs if each.session == session]:
            self._leave(sub)
        self._apply(self.broker.close(session, self.now_ns))

    @precondition(lambda self: self.sessions)
    @rule(
        pick=st.integers(0, 99),
        address=st.one_of(
            st.sampled_from(PATTERNS).map(lambda name: Address(AddressKind.TOPIC, name)),
            st.sampled_from((*QUEUES, "DLQ")).map(lambda name: Address(AddressKind.QUEUE, name)),
        ),
        mode=st.sampled_from(AckMode),
        prefetch=st.integers(1, 3),
        durable=st.booleans(),
    )
    def subscribe(self, pick: int, address: Address, mode: AckMode, prefetch: int, durable: bool) -> None:
        session = self._pick(list(self.sessions), pick)
        self.keys += 1
        key = str(self.keys)
        name = (self.clients[session], "d") if durable and address.kind is AddressKind.TOPIC else None
        known = next((each for each in self.subs if name is not None and each.durable == name), None)
        if known is not None and known.session is not None:
            return
        if known is not None and known.address == address:
            known.session, known.key, known.mode, known.prefetch = session, key, mode, prefetch
        else:
            if known is not None:
                self.subs.remove(known)
            line = self._queue(address.name) if address.kind is AddressKind.QUEUE else Line()
            self.subs.append(Sub(session, key, address, mode, prefetch, name, line))
        self._apply(
            self.broker.subscribe(
                session, key, address, ack_mode=mode, prefetch=prefetch, durable=name and "d", now_ns=self.now_ns
            )
        )

    @precondition(lambda self: self._attached())
    @rule(pick=st.integers(0, 99), forget=st.booleans())
    def unsubscribe(self, pick: int, forget: bool) -> None:
        sub = self._pick(self._attached(), pick)
        session, key = sub.session, sub.key
        self._leave(sub)
        if forget and sub.durable is not None:
            self.subs.remove(sub)
        self._apply(self.broker.unsubscribe(session, key, forget=forget, now_ns=self.now_ns))

    @rule(
        address=st.one_of(
            st.sampled_from(TOPICS).map(lambda name: Address(AddressKind.TOPIC, name)),
            st.sampled_from(QUEUES).map(lambda name: Address(AddressKind.QUEUE, name)),
        ),
        count=st.integers(1, 5),
        lives_s=st.one_of(st.none(), st.integers(1, 3)),
    )
    def publish(self, address: Address, count: int, lives_s: int | None) -> None:
        for _ in range(count):
            self.published += 1
            payload = str(self.published).encode()
            expires_at_ns = None if lives_s is None else self.now_ns + lives_s * SECOND_NS
            message = Message(id=payload.decode(), address=address, payload=payload, expires_at_ns=expires_at_ns)
            for line in self._lines_of(address):
                line.add(payload, message.id, MESSAGE_OVERHEAD_BYTES + len(payload), address, expires_at_ns)
            self._apply(self.broker.publish(None, message, self.now_ns))

    @precondition(lambda self: self._flying())
    @rule(pick=st.integers(0, 99))
    def ack(self, pick: int) -> None:
        sub, delivery_id = self._pick(self._flying(), pick)
        session = sub.session
        self._take(sub, delivery_id)
        self._apply(self.broker.ack(session, delivery_id, self.now_ns))

    @precondition(lambda self: self._flying())
    @rule(pick=st.integers(0, 99))
    def nack(self, pick: int) -> None:
        sub, delivery_id = self._pick(self._flying(), pick)
        for item in self._take(sub, delivery_id):
            item.refusals += 1
            if item.refusals <= MAX_REDELIVERIES:
                sub.line.put_back(item)
            elif sub.address.name != "DLQ":
                self._bury(item)
        self._apply(self.broker.nack(sub.session, delivery_id, self.now_ns))

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99))
    def pause(self, pick: int) -> None:
        session = self._pick(list(self.sessions), pick)
        self.sessions[session] = True
        self.broker.pause(session)

    @precondition(lambda self: any(self.sessions.values()))
    @rule(pick=st.integers(0, 99))
    def resume(self, pick: int) -> None:
        session = self._pick([session for session, paused in self.sessions.items() if paused], pick)
        self.sessions[session] = False
        self._apply(self.broker.resume(session, self.now_ns))

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        self.now_ns += seconds * SECOND_NS
        self._apply(self.broker.tick(self.now_ns))

    @invariant()
    def memory_is_exact(self) -> None:
        held = {item.key: item.cost for line in self._all_lines() for item in line.waiting}
        held |= {item.key: item.cost for sub in self.subs for item in sub.flying.values()}
        assert self.broker.stats().memory_bytes == sum(held.values())

    @invariant()
    def counts_agree(self) -> None:
        stats = self.broker.stats()
        assert stats.in_flight == sum(len(sub.flying) for sub in self.subs)
        assert stats.waiting == sum(len(line.waiting) for line in self._all_lines())

    @invariant()
    def nobody_waits_who_could_be_served(self) -> None:
        for sub in self.subs:
            assert not (sub.line.waiting and self._ready(sub))

    def teardown(self) -> None:
        """What still waits in a queue can be had to the last message, and then nothing is left."""
        while self.sessions:
            self.close(0)
        for name in list(self.queues):
            self.open("z")
            self.subscribe(0, Address(AddressKind.QUEUE, name), AckMode.AUTO, 1, durable=False)
            while self.sessions[self.opened]:
                self.resume(0)
            assert not self.queues[name].waiting
            self.close(0)
        self._apply(self.broker.tick(self.now_ns + 2 * 3600 * SECOND_NS))
        assert not self.subs
        assert self.broker.stats().memory_bytes == 0
        assert self.broker.stats().queues == self.broker.stats().durables == 0

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case FanOut(message, subscribers):
                    for subscriber in subscribers:
                        self._received(subscriber, message, None, redelivered=False)
                case Deliver(subscriber, message, delivery_id, redelivered, _):
                    self._received(subscriber, message, delivery_id, redelivered=redelivered)
                case Unfinished(session):
                    self.sessions[session] = True
                case Dropped():
                    self._dropped(effect)
                case DurableEnded(client_id, name, _):
                    (sub,) = [each for each in self.subs if each.durable == (client_id, name)]
                    assert sub.session is None
                    assert not sub.line.waiting
                    self.subs.remove(sub)
                case DeadLettered():
                    pass
                case _:
                    raise AssertionError(effect)

    def _received(
        self, subscriber: Subscriber, message: Message, delivery_id: int | None, *, redelivered: bool
    ) -> None:
        sub = next(each for each in self.subs if (each.session, each.key) == (subscriber.session, subscriber.key))
        assert self._ready(sub)
        item = sub.line.waiting.pop(0)
        assert message.payload == item.payload
        assert redelivered == item.seen
        assert item.expires_at_ns is None or item.expires_at_ns > self.now_ns
        item.seen = True
        assert (delivery_id is None) == (sub.mode is AckMode.AUTO)
        if delivery_id is not None:
            sub.flying[delivery_id] = item
            assert len(sub.flying) <= sub.prefetch

    def _dropped(self, drop: Dropped) -> None:
        match drop.reason:
            case DropReason.EXPIRED:
                line = self._queue(drop.address.name) if drop.subscriber is None else self._line_of(drop.subscriber)
                for _ in range(drop.count):
                    late = [each for each in line.waiting if (each.expires_at_ns or self.now_ns + 1) <= self.now_ns]
                    line.waiting.remove(late[0])
            case DropReason.DURABLE_EXPIRED:
                (sub,) = [each for each in self.subs if each.durable == drop.subscriber.durable]
                assert drop.count == len(sub.line.waiting)
                sub.line.waiting.clear()
            case DropReason.DURABLE_REPLACED | DropReason.REFUSED:
                pass
            case _:
                raise AssertionError(drop)

    def _line_of(self, subscriber: Subscriber) -> Line:
        for sub in self.subs:
            if sub.durable is not None and sub.durable == subscriber.durable:
                return sub.line
            if (sub.session, sub.key) == (subscriber.session, subscriber.key):
                return sub.line
        raise AssertionError(subscriber)

    def _ready(self, sub: Sub) -> bool:
        if sub.session is None or self.sessions[sub.session]:
            return False
        return sub.mode is AckMode.AUTO or len(sub.flying) < sub.prefetch

    def _leave(self, sub: Sub) -> None:
        for item in sub.flying.values():
            sub.line.put_back(item)
        sub.flying.clear()
        sub.session = None
        if sub.durable is None:
            self.subs.remove(sub)

    def _take(self, sub: Sub, delivery_id: int) -> list[Item]:
        cumulative = sub.mode is AckMode.CLIENT
        taken = [each for each in sub.flying if each == delivery_id or (cumulative and each < delivery_id)]
        return [sub.flying.pop(each) for each in sorted(taken)]

    def _bury(self, item: Item) -> None:
        added = ("original-destination", str(item.origin), "dead-letter-reason", f"refused {item.refusals} times")
        cost = MESSAGE_OVERHEAD_BYTES + len(item.payload) + sum(map(len, added))
        self._queue("DLQ").add(item.payload, object(), cost, Address(AddressKind.QUEUE, "DLQ"), None)

    def _queue(self, name: str) -> Line:
        return self.queues.setdefault(name, Line())

    def _lines_of(self, address: Address) -> list[Line]:
        if address.kind is AddressKind.QUEUE:
            return [self._queue(address.name)]
        levels = address.name.split(".")
        return [
            sub.line
            for sub in self.subs
            if sub.address.kind is AddressKind.TOPIC and topics.matches(sub.address.name.split("."), levels)
        ]

    def _all_lines(self) -> list[Line]:
        own = [sub.line for sub in self.subs if sub.address.kind is AddressKind.TOPIC]
        return own + list(self.queues.values())

    def _attached(self) -> list[Sub]:
        return [sub for sub in self.subs if sub.session is not None]

    def _flying(self) -> list[tuple[Sub, int]]:
        return [(sub, delivery_id) for sub in self.subs for delivery_id in sub.flying]

    def _pick(self, options: list[Any], pick: int) -> Any:
        return options[pick % len(options)]


TestBrokerModel = BrokerModel.TestCase
TestBrokerModel.settings = settings(max_examples=60, stateful_step_count=50, deadline=None, derandomize=True)
