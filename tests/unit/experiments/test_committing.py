"""Plans of what is committed: each message alone, and acknowledgements that are aborted in between."""

from __future__ import annotations

import random

import pytest

from mqctl.experiments import acknowledgement, committing, ordering
from mqctl.experiments.answers import Property
from mqctl.experiments.plan import Ground, Params, Plan
from mqctl.model import Dialect

PLAIN = ["many-producers", "strict-dispatch"]
CASES = {**ordering.CASES, **acknowledgement.CASES}


def ground(dialect: Dialect | None = Dialect.CLASSIC, **changes) -> Ground:
    facts = {
        "protocol": "stomp",
        "broker": "it",
        "features": frozenset({"transactions"}),
        "unbreakable": "",
        "restartable": True,
        "name": "a.b",
        **changes,
    }
    return Ground(dialect=dialect, **facts)


def plan_of(name: str, where: Ground, **params) -> Plan:
    return CASES[name].plan(Params(**params), where, random.Random(1))


@pytest.mark.parametrize("name", PLAIN)
def test_each_message_is_committed_alone_and_all_else_is_as_it_was(name):
    plain, committed = (plan_of(each, ground(), fillers=3) for each in (name, f"{name}-transacted"))
    assert [each.transaction for each in committed.producers] == [1] * len(plain.producers)
    assert [each.count for each in committed.producers] == [each.count for each in plain.producers]
    assert [each.name for each in committed.consumers] == [each.name for each in plain.consumers]


@pytest.mark.parametrize("dialect", [Dialect.CLASSIC, Dialect.RABBITMQ, Dialect.HUB])
def test_one_order_of_what_is_committed_is_judged_at_the_hub_only(dialect):
    """ActiveMQ Classic hands it on outside its lock, unless it is told otherwise; then the user may ask."""
    name = "many-producers-transacted"
    assert (Property.AGREEMENT in plan_of(name, ground(dialect)).expect) == (dialect is Dialect.HUB)
    assert plan_of(name, ground(dialect), expect=(Property.AGREEMENT,)).expect == (Property.AGREEMENT,)
    told = CASES[name].expected(ground(dialect))
    assert told == committing.ORDERS.get(dialect, CASES["many-producers"].expected(ground(dialect)))


@pytest.mark.parametrize(
    ("name", "where", "why"),
    [
        ("many-producers-transacted", ground(protocol="mqtt", features=frozenset()), "MQTT has no transactions"),
        ("many-producers-transacted", ground(simulated=True), "not simulated"),
        ("strict-dispatch-transacted", ground(Dialect.HUB), "dispatch policies"),
        ("transacted", ground(protocol="bayeux", features=frozenset()), "BAYEUX has no transactions"),
        ("transacted", ground(Dialect.ARTEMIS), "ActiveMQ Artemis takes an acknowledgement at once"),
        ("transacted", ground(unbreakable="no network"), "no network"),
        ("transacted", ground(Dialect.RABBITMQ), ""),
    ],
)
def test_what_cannot_be_done_says_why(name, where, why):
    lacks = CASES[name].lacks(Params(), where)
    assert why in lacks
    assert bool(lacks) == bool(why)


@pytest.mark.parametrize("messages", [60, 400, 20_000])
def test_what_is_aborted_is_held_until_the_connection_breaks(messages):
    (consumer,) = plan_of("transacted", ground(), messages=messages).consumers
    assert consumer.trouble is not None
    assert consumer.abort_every * consumer.ack_batch <= consumer.trouble.at <= (consumer.prefetch or 0) + 5
    assert consumer.trouble.at % consumer.ack_batch
    assert plan_of("transacted", ground(), messages=messages).gives_back
