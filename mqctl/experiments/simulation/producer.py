"""A producer: sends its streams in turn, and puts down what becomes of every message."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mqctl.experiments.events import Confirmed, Event, Publish
from mqctl.experiments.plan import ProducerPlan, Stream
from mqctl.experiments.simulation.peer import Peer
from mqctl.experiments.simulation.world import World
from mqctl.measurement.stamp import Mark
from mqctl.model import Outgoing


class Producer:
    """One producer. Its connection is never broken.

    Attributes:
        settled: Messages whose fate is known.
        latest_ns: When the last of them was.

    Args:
        plan: What it is to do.
        world: When things happen.
        first: The number of its first stream.
        payload: Makes payloads.
        put: Takes what happens.
        every_ns: From one message to the next; None is as fast as confirmations come.
        thinks_max_ns: Between two messages, at most.
    """

    def __init__(
        self,
        plan: ProducerPlan,
        world: World,
        *,
        first: int,
        payload: Callable[[Mark], bytes],
        put: Callable[[Event], object],
        every_ns: float | None,
        thinks_max_ns: int,
    ) -> None:
        self.plan = plan
        self.settled = 0
        self.latest_ns = 0
        self._world, self._first, self._payload, self._put = world, first, payload, put
        self._every_ns, self._thinks_max_ns = every_ns, thinks_max_ns
        self._turn = self._start_ns = 0
        self._waits_for_room = False

    @property
    def done(self) -> bool:
        """Whether everything is sent and settled."""
        return self.settled == self.plan.count

    def begin(self, peer: Peer) -> None:
        """Send, from now on."""
        self._peer = peer
        self._start_ns = self._world.now_ns
        self._plan_next()

    def _plan_next(self) -> None:
        if self._turn == self.plan.count:
            return
        if self._every_ns is not None:
            # Somewhere in its turn, so that those of several producers overtake each other.
            due_ns = self._start_ns + round((self._turn + self._world.rng.random()) * self._every_ns)
            self._world.at(due_ns, lambda: self._send(due_ns))
        elif self._turn - self.settled >= self.plan.in_flight:
            self._waits_for_room = True
        else:
            self._world.after(self._world.draw(self._thinks_max_ns), self._send)

    def _send(self, due_ns: int | None = None) -> None:
        plan, now_ns = self.plan, self._world.now_ns
        index, n = plan.message(self._turn)
        stream = plan.streams[index]
        intended_ns = now_ns if due_ns is None else due_ns
        self._turn += 1
        self._put(Publish(stream.name, n, "", intended_ns, now_ns))
        message = Outgoing(
            topic=stream.topic,
            payload=self._payload(Mark(1, self._first + index, n, intended_ns, now_ns)),
            headers=stream.headers,
            persistent=plan.persistent,
        )
        self._peer.publish(message, partial(self._confirm, stream, n))
        self._plan_next()

    def _confirm(self, stream: Stream, n: int) -> None:
        self.settled += 1
        self.latest_ns = self._world.now_ns
        self._put(Confirmed(stream.name, n, self.latest_ns))
        if self._waits_for_room:
            self._waits_for_room = False
            self._plan_next()
