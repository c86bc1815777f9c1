"""A consumer: puts down what comes, acknowledges it, and comes back when it was cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mqctl.experiments.book import Book, Due
from mqctl.experiments.events import ConnectionLost, ConnectionResumed, Event
from mqctl.experiments.plan import ConsumerPlan
from mqctl.experiments.planting import Planter
from mqctl.experiments.simulation.peer import Peer
from mqctl.experiments.simulation.world import NS_PER_MS, World
from mqctl.measurement.stamp import Mark

REST_NS: Final = 50 * NS_PER_MS
"""After so long, what waits to be acknowledged in a batch is acknowledged without one."""

RESET: Final = "the connection was reset"


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
        self._book: Book[str] = Book(plan, planter, names=names, read=read, put=put, owe=self._owe)
        self._world = world
        self._thinks_max_ns = thinks_max_ns
        self._peer: Peer | None = None
        self._subscribed = False
        self._due: list[Due[str]] = []
        self._asked_ns: int | None = None

    def begin(self, peer: Peer, done: Callable[[], None]) -> None:
        """Subscribe on a connection, the first one or another."""
        plan, self._peer = self.plan, peer
        if self._subscribed:
            self._book.tell(ConnectionResumed(plan.name, self._world.now_ns))
        else:
            self._subscribed = True
            self._book.subscribed(self._world.now_ns)
        peer.subscribe(plan, done)

    def settle(self) -> None:
        """Put down what was held back: nothing more comes."""
        self._book.finish(self._world.now_ns)

    def lose(self) -> None:
        """The connection is gone, and all that could be acknowledged on it."""
        self.settle()
        self._peer = None
        self._due.clear()
        self._book.forget()
        self._book.tell(ConnectionLost(self.plan.name, self._world.now_ns, RESET))

    def came(self, payload: bytes, token: str | None, *, redelivered: bool) -> None:
        """A message."""
        if self.plan.silent:
            return
        self.latest_ns = self._world.now_ns
        self._book.came(payload, token, self.latest_ns, redelivered=redelivered)

    def _owe(self, due: Due[str]) -> None:
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
        given_back, refused, done = self._book.settling(waiting)
        self._book.refused(given_back, self._world.now_ns)
        for token in refused:
            self._peer.nack(token)
        for token in self._book.acked(done, self._world.now_ns):
            self._peer.ack(token)
