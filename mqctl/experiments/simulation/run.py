"""A plan carried out in simulated time: the events of its history, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from mqctl.broker.core import Broker
from mqctl.broker.values import Limits
from mqctl.experiments.events import End, Event, FaultBegan, FaultEnded, Killed, Unsubscribed
from mqctl.experiments.plan import Break, Plan, Stream
from mqctl.experiments.planting import Planter
from mqctl.experiments.simulation.consumer import Consumer
from mqctl.experiments.simulation.dialing import WAYS, Way
from mqctl.experiments.simulation.hub import Hub
from mqctl.experiments.simulation.peer import Peer
from mqctl.experiments.simulation.producer import Producer
from mqctl.experiments.simulation.weather import Weather, drawn
from mqctl.experiments.simulation.world import NS_PER_S, World
from mqctl.measurement.stamp import reader, writer

SIZE: Final = 128
"""Of a message, in bytes."""
QUIET_NS: Final = 60 * NS_PER_S
"""Nothing came for so long: nothing more will."""
PATIENCE_NS: Final = 30 * 24 * 3600 * NS_PER_S
"""So long a run may take, which takes no time of ours."""

ROOMY: Final = Limits(
    memory_bytes=2**40, backlog_messages=2**40, backlog_bytes=2**40, queue_messages=2**40, queue_bytes=2**40
)
"""A broker whose limits are not reached, so that nothing is dropped for them."""

_RUN_BITS: Final = 63


class Simulation:
    """One run of a plan.

    Attributes:
        doubts: Why what it shows may not be what it should: filled until the end.

    Args:
        plan: What to do.
        seed: Decides all that a plan leaves open: times, places, the network.
        protocol: Which of `WAYS` to connect by.
        rate: Messages per second of all producers together; None is as fast as they are confirmed.
        size: Of a message, in bytes.
        make_broker: The broker under test.
        weather: The network; None is one that the seed draws.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        seed: int,
        protocol: str = "stomp",
        rate: float | None = None,
        size: int = SIZE,
        make_broker: Callable[[Limits], Broker] = Broker,
        weather: Weather | None = None,
    ) -> None:
        self.doubts: list[str] = []
        self._plan, self._rate = plan, rate
        self._world = World(seed)
        self._weather = weather or drawn(self._world.rng)
        self._hub = Hub(self._world, make_broker(ROOMY))
        self._way: Way = WAYS[protocol](self._hub, self._weather)
        self._told: list[Event] = []
        number = self._world.rng.getrandbits(_RUN_BITS)
        streams = [stream for producer in plan.producers for stream in producer.streams]
        self._producers = list(self._make_producers(number, size))
        self._consumers = list(self._make_consumers(number, size, streams))
        self._whole = {each.plan.name for each in self._consumers if each.plan.trouble is not None}
        self._awaited = 0

    def events(self) -> Iterator[Event]:
        """From the first connection to the last line of the history; once."""
        self._begin()
        drained = False
        while not drained and self._world.now_ns < PATIENCE_NS:
            going_on = self._world.step()
            yield from self._take_told()
            drained = not going_on or self._quiet()
        for consumer in self._consumers:
            consumer.settle()
        yield from self._take_told()
        yield End(self._world.now_ns, drained)
        self._judge_itself(drained)

    def _take_told(self) -> list[Event]:
        told, self._told[:] = self._told[:], []
        return told

    def _make_producers(self, number: int, size: int) -> Iterator[Producer]:
        first = 0
        payload = writer(number, size)
        every_ns = None if self._rate is None else NS_PER_S * len(self._plan.producers) / self._rate
        for plan in self._plan.producers:
            yield Producer(
                plan,
                self._world,
                first=first,
                payload=payload,
                put=self._told.append,
                every_ns=every_ns,
                thinks_max_ns=self._weather.thinks_max_ns,
            )
            first += len(plan.streams)

    def _make_consumers(self, number: int, size: int, streams: Sequence[Stream]) -> Iterator[Consumer]:
        names = [stream.name for stream in streams]
        read = reader(number, size)
        dropped: dict[str, set[tuple[str, int]]] = {
            plan.group: set() for plan in self._plan.consumers if plan.group and plan.places
        }
        for plan in self._plan.consumers:
            yield Consumer(
                plan,
                self._world,
                names=names,
                read=read,
                put=self._told.append,
                planter=Planter(plan.places, dropped.get(plan.group)),
                thinks_max_ns=self._weather.thinks_max_ns,
            )

    def _begin(self) -> None:
        """Let the consumers subscribe; then the producers begin."""
        present = [each for each in self._consumers if not each.plan.heir]
        self._awaited = len(present)
        for consumer in present:
            self._admit(consumer, self._arrived)

    def _arrived(self) -> None:
        self._awaited -= 1
        if not self._awaited:
            for producer in self._producers:
                sender = _Sender(producer)
                sender.peer = self._way.dial(sender, None, None)

    def _admit(self, consumer: Consumer, done: Callable[[], None]) -> None:
        listener = _Listener(consumer, done, self._broken)
        trouble = consumer.plan.trouble if consumer.plan.name in self._whole else None
        listener.peer = self._way.dial(listener, consumer.plan, trouble)

    def _broken(self, consumer: Consumer) -> None:
        """A connection was reset, as the plan wants."""
        plan, now_ns = consumer.plan, self._world.now_ns
        assert plan.trouble is not None
        self._whole.discard(plan.name)
        consumer.lose()
        if plan.trouble.how is Break.CUT:
            self._told += (FaultBegan(Break.CUT, now_ns, plan.name), FaultEnded(Break.CUT, now_ns, plan.name))
            away_ns = self._weather.returns_max_ns - self._weather.returns_min_ns
            delay_ns = self._weather.returns_min_ns + self._world.draw(away_ns)
            self._world.after(delay_ns, lambda: self._admit(consumer, _nothing))
            return
        self._told.append(Killed(plan.name, now_ns))
        if not plan.group:
            self._told.append(Unsubscribed(plan.name, now_ns))
        heirs = [each for each in self._consumers if each.plan.heir and each.plan.group == plan.group]
        for heir in heirs[:1]:
            self._admit(heir, _nothing)

    def _quiet(self) -> bool:
        """Whether all was sent, and nothing came for long."""
        if not all(producer.done for producer in self._producers):
            return False
        consumed_ns = max(consumer.latest_ns for consumer in self._consumers)
        confirmed_ns = max(producer.latest_ns for producer in self._producers)
        return self._world.now_ns - max(consumed_ns, confirmed_ns) >= QUIET_NS

    def _judge_itself(self, drained: bool) -> None:
        for consumer in self._consumers:
            if missing := consumer.planter.missing:
                faults = ", ".join(sorted({place.fault for place in missing}))
                self.doubts.append(
                    f"{len(missing)} faults found no place to be planted at {consumer.plan.name} ({faults})"
                )
        self.doubts += [f"{name} was not to be broken: too few messages came to it" for name in sorted(self._whole)]
        if not all(producer.done for producer in self._producers):
            self.doubts.append("not everything that was sent was confirmed")
        if not drained:
            self.doubts.append("messages still came at the end")


class _Sender:
    """The role of a producer."""

    peer: Peer

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def ready(self) -> None:
        self._producer.begin(self.peer)

    def came(self, payload: bytes, token: str | None, *, redelivered: bool) -> None:
        """Nothing comes to it."""

    def lost(self) -> None:
        """Nobody breaks its connection."""


class _Listener:
    """The role of a consumer on one connection."""

    peer: Peer

    def __init__(self, consumer: Consumer, subscribed: Callable[[], None], broken: Callable[[Consumer], None]) -> None:
        self._consumer, self._subscribed, self._broken = consumer, subscribed, broken
        self.came = consumer.came

    def ready(self) -> None:
        self._consumer.begin(self.peer, self._subscribed)

    def lost(self) -> None:
        self._broken(self._consumer)


def _nothing() -> None:
    """Nobody waits for it."""
