"""A consumer: puts down what comes, acknowledges it, and comes back when it was cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from mqctl.experiments.events import (
    Acked,
    ConnectionLost,
    ConnectionResumed,
    Delivered,
    Event,
    Foreign,
    Nacked,
    Subscribed,
)
from mqctl.experiments.plan import ConsumerPlan
from mqctl.experiments.planting import Planter
from mqctl.experiments.simulation.peer import Peer
from mqctl.experiments.simulation.world import NS_PER_MS, World
from mqctl.measurement.stamp import Mark
from mqctl.model import AckMode

REST_NS: Final = 50 * NS_PER_MS
"""After so long, what waits to be acknowledged in a batch is acknowledged without one."""

RESET: Final = "the connection was reset"


class _Due(NamedTuple):
    """A message to acknowledge; without `event` it is not in the history."""

    token: str
    event: Delivered | None


class Consumer:
    """One consumer.

    Attributes:
        latest_ns: When a message came last.

    Args:
        plan: What it is to do.
        world: When things happen.
        names: Of the streams, by number.
        read: Reads the payloads.
        put: Takes what happens.
        planter: Spoils its record.
        thinks_max_ns: Between a message and what is done about it, at most.
    """

    def __init__(
        self,
        plan: ConsumerPlan,
        world: World,
        *,
        names: Sequence[str],
        read: Callable[[bytes], Mark | None],
        put: Callable[[Event], object],
        planter: Planter,
        thinks_max_ns: int,
    ) -> None:
        self.plan = plan
        self.planter = planter
        self.latest_ns = 0
        self._world, self._names, self._read, self._put = world, names, read, put
        self._thinks_max_ns = thinks_max_ns
        self._peer: Peer | None = None
        self._subscribed = False
        self._due: list[_Due] = []
        self._asked_ns: int | None = None
        self._refused: set[tuple[str, int]] = set()
        self._tokens: dict[tuple[str, int], str] = {}
        self._early: set[tuple[str, int]] = set()

    def begin(self, peer: Peer, done: Callable[[], None]) -> None:
        """Subscribe on a connection, the first one or another."""
        plan, self._peer = self.plan, peer
        if self._subscribed:
            self._tell(ConnectionResumed(plan.name, self._world.now_ns))
        else:
            self._subscribed = True
            self._tell(
                Subscribed(
                    plan.name,
                    group=plan.group,
                    exclusive=plan.exclusive,
                    ack=plan.ack.value,
                    prefetch=plan.prefetch,
                    at_ns=self._world.now_ns,
                )
            )
        peer.subscribe(plan, done)

    def settle(self) -> None:
        """Put down what was held back: nothing more comes."""
        self._record(self.planter.rest())

    def lose(self) -> None:
        """The connection is gone, and all that could be acknowledged on it."""
        self.settle()
        self._peer = None
        self._due.clear()
        self._tokens.clear()
        self._early.clear()
        self._tell(ConnectionLost(self.plan.name, self._world.now_ns, RESET))

    def came(self, payload: bytes, token: str | None, *, redelivered: bool) -> None:
        """A message."""
        if self.plan.silent:
            return
        now_ns = self.latest_ns = self._world.now_ns
        mark = self._read(payload)
        if mark is None or mark.publisher >= len(self._names):
            self._put(Foreign(self.plan.name, now_ns))
            return
        name = self._names[mark.publisher]
        event = Delivered(self.plan.name, name, mark.sequence, now_ns, mark.intended_ns, redelivered)
        self._spoil(event, token)

    def _tell(self, event: Event) -> None:
        if not self.plan.silent:
            self._put(event)

    def _spoil(self, event: Delivered, token: str | None) -> None:
        """Let the planter have its way. What it drops is acknowledged, and not in the history."""
        key = (event.producer, event.n)
        if token is not None:
            self._tokens[key] = token
        self._record(self.planter.take(event))
        if (token := self._tokens.pop(key, None)) is not None:
            # Dropped, or held back: who gets one at a time waits for this one.
            self._owe(_Due(token, None))
            if self.planter.holds(event):
                self._early.add(key)

    def _record(self, events: Sequence[Event]) -> None:
        for event in events:
            self._put(event)
            if not isinstance(event, Delivered):
                continue
            key = (event.producer, event.n)
            if token := self._tokens.pop(key, None):
                self._owe(_Due(token, event))
            elif key in self._early:
                self._early.remove(key)
                self._put(Acked(self.plan.name, *key, self._world.now_ns))

    def _owe(self, due: _Due) -> None:
        """Acknowledge it with others, soon."""
        self._due.append(due)
        full = len(self._due) >= self.plan.ack_batch
        self._ask(self._world.draw(self._thinks_max_ns) if full else REST_NS)

    def _ask(self, delay_ns: int) -> None:
        at_ns = self._world.now_ns + delay_ns
        if self._asked_ns is None or at_ns < self._asked_ns:
            self._asked_ns = at_ns
            self._world.at(at_ns, self._acknowledge)

    def _acknowledge(self) -> None:
        if self._asked_ns is None or self._asked_ns > self._world.now_ns:
            return
        self._asked_ns = None
        waiting, self._due = self._due, []
        if self._peer is None:
            return
        refused = [due for due in waiting if due.event is not None and self._refuses(due.event)]
        for due in refused:
            assert due.event is not None
            returns, now_ns = self.plan.nack_returns, self._world.now_ns
            self._put(Nacked(self.plan.name, due.event.producer, due.event.n, now_ns, returns))
            self._peer.nack(due.token)
        self._ack(self._peer, [due for due in waiting if due not in refused])

    def _ack(self, peer: Peer, done: Sequence[_Due]) -> None:
        told = [due.event for due in done if due.event is not None]
        if self.plan.ack is AckMode.CLIENT:
            done, told = done[-1:], told[-1:]
        for event in told:
            self._put(Acked(self.plan.name, event.producer, event.n, self._world.now_ns))
        for due in done:
            peer.ack(due.token)

    def _refuses(self, event: Delivered) -> bool:
        """Whether to refuse a message: once, and each so manieth of a stream."""
        key = (event.producer, event.n)
        if not self.plan.nack_every or event.n % self.plan.nack_every or key in self._refused:
            return False
        self._refused.add(key)
        return True
