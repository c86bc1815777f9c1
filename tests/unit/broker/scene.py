"""A broker with a record of what it wanted done, in words short enough to compare with."""

from __future__ import annotations

import itertools
from collections import defaultdict

from mqctl.broker import (
    Address,
    AddressKind,
    Broker,
    Deliver,
    Dropped,
    Effect,
    FanOut,
    Limits,
    Message,
    SlowConsumer,
)
from mqctl.model import AckMode

CLIENT = AckMode.CLIENT
INDIVIDUAL = AckMode.INDIVIDUAL


def topic(name: str) -> Address:
    return Address(AddressKind.TOPIC, name)


def queue(name: str) -> Address:
    return Address(AddressKind.QUEUE, name)


class Scene:
    """Sessions are strings, opened when first named; payloads are short texts; `got` is what each session received."""

    def __init__(self, *, policy: SlowConsumer = SlowConsumer.DROP_OLDEST, **limits: float) -> None:
        self.broker = Broker(Limits(**limits), policy)
        self.now_ns = 0
        self.got: dict[str, list[str]] = defaultdict(list)
        self.deliveries: dict[str, list[Deliver]] = defaultdict(list)
        self.effects: list[Effect] = []
        self._ids = itertools.count(1)

    def open(self, session: str, client_id: str | None = None) -> None:
        self.broker.open(session, client_id)

    def sub(self, session: str, address: Address, key: str = "s", **how: object) -> None:
        self._ensure(session)
        self.apply(self.broker.subscribe(session, key, address, now_ns=self.now_ns, **how))

    def unsub(self, session: str, key: str = "s", *, forget: bool = False) -> None:
        self.apply(self.broker.unsubscribe(session, key, forget=forget, now_ns=self.now_ns))

    def pub(self, address: Address, *payloads: str, by: str = "publisher", **more: object) -> None:
        """Publish; `more` are further fields of `Message`."""
        self._ensure(by)
        for payload in payloads:
            message = Message(id=str(next(self._ids)), address=address, payload=payload.encode(), **more)
            self.apply(self.broker.publish(by, message, self.now_ns))

    def ack(self, session: str, payload: str) -> None:
        self.apply(self.broker.ack(session, self.id_of(session, payload), self.now_ns))

    def nack(self, session: str, payload: str) -> None:
        self.apply(self.broker.nack(session, self.id_of(session, payload), self.now_ns))

    def pause(self, session: str) -> None:
        self._ensure(session)
        self.broker.pause(session)

    def resume(self, session: str) -> None:
        self.apply(self.broker.resume(session, self.now_ns))

    def close(self, session: str) -> None:
        self.apply(self.broker.close(session, self.now_ns))

    def tick(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.apply(self.broker.tick(now_ns))

    def id_of(self, session: str, payload: str) -> int:
        """The id of the last delivery of a payload."""
        found = [each for each in self.deliveries[session] if each.message.payload == payload.encode()]
        assert found[-1].delivery_id is not None
        return found[-1].delivery_id

    def told(self, kind: type[Effect]) -> list[Effect]:
        """The effects of one kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def drops(self) -> list[tuple[str, int, str]]:
        """What was dropped: address, count, reason."""
        return [
            (str(each.address), each.count, each.reason.value) for each in self.effects if isinstance(each, Dropped)
        ]

    def apply(self, effects: list[Effect]) -> None:
        self.effects += effects
        for effect in effects:
            match effect:
                case FanOut(message, subscribers):
                    for subscriber in subscribers:
                        self.got[subscriber.session].append(message.payload.decode())
                case Deliver(subscriber, message, _, redelivered, _):
                    self.deliveries[subscriber.session].append(effect)
                    self.got[subscriber.session].append(message.payload.decode() + ("!" if redelivered else ""))
                case _:
                    pass

    def _ensure(self, session: str) -> None:
        if session not in self.broker._accounts:
            self.broker.open(session)
