"""Plans carried out in simulated time: what stands in the history, and that it is the same each time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from mqctl.broker import Broker, LimitExceeded, Limits, Message
from mqctl.errors import ProtocolError
from mqctl.experiments.acknowledgement import CASES as ACK
from mqctl.experiments.events import (
    Acked,
    Confirmed,
    ConnectionLost,
    ConnectionResumed,
    Delivered,
    Event,
    FaultBegan,
    Foreign,
    Killed,
    Nacked,
    Publish,
    Subscribed,
    Unsubscribed,
)
from mqctl.experiments.history import encode
from mqctl.experiments.ordering import CASES as ORDERING
from mqctl.experiments.plan import Params
from mqctl.experiments.simulation.run import Simulation
from mqctl.experiments.simulation.scenario import Scenario
from mqctl.experiments.simulation.weather import drawn

CASES = {**ORDERING, **ACK}


def scenario(case: str, seed: int = 1, messages: int = 60, **more) -> Scenario:
    experiment = "ordering" if case in ORDERING else "ack"
    return Scenario(experiment=experiment, case=CASES[case], seed=seed, params=Params(messages=messages), **more)


def ran(case: str, seed: int = 1, **more) -> tuple[list[Event], Simulation]:
    _, simulation = scenario(case, seed, **more).begin()
    return list(simulation.events()), simulation


def of(kind: type, events: Sequence[Event]) -> list:
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("case", [name for name in CASES if not scenario(name).lacks])
def test_the_same_seed_gives_the_same_bytes(case):
    def history(seed: int) -> bytes:
        header, simulation = scenario(case, seed).begin()
        return encode(header, simulation.events())

    assert history(7) == history(7)
    assert history(7) != history(8)


def test_everybody_is_there_before_the_first_message_and_all_is_read_at_the_end():
    events, _ = ran("many-producers")
    first = next(i for i, event in enumerate(events) if isinstance(event, Publish))
    assert {event.consumer for event in of(Subscribed, events[:first])} == {"c1", "c2"}
    assert (len(of(Publish, events)), len(of(Confirmed, events)), len(of(Delivered, events))) == (60, 60, 120)
    assert events[-1].drained


def test_a_message_comes_after_it_was_sent_and_not_at_once():
    events, _ = ran("one-producer")
    sent = {event.n: event.sent_ns for event in of(Publish, events)}
    assert all(event.received_ns > sent[event.n] for event in of(Delivered, events))


def test_a_consumer_that_is_cut_off_comes_back_and_gets_what_it_had():
    events, simulation = ran("individual-cut")
    kinds = [type(event) for event in events]
    lost, fault, back = (kinds.index(kind) for kind in (ConnectionLost, FaultBegan, ConnectionResumed))
    assert lost < fault < back
    assert kinds.count(Subscribed) == 1
    again = {event.n for event in of(Delivered, events[back:]) if event.redelivered}
    assert again & {event.n for event in of(Delivered, events[:lost])}
    assert {event.n for event in of(Acked, events)} >= {event.n for event in of(Delivered, events)} - again
    assert simulation.doubts == []


def test_one_that_is_killed_has_an_heir():
    events, _ = ran("individual-killed")
    killed = next(i for i, event in enumerate(events) if isinstance(event, Killed))
    assert [event.consumer for event in of(Subscribed, events)] == ["c1", "c2"]
    assert {event.consumer for event in of(Delivered, events[killed:])} == {"c2"}
    assert not of(Unsubscribed, events)


def test_one_that_is_killed_alone_is_subscribed_no_more():
    case = scenario("individual-killed")
    plan = case.case.plan(case.params, case.ground, random.Random(1))
    events = list(Simulation(replace(plan, consumers=[replace(plan.consumers[0], group="")]), seed=1).events())
    assert [event.client for event in of(Killed, events)] == ["c1"]
    assert [event.consumer for event in of(Unsubscribed, events)] == ["c1"]


def test_what_is_refused_comes_again():
    events, _ = ran("nack")
    refused = [event.n for event in of(Nacked, events)]
    assert refused
    assert all(sum(event.n == n for event in of(Delivered, events)) >= 2 for n in refused)


def test_paced_messages_are_sent_when_they_are_due():
    events, _ = ran("one-producer", rate=100.0)
    sent = of(Publish, events)
    assert [event.n for event in sent] == list(range(1, 61))
    assert all(event.sent_ns == event.intended_ns for event in sent)
    turns = [later.intended_ns - earlier.intended_ns for earlier, later in pairwise(sent)]
    assert max(turns) < 20_000_000
    assert 580_000_000 < sent[-1].intended_ns - sent[0].intended_ns < 600_000_000


def test_a_slow_consumer_gets_all_the_same_and_the_hub_keeps_what_waits():
    most = []

    class Watched(Broker):
        def resume(self, session, now_ns):
            most.append(self.stats().waiting)
            return super().resume(session, now_ns)

    for seed in range(20):
        narrow = replace(drawn(random.Random(seed)), window_bytes=2048, slow_share=0.3, byte_max_ns=100_000)
        _, simulation = scenario("one-producer", seed, messages=400).begin(make_broker=Watched, weather=narrow)
        (lost,) = set(range(1, 401)) - {event.n for event in of(Delivered, list(simulation.events()))}
        assert [lost] == planted_drops(simulation)
        if max(most, default=0) > Limits().burst_messages:
            return
    pytest.fail("nothing waited long")


def planted_drops(simulation: Simulation) -> list[int]:
    return sorted(n for consumer in simulation._consumers for _, n in consumer.planter._dropped)


def altered(change):
    class Altering(Broker):
        def publish(self, session, message, now_ns):
            return super().publish(session, change(message), now_ns)

    return Altering


def test_what_was_changed_on_its_way_is_foreign():
    def spoil(message: Message) -> Message:
        message.payload = message.payload[:-1]
        return message

    _, simulation = scenario("one-producer").begin(make_broker=altered(spoil))
    events = list(simulation.events())
    assert (len(of(Foreign, events)), of(Delivered, events)) == (60, [])


def test_a_silent_consumer_is_not_in_the_history():
    case = scenario("one-producer")
    plan = case.case.plan(case.params, case.ground, random.Random(1))
    filler = replace(plan.consumers[0], name="filler", silent=True, places=())
    events = list(Simulation(replace(plan, consumers=[*plan.consumers, filler]), seed=1).events())
    assert {event.consumer for event in (*of(Subscribed, events), *of(Delivered, events))} == {"c1"}


@pytest.mark.parametrize("case", ["one-producer", "bayeux-default"])
def test_a_broker_that_refuses_ends_the_run(case):
    class Full(Broker):
        def publish(self, session, message, now_ns):
            raise LimitExceeded("backlog_messages", 1)

    _, simulation = scenario(case).begin(make_broker=Full)
    with pytest.raises(ProtocolError, match="the simulated hub refuses: "):
        list(simulation.events())


def test_a_broker_that_gives_nothing_leaves_doubts():
    class Deaf(Broker):
        def publish(self, session, message, now_ns):
            return []

    _, simulation = scenario("individual-cut").begin(make_broker=Deaf)
    assert list(simulation.events())[-1].drained
    assert simulation.doubts == [
        "2 faults found no place to be planted at c1 (drop, duplicate)",
        "c1 was not to be broken: too few messages came to it",
    ]


def test_what_takes_too_long_is_not_drained():
    events, simulation = ran("one-producer", rate=0.00001)
    assert not events[-1].drained
    assert simulation.doubts[-2:] == ["not everything that was sent was confirmed", "messages still came at the end"]
