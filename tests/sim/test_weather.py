"""What a network alone can do to the order, with a hub that does nothing wrong."""

from __future__ import annotations

import random
from dataclasses import replace

from mqctl.experiments.answers import Property
from mqctl.experiments.ordering import CASES
from mqctl.experiments.plan import Params
from mqctl.experiments.simulation.scenario import Scenario
from mqctl.experiments.simulation.weather import drawn
from mqctl.experiments.simulation.world import NS_PER_MS
from tests.sim.scenarios import broken, report

SEEDS = range(20)


def out_of_order(*, ghost: bool) -> int:
    """At how many seeds, with a client that comes back before the hub noticed that it was gone, or after."""
    found = 0
    for seed in SEEDS:
        here = Scenario(
            experiment="ordering",
            case=CASES["redelivery"],
            seed=seed,
            params=Params(messages=100, expect=(Property.FIFO,)),
        )
        weather = replace(drawn(random.Random(seed)), notices_max_ns=800 * NS_PER_MS, returns_max_ns=900 * NS_PER_MS)
        returns_min_ns = 0 if ghost else weather.notices_max_ns
        judged = report(here, weather=replace(weather, returns_min_ns=returns_min_ns))
        found += {each.answer.about for each in broken(judged)} == {Property.FIFO}
    return found


def test_a_client_that_is_back_before_the_hub_knows_that_it_was_gone_may_get_later_messages_first():
    assert out_of_order(ghost=True)
    assert not out_of_order(ghost=False)
