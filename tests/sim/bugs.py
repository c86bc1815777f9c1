"""Brokers with a bug each: seldom enough that nobody would see it by looking."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from mqctl.broker import Broker, Effect, FanOut, Limits, Message

ONE_IN = 1000


class Buggy(Broker):
    """Does something wrong to one in a thousand messages."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.rng = random.Random(1)
        self.wrong = 0

    def strikes(self) -> bool:
        struck = self.rng.randrange(ONE_IN) == 0
        self.wrong += struck
        return struck


class Drops(Buggy):
    def publish(self, session, message, now_ns):
        return [] if self.strikes() else super().publish(session, message, now_ns)


class Duplicates(Buggy):
    def publish(self, session, message, now_ns):
        effects = super().publish(session, message, now_ns)
        if self.strikes():
            effects += super().publish(session, replace(message, wire={}), now_ns)
        return effects


class Swaps(Buggy):
    """Keeps a message back until the next one went out."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.held: list[Message] = []

    def publish(self, session, message, now_ns):
        if not self.held and self.strikes():
            self.held.append(message)
            return []
        effects = super().publish(session, message, now_ns)
        while self.held:
            effects += super().publish(session, self.held.pop(), now_ns)
        return effects


class Disagrees(Buggy):
    """Keeps a message back from the last subscriber only, until the next one went out."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.held: list[FanOut] = []

    def publish(self, session, message, now_ns):
        return [each for effect in super().publish(session, message, now_ns) for each in self.spoiled(effect)]

    def spoiled(self, effect: Effect) -> Iterator[Effect]:
        if not isinstance(effect, FanOut):
            yield effect
        elif not self.held and self.strikes():
            *others, last = effect.subscribers
            self.held.append(FanOut(effect.message, (last,)))
            yield FanOut(effect.message, tuple(others))
        else:
            yield effect
            while self.held:
                yield self.held.pop()


class ForgetsToRequeue(Buggy):
    """Takes what a consumer held when it died for acknowledged."""

    def close(self, session, now_ns):
        self.forgotten(session)
        return super().close(session, now_ns)

    def forgotten(self, session) -> list[Message]:
        account = self._accounts.get(session)
        subscribers = [] if account is None else account.subscribers.values()
        held = [(each, entry) for each in subscribers for entry in each.take_all()]
        for subscriber, entry in held:
            subscriber.backlog.discard(entry)
        self.wrong += len(held)
        return [entry.message for _, entry in held]


class RequeuesBehind(ForgetsToRequeue):
    """Puts what a consumer held when it died behind what waits, and not before it."""

    def close(self, session, now_ns):
        held = self.forgotten(session)
        effects = Broker.close(self, session, now_ns)
        for message in held:
            effects += self.publish(None, message, now_ns)
        return effects


class IgnoresPrefetch(Buggy):
    def subscribe(self, session, key, address, *, prefetch=None, **more):
        self.wrong += 1
        return super().subscribe(session, key, address, prefetch=prefetch and prefetch * 3, **more)
