"""Plans: every case has one wherever it can be done, and says why where it cannot."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from mqctl.experiments import acknowledgement, cases, keeping, ordering, refusing
from mqctl.experiments.answers import Property
from mqctl.experiments.events import Fault
from mqctl.experiments.plan import Break, Ground, Params, ProducerPlan, Stream
from mqctl.measurement.stamp import PUBLISHERS_MAX
from mqctl.model import AckMode, Dialect, Topic
from mqctl.protocols.bayeux.spec import Delivery

PARAMS = Params(messages=400)
CASES = {**ordering.CASES, **acknowledgement.CASES}
FEATURES = {"mqtt": frozenset({"shared"}), "stomp": frozenset({"durable", "transactions"})}


def ground(protocol: str = "stomp", dialect: Dialect | None = Dialect.HUB, **changes) -> Ground:
    facts = {
        "broker": "it",
        "features": FEATURES.get(protocol, frozenset()),
        "unbreakable": "",
        "restartable": True,
        "name": "a.b",
        **changes,
    }
    return Ground(protocol=protocol, dialect=dialect, **facts)


GROUNDS = [
    *(ground("stomp", dialect) for dialect in (Dialect.CLASSIC, Dialect.ARTEMIS, Dialect.RABBITMQ, Dialect.HUB)),
    ground("mqtt", Dialect.MOSQUITTO),
    ground("bayeux", None),
]


def plan_of(name: str, params: Params = PARAMS, where: Ground | None = None):
    case = CASES[name]
    where = where or next(each for each in GROUNDS if not case.lacks(params, each))
    return case.plan(params, where, random.Random(1))


@pytest.mark.parametrize("name", CASES)
def test_each_case_has_a_plan_somewhere(name):
    params = Params(messages=400, queue=Topic(native="/queue/mine"))
    plans = [plan_of(name, params, where) for where in GROUNDS if not CASES[name].lacks(params, where)]
    assert plans
    for plan in plans:
        assert plan.name == name
        assert sum(producer.count for producer in plan.producers) == params.messages
        assert plan.expect
        clients = [each.name for each in (*plan.producers, *plan.consumers)]
        assert max(Counter(clients).values()) == 1


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_judged_without_its_control(name):
    """Where a fault can be planted of a kind that is judged, one is."""
    plan = plan_of(name, Params(messages=400, queue=Topic(native="/queue/mine")))
    wanted = {control.fault for about, control in cases.CONTROLS.items() if about in plan.expect}
    assert wanted <= {place.fault for consumer in plan.consumers for place in consumer.places}


@pytest.mark.parametrize("name", CASES)
def test_the_same_seed_gives_the_same_plan(name):
    params = Params(messages=400, queue=Topic(native="/queue/mine"))
    assert plan_of(name, params) == plan_of(name, params)


@pytest.mark.parametrize(
    ("name", "where", "why"),
    [
        ("strict-dispatch", ground(), "ActiveMQ Classic's dispatch policies"),
        ("message-groups", ground("mqtt", Dialect.CLASSIC), "message groups"),
        ("redelivery", ground("mqtt"), "it is about queues, and MQTT has none"),
        ("redelivery", ground(unbreakable="no network"), "no network"),
        ("competing", ground("bayeux", None), "neither queues nor shared"),
        ("mqtt-inflight-1", ground(), "it is about MQTT"),
        ("bayeux-default", ground(), "it is about Bayeux"),
        ("single-active-consumer", ground("stomp", Dialect.RABBITMQ), "--queue"),
        ("single-active-consumer", ground(), "RabbitMQ's"),
        ("auto-cut", ground("mqtt"), "it is about STOMP"),
        ("auto-cut", ground(unbreakable="no network"), "no network"),
        ("auto-restart", ground(restartable=False), "--restart-command"),
        ("nack", ground("mqtt"), "cannot refuse"),
        ("nack", ground("stomp", None), "--dialect"),
        ("client-scope", ground("mqtt"), "it is about STOMP"),
        ("client-scope", ground("stomp", None), "--dialect"),
        ("client-scope", ground("stomp", Dialect.RABBITMQ), "covers all subscriptions"),
        ("client-scope", ground(simulated=True), "not simulated"),
        ("slow", ground("mqtt"), "it is about STOMP"),
        ("slow", ground("stomp", Dialect.ARTEMIS), "counts the bytes"),
        ("slow", ground(simulated=True), "not simulated"),
        ("nack-client", ground("mqtt"), "cannot refuse"),
        ("nack-client", ground(simulated=True), "not simulated"),
        ("topic-slow", ground("mqtt"), "it is about STOMP"),
        ("durable-replay", ground("mqtt"), "MQTT has no durable subscriptions"),
        ("durable-replay", ground(simulated=True), "not simulated"),
        ("subscribe-later", ground("bayeux", None), "it is about STOMP"),
        ("subscribe-later", ground(simulated=True), "not simulated"),
        ("subscribe-later-bare", ground("stomp", Dialect.CLASSIC), "Artemis' addresses"),
        ("qos1-session-away", ground(), "it is about MQTT"),
        ("ack-extension-stall", ground("bayeux", None, simulated=True), "not simulated"),
    ],
)
def test_what_cannot_be_done_says_why(name, where, why):
    assert why in CASES[name].lacks(PARAMS, where)


@pytest.mark.parametrize("name", CASES)
def test_what_is_known_is_told(name):
    """In words, of all cases whose properties do not say all."""
    where = next(each for each in GROUNDS if not CASES[name].lacks(Params(queue=Topic(native="/queue/mine")), each))
    told, plain = CASES[name].expected(where), name.removesuffix("-transacted")
    assert bool(told) == (
        name in acknowledgement.CASES
        or plain in {"many-producers", "strict-dispatch", "virtual-topic", "message-groups", "durable-replay"}
    )


@pytest.mark.parametrize("dialect", [*Dialect, None])
def test_one_order_is_judged_where_it_is_known(dialect):
    where = ground("stomp", dialect)
    plan = plan_of("many-producers", where=where)
    assert (Property.AGREEMENT in plan.expect) == (dialect in ordering.ONE_ORDER)
    assert cases.CONTROLS[Property.AGREEMENT]._replace(at=0) in {
        place._replace(at=0) for place in plan.consumers[0].places
    }


def test_the_user_says_what_is_expected():
    plan = plan_of("one-producer", Params(messages=400, expect=(Property.NO_LOSS,)))
    assert plan.expect == (Property.NO_LOSS,)
    assert [place.fault for place in plan.consumers[0].places] == [Fault.DROP]


def test_how_a_session_of_bayeux_gets_messages_is_all_that_differs():
    names = ("bayeux-default", "bayeux-deliver-only", "bayeux-acknowledged")
    plans = [plan_of(name, where=ground("bayeux", None)) for name in names]
    assert [consumer.delivery for plan in plans for consumer in plan.consumers] == list(Delivery)
    plain = [replace(plan.consumers[0], delivery=None) for plan in plans]
    assert plain[0] == plain[1] == plain[2]


def test_at_a_pace_latency_is_judged():
    assert Property.LATENCY in plan_of("one-producer", Params(messages=400, timed=True)).expect
    assert plan_of("bayeux-default").rate == cases.PACE


def test_producers_and_consumers_as_asked():
    plan = plan_of("many-producers", Params(messages=401, producers=3, consumers=5))
    assert [producer.count for producer in plan.producers] == [161, 120, 120]
    assert [consumer.name for consumer in plan.consumers] == ["c1", "c2", "c3", "c4", "c5"]
    assert cases.letters(27)[::26] == ["P1", "P27"]


def test_fillers_stand_between_those_that_are_compared():
    plan = plan_of("strict-dispatch", Params(messages=400, fillers=3))
    assert [consumer.silent for consumer in plan.consumers] == [False, True, True, True, False]


def test_places_are_fresh_unless_the_user_names_them():
    mine = Params(topic=Topic(native="/x"), queue=Topic(native="/queue/y"))
    assert (ground().topic(PARAMS), ground().queue(PARAMS)) == (Topic(levels=("a", "b")), Topic(native="/queue/a.b"))
    assert (ground().topic(mine), ground().queue(mine)) == (mine.topic, mine.queue)


def test_bursts():
    streams = [Stream(name=name, topic=Topic(levels=("t",))) for name in "ab"]
    producer = ProducerPlan(name="A", streams=streams, count=7, burst=2)
    assert [producer.message(turn) for turn in range(7)] == [(0, 1), (0, 2), (1, 1), (1, 2), (0, 3), (0, 4), (1, 3)]


def test_what_breaks_and_what_comes_again():
    assert not plan_of("one-producer").gives_back
    assert plan_of("redelivery").breaks
    assert plan_of("auto-restart").breaks
    assert not plan_of("nack").breaks
    assert plan_of("nack").gives_back


def test_a_publisher_that_is_cut_off_is_not_simulated():
    plan = plan_of("publish-cut")
    assert plan.breaks
    assert max(place.at for place in plan.consumers[0].places) < plan.producers[0].cut_at < PARAMS.messages
    assert "not simulated" in CASES["publish-cut"].lacks(PARAMS, ground(simulated=True))


def test_what_is_acknowledged_into_the_silence_is_not_known_to_be_held():
    plan = plan_of("individual-stall")
    assert plan.consumers[0].trouble.how is Break.STALL
    assert Property.NO_LOSS in plan.expect
    assert Property.REDELIVERY not in plan.expect
    assert "not simulated" in CASES["individual-stall"].lacks(PARAMS, ground(simulated=True))


def test_what_another_subscription_held_comes_again():
    plan = plan_of("client-scope")
    assert Property.REDELIVERY in plan.expect
    assert [(consumer.beside, consumer.withholds) for consumer in plan.consumers] == [("", True), ("held", False)]
    assert [stream.label for stream in plan.producers[0].streams] == [each.label for each in plan.consumers]


def test_who_is_killed_has_an_heir():
    plan = plan_of("individual-killed")
    killed, heir = plan.consumers
    assert (killed.trouble.how, heir.heir, heir.trouble) == (Break.KILL, True, None)
    assert killed.group == heir.group != ""


def test_what_is_lost_is_looked_for_even_where_it_may_be():
    (consumer,) = plan_of("auto-cut").consumers
    assert {place.fault for place in consumer.places} == {Fault.DROP, Fault.DUPLICATE}


@pytest.mark.parametrize(("name", "nacks"), [("nack", refusing.NACKS), ("nack-client", refusing.CLIENT_NACKS)])
@pytest.mark.parametrize("dialect", refusing.NACKS)
def test_a_refused_message_comes_again_where_it_is_known_to(name, nacks, dialect):
    where = ground("stomp", dialect)
    plan = plan_of(name, where=where)
    returns = nacks[dialect].returns
    (consumer,) = plan.consumers
    assert consumer.nack_returns == returns
    assert consumer.nack_covers == (returns and name == "nack-client")
    assert (Property.REDELIVERY in plan.expect) == returns
    assert nacks[dialect].text in CASES[name].expected(where)


@pytest.mark.parametrize(
    ("name", "where", "messages", "judged"),
    [
        ("qos1-session-away", ground("mqtt", Dialect.MOSQUITTO), 1000, True),
        ("qos1-session-away", ground("mqtt", Dialect.MOSQUITTO), 1001, False),
        ("qos1-session-away", ground("mqtt", Dialect.RABBITMQ), 5000, True),
        ("qos1-session-away", ground("mqtt", None), 1000, True),
        ("qos1-session-away", ground("mqtt", None), 1001, False),
        ("topic-slow", ground("stomp", Dialect.CLASSIC), 5000, False),
        ("topic-slow", ground(), 5000, True),
        ("topic-slow", ground("stomp", None), 1001, False),
        ("subscribe-later", ground("stomp", None), 5000, True),
        ("subscribe-later-bare", ground("stomp", Dialect.ARTEMIS), 400, False),
    ],
)
def test_loss_is_judged_where_there_is_room_for_all(name, where, messages, judged):
    plan = plan_of(name, Params(messages=messages), where)
    assert (Property.NO_LOSS in plan.expect) == judged
    # It must have been found out all the same, among those that come for sure.
    places = plan.consumers[0].places
    assert Fault.DROP in {place.fault for place in places}
    assert max(place.at for place in places) < min(messages, keeping.KEPT_MIN)


def test_what_is_not_known_of_a_broker_is_said_so():
    assert "as far as was seen" in CASES["qos1-session-away"].expected(ground("mqtt", None))


def test_who_was_away_is_compared_with_who_was_there():
    plan = plan_of("durable-replay", Params(messages=400, consumers=5))
    assert [(each.durable, each.late) for each in plan.consumers] == [(False, False), (True, True)]
    assert all(each.persistent for each in plan.producers)
    assert Property.AGREEMENT in plan.expect


def test_those_who_are_late():
    assert [each.late for each in plan_of("subscribe-later-bare").consumers] == [False, True]
    (away,) = plan_of("qos1-session-away").consumers
    assert (away.late, away.session, away.owner) == (True, True, "c1")


@pytest.mark.parametrize("name", ["qos1-session-killed", "qos2-session-killed"])
def test_who_follows_takes_the_session_over(name):
    killed, heir = plan_of(name).consumers
    assert killed.session
    assert killed.owner == heir.owner == killed.group
    assert Property.NO_LOSS in plan_of(name).expect


def test_a_session_of_bayeux_ends_with_its_client():
    assert Property.NO_LOSS not in plan_of("ack-extension-killed").expect
    assert Property.NO_LOSS in plan_of("ack-extension-stall").expect


def test_the_hub_keeps_nothing_over_its_end():
    case = CASES["individual-restart"]
    assert Property.NO_LOSS not in plan_of("individual-restart", where=ground()).expect
    assert "keeps nothing" in case.expected(ground())
    classic = ground("stomp", Dialect.CLASSIC)
    assert Property.NO_LOSS in plan_of("individual-restart", where=classic).expect
    assert "loses nothing" in case.expected(classic)
    assert case.plan(PARAMS, classic, random.Random(1)).restart_at is not None


def test_publishers_are_confirmed_whatever_consumers_ask_for():
    assert [plan_of(name).producers[0].qos for name in ("qos0-cut", "qos2-session-cut", "auto-cut")] == [1, 2, None]


def test_artemis_is_asked_for_no_prefetch():
    assert plan_of("redelivery", where=ground("stomp", Dialect.ARTEMIS)).consumers[0].prefetch is None
    assert plan_of("redelivery").consumers[0].ack is AckMode.INDIVIDUAL
    assert ordering.CASES["one-producer"].expected(ground()) == ""


@pytest.mark.parametrize(
    ("groups", "producers", "streams"),
    [(20, 2, [10, 10]), (50, 3, [17, 17, 16]), (1, 2, [1, 1]), (5000, 2, [2500] * 2)],
)
def test_groups_are_shared_out(groups, producers, streams):
    plan = plan_of("message-groups", Params(messages=400, groups=groups, producers=producers))
    assert [len(producer.streams) for producer in plan.producers] == streams
    names = [stream.name for producer in plan.producers for stream in producer.streams]
    assert len(set(names)) == len(names) <= PUBLISHERS_MAX


@pytest.mark.parametrize(
    ("dialect", "groups", "judged"),
    [(Dialect.CLASSIC, 1024, True), (Dialect.CLASSIC, 1025, False), (Dialect.ARTEMIS, 5000, True)],
)
def test_that_groups_stay_is_judged_where_they_are_remembered(dialect, groups, judged):
    plan = plan_of("message-groups", Params(messages=400, groups=groups), ground("stomp", dialect))
    assert (Property.STICKY in plan.expect) == judged
    strays = [place for place in plan.consumers[0].places if place.fault is Fault.STRAY]
    assert [place.to for place in strays] == ["c2"]


def test_one_consumer_alone_splits_no_group():
    (consumer,) = plan_of("message-groups", Params(messages=400, consumers=1)).consumers
    assert Fault.STRAY not in {place.fault for place in consumer.places}
