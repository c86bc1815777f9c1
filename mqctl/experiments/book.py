"""The book of a consumer: what stands in the history of what came, and what is told to the broker about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from mqctl.experiments.events import Acked, Delivered, Event, Foreign, Nacked, Subscribed
from mqctl.experiments.plan import ConsumerPlan
from mqctl.experiments.planting import Planter
from mqctl.measurement.stamp import Mark
from mqctl.model import AckMode

Token = TypeVar("Token")
"""By which a message is acknowledged."""


class Due(NamedTuple, Generic[Token]):
    """A message to acknowledge; without `event` it is not in the history."""

    token: Token
    event: Delivered | None


class Settling(NamedTuple, Generic[Token]):
    """What is done about messages that wait: those that are told as given back, what is refused, what is done."""

    given_back: Sequence[Delivered]
    refused: Sequence[Token]
    done: Sequence[Due[Token]]


class Book(Generic[Token]):
    """Puts down what comes to one consumer, spoiled where its plan says, and decides what becomes of it.

    Times are `now_ns`, on the clock of the history.

    Args:
        plan: Of the consumer.
        planter: Spoils its record.
        names: Of the streams, by number.
        read: Reads the payloads.
        put: Takes what happens.
        owe: Takes what is to be acknowledged.
    """

    def __init__(
        self,
        plan: ConsumerPlan,
        planter: Planter,
        *,
        names: Sequence[str],
        read: Callable[[bytes], Mark | None],
        put: Callable[[Event], object],
        owe: Callable[[Due[Token]], object],
    ) -> None:
        self.planter = planter
        self._plan, self._names, self._read, self._put, self._owe = plan, names, read, put, owe
        self._refused: set[tuple[str, int]] = set()
        self._tokens: dict[tuple[str, int], Token] = {}
        self._early: set[tuple[str, int]] = set()

    def tell(self, event: Event) -> None:
        """Put down what happened to the consumer, unless it is silent."""
        if not self._plan.silent:
            self._put(event)

    def subscribed(self, now_ns: int) -> None:
        """What is published from now on is for it."""
        plan = self._plan
        self.tell(
            Subscribed(
                plan.name,
                topic=plan.label,
                group=plan.group,
                exclusive=plan.exclusive,
                ack=plan.ack.value,
                prefetch=plan.prefetch,
                at_ns=now_ns,
            )
        )

    def came(self, payload: bytes, token: Token | None, now_ns: int, *, redelivered: bool) -> Mark | None:
        """A message; what is stamped on it, if it is one of this run."""
        plan, mark = self._plan, self._read(payload)
        if mark is None or mark.publisher >= len(self._names):
            self._put(Foreign(plan.name, now_ns))
            if token is not None:
                self._owe(Due(token, None))
            return None
        name = self._names[mark.publisher]
        event = Delivered(plan.name, name, mark.sequence, now_ns, mark.intended_ns, redelivered)
        if self.planter.idle and token is None:
            self._put(event)
        else:
            self._spoil(event, token, now_ns)
        return mark

    def _spoil(self, event: Delivered, token: Token | None, now_ns: int) -> None:
        """Let the planter have its way. What it drops is acknowledged, and not in the history."""
        key = (event.producer, event.n)
        if token is not None:
            self._tokens[key] = token
        self._record(self.planter.take(event), now_ns)
        if (token := self._tokens.pop(key, None)) is not None:
            # Dropped, or held back: a broker that sends one at a time waits for this one.
            self._owe(Due(token, None))
            if self.planter.holds(event):
                self._early.add(key)

    def _record(self, events: Iterable[Event], now_ns: int) -> None:
        for event in events:
            self._put(event)
            if not isinstance(event, Delivered):
                continue
            key = (event.producer, event.n)
            if (token := self._tokens.pop(key, None)) is not None:
                self._owe(Due(token, event))
            elif key in self._early:
                self._early.remove(key)
                self._put(Acked(self._plan.name, *key, now_ns))

    def finish(self, now_ns: int) -> None:
        """Put down what was held back: nothing more comes."""
        self._record(self.planter.rest(), now_ns)

    def forget(self) -> None:
        """The connection is gone, and all that could be acknowledged on it."""
        self._tokens.clear()
        self._early.clear()

    def settling(self, waiting: Sequence[Due[Token]]) -> Settling[Token]:
        """Decide about messages that wait, in the order in which they came."""
        refused = [due for due in waiting if due.event is not None and self._refuses(due.event)]
        given_back, done = refused, [due for due in waiting if due not in refused]
        if refused and self._plan.ack is AckMode.CLIENT:
            # Those before it are settled by the NACK, or with what comes next: brokers differ.
            last = waiting.index(refused[-1]) + 1
            done = list(waiting[last:])
            if self._plan.nack_covers:
                given_back, refused = list(waiting[:last]), refused[-1:]
        return Settling(_told(given_back), [due.token for due in refused], done)

    def _refuses(self, event: Delivered) -> bool:
        """Whether to refuse a message: once, and each so manieth of a stream."""
        key = (event.producer, event.n)
        if not self._plan.nack_every or event.n % self._plan.nack_every or key in self._refused:
            return False
        self._refused.add(key)
        return True

    def refused(self, events: Iterable[Delivered], now_ns: int) -> None:
        """Put down that messages are refused."""
        for event in events:
            self._put(Nacked(self._plan.name, event.producer, event.n, now_ns, self._plan.nack_returns))

    def acked(self, done: Sequence[Due[Token]], now_ns: int) -> Sequence[Token]:
        """Put down what is acknowledged, and tell by which tokens: in mode client the last covers all."""
        told = _told(done)
        if self._plan.ack is AckMode.CLIENT:
            done, told = done[-1:], told[-1:]
        for event in told:
            self._put(Acked(event.consumer, event.producer, event.n, now_ns))
        return [due.token for due in done]


def _told(dues: Iterable[Due[Token]]) -> list[Delivered]:
    return [due.event for due in dues if due.event is not None]
