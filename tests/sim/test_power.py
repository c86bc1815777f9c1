"""The checkers see: a broker with a bug is found out, whatever else happens on its network; a sound one is not."""

from __future__ import annotations

import pytest

from mqctl.broker import Broker
from mqctl.experiments.acknowledgement import CASES as ACK
from mqctl.experiments.answers import Property
from mqctl.experiments.ordering import CASES as ORDERING
from mqctl.experiments.plan import Params
from mqctl.experiments.simulation.scenario import Scenario
from mqctl.measurement.verdict import Verdict
from tests.sim.bugs import (
    ONE_IN,
    Buggy,
    Disagrees,
    Drops,
    Duplicates,
    ForgetsToRequeue,
    IgnoresPrefetch,
    RequeuesBehind,
    Swaps,
)
from tests.sim.scenarios import broken, report, told

SEEDS = range(3)
SELDOM = 3 * ONE_IN

BUGS = [
    ("one-producer", Drops, Property.NO_LOSS, SELDOM),
    ("one-producer", Duplicates, Property.NO_DUPLICATES, SELDOM),
    ("one-producer", Swaps, Property.FIFO, SELDOM),
    ("many-producers", Drops, Property.NO_LOSS, SELDOM),
    ("many-producers", Disagrees, Property.AGREEMENT, SELDOM),
    ("competing", Duplicates, Property.ONE_CONSUMER, SELDOM),
    ("redelivery", RequeuesBehind, Property.FIFO, 200),
    ("redelivery", IgnoresPrefetch, Property.PREFETCH, 200),
    ("individual-cut", ForgetsToRequeue, Property.NO_LOSS, 200),
    ("individual-killed", ForgetsToRequeue, Property.REDELIVERY, 200),
    ("client-killed", ForgetsToRequeue, Property.NO_LOSS, 200),
]


def scenario(case: str, seed: int, messages: int, *expect: Property) -> Scenario:
    cases, experiment = (ORDERING, "ordering") if case in ORDERING else (ACK, "ack")
    return Scenario(experiment=experiment, case=cases[case], seed=seed, params=Params(messages=messages, expect=expect))


@pytest.mark.parametrize(("case", "bug", "about", "messages"), BUGS)
def test_a_bug_is_found(case, bug, about, messages):
    """One that strikes seldom is found wherever it struck; one that needs a connection to break, where that shows."""
    seen: set[Property] = set()
    for seed in SEEDS:
        here, brokers = scenario(case, seed, messages, about), list[Buggy]()
        judged = report(here, make_broker=lambda limits, brokers=brokers: made(brokers, bug(limits)))
        found = {each.answer.about for each in broken(judged)}
        assert found <= {about}, told(here, broken(judged))
        if messages == SELDOM:
            assert bool(found) == bool(brokers[0].wrong), here.command
        seen |= found
    assert seen == {about}


def made(brokers: list[Buggy], broker: Buggy) -> Buggy:
    brokers.append(broker)
    return broker


@pytest.mark.parametrize(("case", "about", "messages"), sorted({(case, about, n) for case, _, about, n in BUGS}))
def test_and_nothing_where_there_is_none(case, about, messages):
    here = scenario(case, 1, messages, about)
    judged = report(here, make_broker=Broker)
    assert judged.verdict is Verdict.PASS, told(here, broken(judged))
