"""What the hub promises holds at every seed: order, nothing lost, nothing twice, and what is given back comes again."""

from __future__ import annotations

import pytest

from mqctl.experiments.acknowledgement import CASES as ACK
from mqctl.experiments.ordering import CASES as ORDERING
from mqctl.experiments.plan import Params
from mqctl.experiments.simulation.scenario import Scenario
from tests.sim.scenarios import broken, report, told

SEEDS = range(40)
MESSAGES = 60


def possible(experiment, cases):
    scenarios = [Scenario(experiment=experiment, case=case, seed=0) for case in cases.values()]
    return [pytest.param(each.experiment, each.case, id=each.case.name) for each in scenarios if not each.lacks]


@pytest.mark.parametrize(("experiment", "case"), possible("ordering", ORDERING) + possible("ack", ACK))
def test_the_hub_keeps_its_promises(experiment, case):
    verdicts = []
    for seed in SEEDS:
        scenario = Scenario(experiment=experiment, case=case, seed=seed, params=Params(messages=MESSAGES))
        judged = report(scenario)
        found = broken(judged)
        assert not found, told(scenario, found)
        verdicts.append(judged.verdict)
    assert verdicts.count("pass") > len(SEEDS) * 0.7  # Where nothing was on its way, nothing could come again.
