"""A generator sends when it is due, though other threads of its process compute all the while."""

from __future__ import annotations

import contextlib
import gc
import random
import statistics
import sys
import threading
import time
from collections.abc import Iterator

from mqctl.experiments.events import Event, Publish
from mqctl.experiments.plan import ProducerPlan, Stream
from mqctl.laboratory.pace import punctual
from mqctl.laboratory.producer import Producer
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.sending import LATE_NS
from mqctl.model import Confirmation, Confirmed, Outgoing, Topic

RATE = 200
MESSAGES = 60
TRIES = 5
"""A busy machine may take that much away."""


class Settled:
    """What was published, and confirmed at once."""

    def done(self) -> bool:
        return True

    def outcome(self, patience_s: float) -> Confirmed:
        return Confirmed(Confirmation.BROKER)


class Nowhere:
    """A connection that takes everything and takes no time."""

    def submit(self, message: Outgoing) -> Settled:
        return Settled()


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """A thread that gives way only when it is told to."""
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def lateness_ns() -> float:
    """How late a message is sent at least, but for the luckiest quarter: others may have the machine for a while."""
    told: list[Event] = []
    stream = Stream(name="A", topic=Topic(levels=("pace",)))
    producer = Producer(
        ProducerPlan(name="A", streams=(stream,), count=MESSAGES),
        first=0,
        payload=lambda _mark: b"",
        put=told.append,
        every_ns=NS_PER_S / RATE,
        rng=random.Random(1),
    )
    producer.begin(Nowhere(), time.monotonic_ns())
    producer.join()
    assert producer.error is None
    sent = [event for event in told if isinstance(event, Publish)]
    assert len(sent) == MESSAGES
    return statistics.quantiles((event.sent_ns - event.intended_ns for event in sent), n=4)[0]


def test_who_computes_beside_it_makes_a_generator_late_unless_it_is_punctual():
    with computing():
        assert lateness_ns() > LATE_NS
        with punctual():
            assert any(lateness_ns() < LATE_NS for _ in range(TRIES))


def test_all_is_as_before_when_it_is_over():
    before_s, kept = sys.getswitchinterval(), gc.get_freeze_count()
    with contextlib.suppress(KeyError), punctual():
        assert sys.getswitchinterval() < before_s
        assert gc.get_freeze_count() > kept
        raise KeyError
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == (before_s, 0)
