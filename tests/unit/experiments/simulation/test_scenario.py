"""A simulated experiment as a value."""

from __future__ import annotations

from mqctl.experiments.acknowledgement import CASES as ACK
from mqctl.experiments.ordering import CASES
from mqctl.experiments.plan import Params
from mqctl.experiments.simulation.scenario import Scenario
from mqctl.model import Topic

ONE = CASES["one-producer"]


def test_its_command_says_what_is_not_as_usual():
    usual = Scenario(experiment="ordering", case=ONE, seed=7)
    assert usual.command == "mqctl experiment ordering --simulate --seed 7 --case one-producer"
    params = Params(messages=60, producers=2, topic=Topic(levels=("a", "b")), queue=Topic(native="/queue/q"))
    other = Scenario(experiment="ordering", case=ONE, seed=7, params=params, rate=10.0, size=200)
    assert other.command.removeprefix(usual.command) == (
        " --messages 60 --producers 2 --rate 10.0 --size 200 --topic a.b --queue /queue/q"
    )


def test_the_header_says_that_it_is_simulated_and_how_to_repeat_it():
    scenario = Scenario(experiment="ordering", case=ONE, seed=7)
    header, _ = scenario.begin()
    assert (header.name, header.protocol, header.mode) == ("ordering one-producer", "stomp", "auto")
    assert header.facts == {
        "simulated": True, "seed": 7, "broker": "mqctl, simulated", "command": scenario.command
    }  # fmt: skip


def test_what_cannot_be_simulated_says_why():
    assert not Scenario(experiment="ordering", case=ONE, seed=1).lacks
    restart = Scenario(experiment="ack", case=ACK["auto-restart"], seed=1)
    assert restart.lacks == "the broker is not restarted in a simulation"
    assert "MQTT" in Scenario(experiment="ordering", case=CASES["mqtt-inflight-1"], seed=1).lacks
