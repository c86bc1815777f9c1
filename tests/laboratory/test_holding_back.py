"""Producers without a rate wait for who receives, and for nobody else."""

from __future__ import annotations

import random
import threading
import time

from mqctl.experiments.events import Event, Publish
from mqctl.experiments.plan import ProducerPlan, Stream
from mqctl.laboratory.producer import Producer
from mqctl.laboratory.tally import Tally
from mqctl.model import Topic
from tests.laboratory.test_pace import Nowhere

MESSAGES = 50
HELD_AT = 20
LONG_ENOUGH_S = 0.3


def test_a_tally_tells_how_far_it_is_behind():
    tally = Tally()
    assert tally.lag({0: 10, 1: 10}) == 0, "nothing came of them: they may not be for it"
    for n in (0, 1, 1):
        tally.add(1, n, time.monotonic_ns())
    assert tally.lag({0: 10, 1: 10}) == 8
    assert tally.lag({0: 10, 1: 1}) == 0


def test_a_producer_that_is_held_sends_when_it_is_let_go():
    beyond = threading.Event()
    sent: list[Event] = []

    def put(event: Event) -> None:
        sent.append(event)
        if isinstance(event, Publish) and event.n == HELD_AT:
            producer.held = True
        if isinstance(event, Publish) and event.n > HELD_AT:
            beyond.set()

    stream = Stream(name="A", topic=Topic(levels=("held",)))
    plan = ProducerPlan(name="A", streams=(stream,), count=MESSAGES)
    rng = random.Random(1)
    producer = Producer(plan, first=0, payload=lambda _mark: b"", put=put, every_ns=None, rng=rng)
    producer.begin(Nowhere(), time.monotonic_ns())
    assert not beyond.wait(LONG_ENOUGH_S)
    assert not producer.done
    producer.held = False
    producer.join()
    assert producer.error is None
    assert [number for number, _ in producer.sent()] == [0]
    assert [count for _, count in producer.sent()] == [MESSAGES]
