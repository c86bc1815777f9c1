"""A subscriber of Bayeux that is cut off in the middle of a stream, and goes on: with what it saved, or without.

What `mqctl tail --resume` saves is the session's name and what was acknowledged of it. With that, the server sends what
it kept meanwhile; without, a new session begins where the stream is by then.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from mqctl.adapters.base import Adapter, Connection
from mqctl.adapters.bayeux import BayeuxAdapter
from mqctl.adapters.bayeux_file import SessionFile
from mqctl.adapters.bayeux_kept import Kept
from mqctl.errors import OperationTimeout, UnsupportedError
from mqctl.experiments.answers import Property
from mqctl.experiments.events import ConnectionResumed, End, Fault
from mqctl.experiments.plan import ConsumerPlan, ProducerPlan
from mqctl.experiments.plan import Stream as Sending
from mqctl.experiments.planting import Place as Planting
from mqctl.experiments.planting import Planter
from mqctl.faults.link import Link
from mqctl.laboratory.consumer import Consumer
from mqctl.laboratory.outcome import Outcome
from mqctl.laboratory.pace import keep_to
from mqctl.laboratory.producer import Producer
from mqctl.laboratory.run import GRACE_S, POLL_S
from mqctl.laboratory.steps import PRODUCER, Findings, Record, header, recorded
from mqctl.laboratory.tally import Tally
from mqctl.laboratory.trial import Place
from mqctl.measurement.load import NS_PER_S
from mqctl.model import AckMode
from mqctl.target import Target, is_encrypted
from mqctl.topics import to_bayeux_patterns

LEAVES_AT: Final = 0.3
BACK_AT: Final = 0.7
"""Of the messages, when the subscriber is cut off and when it comes back."""

PATIENCE_S: Final = 30.0
"""How long nothing may happen that should."""

QUIET_S: Final = 2.0
"""Nothing came for so long, though something is missing: nothing more will."""

NAME: Final = "c1"


class _Course(NamedTuple):
    """What was done to the subscriber.

    Attributes:
        missed: How many messages were published and confirmed while nobody listened.
        away_s: How long that was.
        session: Whether the server resumed it, or made a new one.
    """

    missed: int
    away_s: float
    session: str


class _Subscriber:
    """One in the history, and two processes' worth of connections.

    Args:
        record: Of the run.
        target: The server, by a link.
        link: To be cut.
        home: Where the state is saved.
        state: Whether it is used.
        planter: Spoils the record.
    """

    def __init__(
        self, record: Record, target: Target, link: Link, home: Path, planter: Planter, *, state: bool
    ) -> None:
        self.tally = Tally()
        self.greetings: list[str] = []
        self._record, self._target, self._link, self._planter = record, target, link, planter
        self._file, self._state = home / "session", state

    @contextmanager
    def connected(self) -> Iterator[Consumer]:
        """Listen, by a connection and a transport that know only what was saved."""
        with contextlib.ExitStack() as stack:
            adapter, finish = self._adapter(stack)
            consumer = Consumer(
                ConsumerPlan(
                    name=NAME, topic=self._record.topic, ack=AckMode.INDIVIDUAL if self._state else AckMode.AUTO
                ),
                names=[PRODUCER],
                read=self._record.read,
                put=self._record.put,
                tally=self.tally,
                planter=self._planter,
            )
            stack.callback(finish)
            connection = stack.enter_context(adapter.connect(self._target, sink=consumer))
            stack.callback(consumer.end)
            self.greetings.append(connection.greeting.detail.get("session", "new"))
            consumer.begin(connection)
            yield consumer

    def _adapter(self, stack: contextlib.ExitStack) -> tuple[Adapter, Callable[[], object]]:
        if not self._state:
            return BayeuxAdapter(), lambda: None
        file = stack.enter_context(SessionFile(self._file))
        kept = Kept(file, self._target, to_bayeux_patterns(self._record.topic))
        return BayeuxAdapter(kept), kept.finish

    def vanish(self, consumer: Consumer) -> None:
        """Reset the connection, and be nowhere."""
        self._link.refuse()
        self._link.cut()
        _until(self._record, lambda: consumer.lost is not None, "the cut was not noticed")

    def come_back(self) -> None:
        """Be reachable again."""
        self._link.accept()


def why_not(target: Target) -> str:
    """Why it cannot be tried at a target; "" where it can."""
    if is_encrypted(target.scheme):
        return "a certificate is not valid for the relay that cuts, so the connection must be one without TLS"
    if target.scheme.endswith("+sse"):
        return "what comes by server-sent events is not acknowledged, so their sessions cannot be kept"
    return ""


def resume(place: Place, *, state: bool, messages: int, rate: float, seed: int) -> Outcome:
    """Cut a subscriber off, and let it go on.

    Args:
        place: Where.
        state: Whether with what it saved.
        messages: How many are published.
        rate: How many a second.
        seed: Of the place of the fault.

    Raises:
        MqctlError: The server cannot be reached, refuses, or does nothing for long.
    """
    case = "with-state" if state else "without-state"
    if why := why_not(place.target):
        return Outcome(case=case, seed=seed, unsupported=why)
    expect = (Property.FIFO, Property.NO_STRANGERS, *((Property.NO_LOSS,) if state else ()))
    first = header(place, case, "ack" if state else "plain", seed, expect)
    try:
        with recorded(place, case, seed, first) as record:
            course = _run(record, place, messages, rate, state=state)
    except UnsupportedError as error:
        return Outcome(case=case, seed=seed, unsupported=str(error))
    return _judge(record, course, state=state)


def _run(record: Record, place: Place, messages: int, rate: float, *, state: bool) -> _Course:
    sending = ProducerPlan(name=PRODUCER, streams=(Sending(name=PRODUCER, topic=record.topic),), count=messages)
    rng = random.Random(record.seed)  # noqa: S311 - a pace and a place, no secrets
    planter = Planter([Planting(rng.randint(messages // 10, messages // 5), Fault.DROP)])
    producer = Producer(sending, first=0, payload=record.payload, put=record.put, every_ns=NS_PER_S / rate, rng=rng)
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="mqctl-laboratory-")))
        link = stack.enter_context(Link(place.target.endpoints[0]))
        target = replace(place.target, endpoints=(link.endpoint,))
        subscriber = _Subscriber(record, target, link, home, planter, state=state)
        publisher: Connection = stack.enter_context(place.adapter.connect(place.target, sink=producer))
        stack.callback(producer.end)
        with subscriber.connected() as consumer:
            producer.begin(publisher, time.monotonic_ns())
            _until(record, lambda: subscriber.tally.came >= messages * LEAVES_AT, "the messages do not come")
            subscriber.vanish(consumer)
        before, since_ns = producer.confirmed[0].count(), time.monotonic_ns()
        _until(record, lambda: producer.attempted >= messages * BACK_AT, "the publisher is stuck")
        missed = producer.confirmed[0].count() - before
        subscriber.come_back()
        with subscriber.connected() as consumer:
            now_ns = time.monotonic_ns()
            record.put(ConnectionResumed(NAME, now_ns))
            _until(record, lambda: producer.done, "the publisher is stuck")
            done_ns = time.monotonic_ns()
            _until(record, lambda: _is_over(subscriber.tally, producer, done_ns), "messages still come")
            consumer.settle()
        record.put(End(time.monotonic_ns(), drained=True))
        return _Course(missed, (now_ns - since_ns) / NS_PER_S, subscriber.greetings[-1])


def _is_over(tally: Tally, producer: Producer, done_ns: int) -> bool:
    """Whether nothing more will come. What came last may be of before the cut."""
    silent_ns = time.monotonic_ns() - max(tally.latest_ns, done_ns)
    enough_s = QUIET_S if tally.lacks(0, producer.confirmed[0]) else GRACE_S
    return silent_ns > enough_s * NS_PER_S


def _until(record: Record, there: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not there():
        keep_to(record.deadline)
        if time.monotonic() > deadline:
            raise OperationTimeout(f"{otherwise}: nothing happened for {PATIENCE_S:g} s")
        time.sleep(POLL_S)


def _judge(record: Record, course: _Course, *, state: bool) -> Outcome:
    missed, away_s, session = course
    findings = Findings(record)
    loss = findings.answer(Property.NO_LOSS)
    twice = findings.answer(Property.NO_DUPLICATES)
    findings.unseen(Property.NO_LOSS)
    if not missed:
        findings.doubts.append("nothing was published while the subscriber was away")
    if state and session != "resumed":
        findings.wrong.append(f"after {away_s:.1f} s the server did not know the session any more")
    if not state and loss.violations < missed:
        findings.doubts.append(
            f"{missed:,} messages were published while nobody listened, and only {loss.violations:,} of them lost"
        )
    return findings.outcome(
        expected="nothing is lost" if state else f"what was published meanwhile is lost: {missed:,} messages at least",
        observed=(
            f"{loss.violations:,} of {loss.chances:,} lost, {missed:,} published meanwhile, "
            f"{twice.violations:,} came again; the session was {session}"
        ),
        notes=() if state else findings.witnesses(Property.NO_LOSS),
        lost=loss.violations,
        planted=loss.planted,
        found=loss.found,
        published_meanwhile=missed,
        duplicated=twice.violations,
        away_s=away_s,
        session=session,
    )
