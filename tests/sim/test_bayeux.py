"""What Bayeux's ack extension is worth when connections break, and what happens without it."""

from __future__ import annotations

from mqctl.experiments.acknowledgement import CASES
from mqctl.experiments.answers import Property
from mqctl.experiments.plan import Params
from mqctl.experiments.simulation.scenario import Scenario
from tests.sim.scenarios import broken, report, told

SEEDS = range(60)


def losses(case: str) -> int:
    """At how many seeds something was lost, by a connection that broke while messages came."""
    found = 0
    for seed in SEEDS:
        params = Params(messages=60, expect=(Property.NO_LOSS,))
        found += bool(broken(report(Scenario(experiment="ack", case=CASES[case], seed=seed, params=params))))
    return found


def test_without_it_what_is_on_its_way_is_lost():
    assert losses("plain-cut") > len(SEEDS) / 2


def test_with_it_nothing_is():
    for seed in SEEDS:
        here = Scenario(experiment="ack", case=CASES["ack-extension-cut"], seed=seed, params=Params(messages=60))
        found = broken(report(here))
        assert not found, told(here, found)
