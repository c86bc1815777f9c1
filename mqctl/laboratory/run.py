"""An experiment under way: everybody begins, connections are broken where the plan says, and all is read to the end."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

from mqctl.adapters.base import Adapter, Connection, EventSink
from mqctl.errors import ConnectionLost, MeasuredWrong, UsageError
from mqctl.experiments.events import BROKER, End, FaultBegan, FaultEnded, Killed, Unsubscribed
from mqctl.experiments.plan import Break, ConsumerPlan, Plan, Stream
from mqctl.experiments.planting import Planter
from mqctl.laboratory.consumer import SUBSCRIBE_TIMEOUT_S, Company, Consumer
from mqctl.laboratory.doubts import of_breaks, of_consumer
from mqctl.laboratory.pace import keep_to
from mqctl.laboratory.producer import Producer
from mqctl.laboratory.scribe import Scribe
from mqctl.laboratory.tally import Tally
from mqctl.laboratory.wiring import Armed, Wiring
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.stamp import PUBLISHERS_MAX, reader, writer
from mqctl.target import Target

POLL_S: Final = 0.02
"""How often a run looks after itself. What matters is stamped elsewhere."""

AHEAD_MAX: Final = 5000
"""So far producers without a rate may be ahead of who receives. Of more, brokers drop messages, or their sender."""

STALLED_S: Final = 1.0
"""Who got nothing for so long is not waited for: it may be that the plan wants it so."""

GRACE_S: Final = 0.2
"""Once all came, how long to look out for what comes twice."""

HEAD_START_S: Final = 0.05
HELD: Final = 5
"""Messages that each consumer is to hold when the broker is restarted."""
HELD_WITHIN_S: Final = 1.0

RESTART_TIMEOUT_S: Final = 120.0
_RESTART: Final = "restart"
"""The trouble, as the history names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a plan is carried out.

    Attributes:
        number: Of the run, stamped on its messages, so that those of others are known.
        name: Nobody else's, for sessions.
        seed: Of the pace.
        size: Of a message, in bytes.
        rate: Messages per second of all producers together; None is as fast as they are confirmed.
        quiet_s: Nothing came for so long: nothing more will.
        drain_s: How long to wait for that at most.
        timeout_s: How long all may take; None is for ever.
        restart: The command that restarts the broker.
    """

    number: int
    name: str
    seed: int = 0
    size: int = 128
    rate: float | None = None
    quiet_s: float = 2.0
    drain_s: float = 30.0
    timeout_s: float | None = None
    restart: str | None = None


class Progress(NamedTuple):
    """How far a run is."""

    attempted: int
    total: int
    came: int
    draining: bool


class Run:
    """One run of a plan.

    Attributes:
        doubts: Why what it shows may not be what it should: filled until the end.

    Args:
        plan: What to do.
        adapter: The transport.
        target: Where.
        terms: How.
        scribe: Writes the history.
        watch: Told how far it is, many times a second.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        adapter: Adapter,
        target: Target,
        terms: Terms,
        scribe: Scribe,
        watch: Callable[[Progress], None] = lambda _progress: None,
    ) -> None:
        self.doubts: list[str] = []
        self._plan, self._terms, self._scribe, self._watch = plan, terms, scribe, watch
        self._stack = contextlib.ExitStack()
        self._wiring = Wiring(adapter, target, self._stack, lasting=plan.restart_at is not None)
        streams = [stream for producer in plan.producers for stream in producer.streams]
        assert len(streams) <= PUBLISHERS_MAX
        self._producers = list(self._make_producers())
        self._consumers = list(self._make_consumers(streams))
        self._uncut = [producer for producer in self._producers if producer.plan.cut_at is not None]
        self._stalled: list[Consumer] = []
        self._restarted = plan.restart_at is None
        self._deadline = None if terms.timeout_s is None else time.monotonic() + terms.timeout_s

    def carry_out(self) -> None:
        """From the first connection to the last line of the history.

        Raises:
            MqctlError: Nobody is there, the broker refuses, a connection is lost that was not to be, the time is over.
        """
        with self._stack:
            try:
                self._begin()
                while not all(producer.done for producer in self._producers):
                    self._look_after()
                self._all_sent()
                drained = self._drain()
            finally:
                for producer in self._producers:
                    producer.end()
                for consumer in self._consumers:
                    consumer.settle()
                    consumer.end()
            self._scribe.put(End(time.monotonic_ns(), drained))
            self.doubts += self._doubts(drained)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(
            sum(producer.attempted for producer in self._producers),
            sum(producer.plan.count for producer in self._producers),
            sum(tally.came for tally in self._tallies),
            all(producer.done for producer in self._producers),
        )

    @property
    def knows_no_sharing(self) -> bool:
        """Whether a shared subscription got nothing at all of what was confirmed: its name was taken for a topic's."""
        shared = any(consumer.plan.shared for consumer in self._consumers)
        return shared and not any(tally.came for tally in self._tallies)

    @property
    def _tallies(self) -> Sequence[Tally]:
        loud = [consumer.tally for consumer in self._consumers if not consumer.plan.silent]
        return list({id(tally): tally for tally in loud}.values())

    def _make_producers(self) -> Iterator[Producer]:
        first = 0
        payload = writer(self._terms.number, self._terms.size)
        rate = self._terms.rate
        every_ns = None if rate is None else NS_PER_S * len(self._plan.producers) / rate
        for plan in self._plan.producers:
            rng = random.Random(f"{self._terms.seed} {plan.name}")  # noqa: S311 - a pace, no secrets
            yield Producer(plan, first=first, payload=payload, put=self._scribe.put, every_ns=every_ns, rng=rng)
            first += len(plan.streams)

    def _make_consumers(self, streams: Sequence[Stream]) -> Iterator[Consumer]:
        names = [stream.name for stream in streams]
        read = reader(self._terms.number, self._terms.size)
        tallies: dict[str, Tally] = {}
        dropped: dict[str, set[tuple[str, int]]] = {
            plan.group: set() for plan in self._plan.consumers if plan.group and plan.places
        }
        for plan in self._plan.consumers:
            tally = tallies.setdefault(plan.group or plan.name, Tally())
            yield Consumer(
                plan,
                names=names,
                read=read,
                put=self._scribe.put,
                tally=tally,
                planter=Planter(plan.places, dropped.get(plan.group)),
            )

    def _begin(self) -> None:
        for consumer in self._consumers:
            if consumer.plan.late:
                self._announce(consumer)
            elif not consumer.plan.heir and not consumer.plan.beside:
                self._admit(consumer)
        connections = [self._wiring.open_for(producer.plan, producer) for producer in self._producers]
        start_ns = time.monotonic_ns() + round(HEAD_START_S * NS_PER_S)
        for producer, connection in zip(self._producers, connections, strict=True):
            producer.begin(connection, start_ns)

    def _admit(self, consumer: Consumer) -> None:
        plan = consumer.plan
        members = [consumer, *(each for each in self._consumers if each.plan.beside == plan.name)]
        # Who is alone may get messages before it knows by which subscription.
        sink = Company(members) if len(members) > 1 else consumer
        connection = self._open(plan, sink)
        for member in members:
            member.begin(connection)

    def _open(self, plan: ConsumerPlan, sink: EventSink) -> Connection:
        return self._wiring.open(plan.name, sink, plan, f"{self._terms.name}.{plan.owner}")

    def _announce(self, consumer: Consumer) -> None:
        """From now on messages are for it, though it is away. Whom the broker is to remember must have been there."""
        consumer.announce()
        if consumer.plan.session or consumer.plan.durable:
            with self._open(consumer.plan, _ignore) as connection:
                connection.subscribe(consumer.spec, timeout_s=SUBSCRIBE_TIMEOUT_S)
        consumer.leave()

    def _look_after(self) -> None:
        """Let a moment pass, and do what is due.

        Raises:
            MqctlError: As `carry_out`.
        """
        time.sleep(POLL_S)
        self._watch(self.progress)
        self._hold_back()
        for armed in [each for each in self._wiring.armed if each.fired.is_set()]:
            self._wiring.armed.remove(armed)
            self._broken(armed)
        for producer in [each for each in self._uncut if each.attempted >= (each.plan.cut_at or 0)]:
            self._uncut.remove(producer)
            self._cut(producer)
        for consumer in [each for each in self._stalled if not each.away]:
            self._stalled.remove(consumer)
            self._scribe.put(FaultEnded(Break.STALL, time.monotonic_ns(), consumer.plan.name))
        if not self._restarted and self.progress.attempted >= (self._plan.restart_at or 0):
            self._restarted = True
            self._restart()
        self._raise_what_went_wrong()

    def _hold_back(self) -> None:
        """Keep producers without a rate from running away from who receives. A rate is kept, whatever comes of it."""
        if self._terms.rate is not None:
            return
        sent = {stream: count for producer in self._producers for stream, count in producer.sent()}
        since_ns = time.monotonic_ns() - round(STALLED_S * NS_PER_S)
        ahead = any(tally.lag(sent) > AHEAD_MAX for tally in self._tallies if tally.latest_ns > since_ns)
        for producer in self._producers:
            producer.held = ahead

    def _raise_what_went_wrong(self) -> None:
        if self._scribe.error is not None:
            raise MeasuredWrong(f"the history could not be written: {self._scribe.error.strerror}")
        for each in self._producers:
            if each.error is not None:
                raise each.error
        stayers = [consumer for consumer in self._consumers if not consumer.doomed]
        clients: Sequence[Producer | Consumer] = (*self._producers, *stayers)
        for client in clients:
            if client.lost is not None:
                raise ConnectionLost(f"{client.plan.name} lost its connection: {client.lost}")
        keep_to(self._deadline)

    def _broken(self, armed: Armed) -> None:
        consumer = next(each for each in self._consumers if each.plan.name == armed.client)
        now_ns = time.monotonic_ns()
        match armed.trouble.how:
            case Break.CUT:
                self._scribe.put(FaultBegan(Break.CUT, now_ns, armed.client))
                self._scribe.put(FaultEnded(Break.CUT, now_ns, armed.client))
            case Break.STALL:
                self._scribe.put(FaultBegan(Break.STALL, now_ns, armed.client))
                # Nobody told it yet, but nothing comes to it until heart-beats did.
                consumer.away = True
                self._stalled.append(consumer)
            case Break.KILL:
                self._killed(consumer, now_ns)
            case _:
                assert_never(armed.trouble.how)

    def _killed(self, consumer: Consumer, now_ns: int) -> None:
        self._scribe.put(Killed(consumer.plan.name, now_ns))
        heirs = [each for each in self._consumers if each.plan.heir and each.plan.group == consumer.plan.group]
        if not consumer.plan.group:
            self._scribe.put(Unsubscribed(consumer.plan.name, now_ns))
        for heir in heirs[:1]:
            self._admit(heir)

    def _cut(self, producer: Producer) -> None:
        self._scribe.put(FaultBegan(Break.CUT, time.monotonic_ns(), producer.plan.name))
        self._wiring.cut(producer.plan.name)
        self._scribe.put(FaultEnded(Break.CUT, time.monotonic_ns(), producer.plan.name))

    def _withhold(self) -> None:
        """Let consumers acknowledge nothing, and hold something."""
        wanted = {consumer.tally: consumer.tally.came + HELD for consumer in self._consumers}
        for consumer in self._consumers:
            consumer.withhold()
        until = time.monotonic() + HELD_WITHIN_S
        while time.monotonic() < until and any(tally.came < came for tally, came in wanted.items()):
            time.sleep(POLL_S)

    def _restart(self) -> None:
        assert self._terms.restart is not None
        # It still takes acknowledgements when the command begins; clients tell when they lost their connections.
        self._withhold()
        self._scribe.put(FaultBegan(_RESTART, time.monotonic_ns(), BROKER))
        # The user's own command line, for the user's own shell.
        done = subprocess.run(self._terms.restart, shell=True, timeout=RESTART_TIMEOUT_S, check=False)  # noqa: S602
        if done.returncode:
            raise UsageError(f"the command that restarts the broker ended with {done.returncode}")
        self._scribe.put(FaultEnded(_RESTART, time.monotonic_ns(), BROKER))
        for consumer in self._consumers:
            # Who is away acknowledges again when it is back.
            if not consumer.away:
                consumer.relent()

    def _all_sent(self) -> None:
        """Let those come, or acknowledge, that waited for it."""
        for consumer in self._consumers:
            if consumer.plan.late:
                self._admit(consumer)
            elif consumer.plan.trouble is None:
                consumer.relent()

    def _drain(self) -> bool:
        """Read until nothing more comes; whether that was reached."""
        began_ns = time.monotonic_ns()
        quiet_ns, drain_ns = round(self._terms.quiet_s * NS_PER_S), round(self._terms.drain_s * NS_PER_S)
        grace_ns = quiet_ns if self._plan.gives_back else min(quiet_ns, round(GRACE_S * NS_PER_S))
        while True:
            now_ns = time.monotonic_ns()
            silent_ns = now_ns - max(began_ns, *(tally.latest_ns for tally in self._tallies))
            all_here = not any(consumer.away for consumer in self._consumers)
            if all_here and (silent_ns >= quiet_ns or (silent_ns >= grace_ns and self._all_came())):
                return True
            if now_ns - began_ns > drain_ns:
                return False
            self._look_after()

    def _all_came(self) -> bool:
        return not any(
            tally.lacks(producer.first + index, numbers)
            for tally in self._tallies
            for producer in self._producers
            for kind in (producer.confirmed, producer.handed_over)
            for index, numbers in enumerate(kind)
        )

    def _doubts(self, drained: bool) -> Iterator[str]:
        for consumer in self._consumers:
            yield from of_consumer(consumer)
        yield from of_breaks(self._wiring.armed, self._producers, self._uncut)
        if not self._restarted:
            yield "the broker was not restarted: the run was over before"
        away = [consumer.plan.name for consumer in self._consumers if consumer.away]
        if away:
            yield f"{', '.join(away)} did not find back to the broker"
        elif not drained:
            yield f"messages still came {self._terms.drain_s:g} s after the last was sent"


def _ignore(_events: Sequence[object]) -> None:
    """The sink of who only leaves its name with the broker."""
