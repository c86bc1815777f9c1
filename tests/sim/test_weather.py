"""What a network alone can do to the order, with a hub that does nothing wrong."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from mqctl.errors import ProtocolError
from mqctl.experiments.answers import Property
from mqctl.experiments.ordering import CASES
from mqctl.experiments.plan import Params
from mqctl.experiments.simulation import bayeux_house
from mqctl.experiments.simulation.scenario import Scenario
from mqctl.experiments.simulation.weather import drawn
from mqctl.experiments.simulation.world import NS_PER_MS
from mqctl.protocols.bayeux.session import Terms
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


def test_a_slow_reader_of_bayeux_loses_its_session_while_it_reads_a_long_answer(monkeypatch):
    """With the usual terms; simulated sessions are kept longer."""
    monkeypatch.setattr(bayeux_house, "ROOMY", Terms())
    slow = replace(drawn(random.Random(6)), slow_share=0.5, byte_max_ns=300_000, piece_bytes_max=64)
    here = Scenario(experiment="ordering", case=CASES["bayeux-default"], seed=6, params=Params(messages=600))
    with pytest.raises(ProtocolError, match="session_unknown"):
        report(here, weather=slow)
