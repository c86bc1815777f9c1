"""`mqctl experiment` at every broker: what is promised holds, what is known to differ is seen."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
from _pytest.mark import ParameterSet

from mqctl.errors import ExitCode
from mqctl.experiments.matrix import Outcome
from tests.brokers import matrix
from tests.brokers.fleet import Fleet
from tests.brokers.program import Program, program_at
from tests.brokers.rabbitmq import SINGLE_ACTIVE

pytestmark = pytest.mark.timeout(120)

FEW = ("--messages", "400", "--quiet-for", "1s")
"""A broker takes longer than a hub to notice that somebody is gone."""


def at(*names: str, scheme: str) -> list[ParameterSet]:
    return [pytest.param((name, scheme), marks=pytest.mark.broker(name), id=f"{name}-{scheme}") for name in names]


STOMP = at("classic", "artemis", "rabbitmq", scheme="stomp")
MQTT = at("mosquitto", "classic", "rabbitmq", scheme="mqtt")
BAYEUX = [*at("cometd-java", scheme="bayeux+ws"), *at("cometd-java", scheme="bayeux+http")]

OF_CLASSIC = {"strict-dispatch", "strict-dispatch-transacted", "virtual-topic", "exclusive-consumer", "message-groups"}
ANYWHERE = {"one-producer", "many-producers", "durable-replay", "many-producers-transacted", "competing", "redelivery"}
ORDER = {
    "classic": ANYWHERE | OF_CLASSIC,
    "artemis": ANYWHERE | {"message-groups"},
    "rabbitmq": ANYWHERE,
}
"""The cases that can be done there over STOMP."""


COMMITTED: Final[Mapping[tuple[str, str, str], Outcome | None]] = MappingProxyType(matrix.committed())
"""What docs/matrix.md says."""

ELSEWHERE = {"single-active-consumer", *matrix.PROMISES}
"""The cases that need more than a broker."""

Laboratory = tuple[matrix.Column, Program]
"""A broker, and the program at it."""


@pytest.fixture
def laboratory(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> Laboratory:
    column = matrix.Column(*request.param)
    broker = fleet.get(column.broker, **matrix.SETTINGS.get(column.broker, {}))
    return column, program_at(broker, broker.url(column.scheme), tmp_path)


def runs(laboratory: Laboratory, home: Path, *args: str) -> dict[str, dict[str, Any]]:
    """What came of each case that could be done."""
    column, program = laboratory
    ended = program.run("experiment", args[0], *FEW, *args[1:], "--json", "--run-dir", str(home / "runs"))
    assert ended.code in (ExitCode.OK, ExitCode.WRONG, ExitCode.INCONCLUSIVE), ended.err
    trials = [json.loads(line) for line in ended.out.splitlines()]
    if "--case" not in args:
        assert_as_committed(column, args[0], trials)
    return {trial["case"]: trial for trial in trials if trial["verdict"] != "unsupported"}


def assert_as_committed(column: matrix.Column, family: str, trials: list[dict[str, Any]]) -> None:
    """The page has each case that can be done, and is not contradicted; a cell whose runs differed is open."""
    protocol = next(protocol for protocol, columns in matrix.TABLES.items() if column in columns)
    for trial in (trial for trial in trials if trial["case"] not in ELSEWHERE):
        told = COMMITTED.get((protocol, f"{family} {trial['case']}", column.title), Outcome.UNSUPPORTED)
        seen = matrix.outcome(trial)
        advice = f"docs/matrix.md says {told}: python -m tests.brokers.matrix writes it anew. {trial}"
        assert (told is Outcome.UNSUPPORTED) == (seen is Outcome.UNSUPPORTED), advice
        assert {told, seen} != {Outcome.PASS, Outcome.FAIL}, advice


def failed(trial: dict[str, Any]) -> set[str]:
    """The properties that did not hold for sure."""
    return {about for about, told in trial["properties"].items() if told["verdict"] == "fail"}


def assert_controls_found(trial: dict[str, Any]) -> None:
    told = trial["properties"].values()
    assert sum(each["planted"] for each in told) > 0
    # What an order that differs anyway hides is none of the recorder's faults.
    assert all(each["planted"] == each["found"] for each in told if not each["violations"]), trial
    assert not trial["doubts"], trial


@pytest.mark.parametrize("laboratory", STOMP, indirect=True)
def test_order_over_stomp(laboratory: Laboratory, tmp_path: Path) -> None:
    """Each producer's messages stay in order everywhere; that all consumers see one order is judged at Classic only."""
    name = laboratory[0].broker
    trials = runs(laboratory, tmp_path, "ordering")
    assert set(trials) == ORDER[name]
    judged = trials["many-producers"]["properties"]["agreement"]["verdict"]
    assert judged == ("pass" if name == "classic" else None)
    assert trials["many-producers-transacted"]["properties"]["agreement"]["verdict"] is None
    for trial in trials.values():
        assert not failed(trial), trial
        assert_controls_found(trial)


@pytest.mark.parametrize("laboratory", STOMP, indirect=True)
def test_acknowledgement_over_stomp(laboratory: Laboratory, tmp_path: Path) -> None:
    """What is acknowledged by the client is not lost, whoever breaks off; what is refused has three meanings."""
    trials = runs(laboratory, tmp_path, "ack")
    fates = {f"{mode}-{fate}" for mode in ("auto", "client", "individual") for fate in ("cut", "killed")}
    # Artemis counts the bytes that a consumer may hold, and acknowledges outside transactions; RabbitMQ gives mqctl one
    # subscription of mode client.
    kept = {"topic-slow", "subscribe-later"}
    elsewhere = {"slow", "client-scope", "transacted", "subscribe-later-bare"}
    assert set(trials) - elsewhere == fates | kept | {"individual-stall", "nack", "nack-client", "publish-cut"}
    for trial in trials.values():
        assert not failed(trial), trial
        assert_controls_found(trial)


@pytest.mark.parametrize("arm", [arm for arm in matrix.ARMS if arm.note], ids=lambda arm: arm.row)
@pytest.mark.parametrize("laboratory", at("classic", scheme="stomp"), indirect=True)
def test_with_its_policy_classic_has_one_order(laboratory: Laboratory, arm: matrix.Arm, tmp_path: Path) -> None:
    trials = runs(laboratory, tmp_path, arm.family, "--case", arm.case, *arm.options)
    agreement = trials[arm.case]["properties"]["agreement"]
    assert (agreement["verdict"], agreement["violations"]) == ("pass", 0)
    assert COMMITTED["STOMP", arm.row, laboratory[0].title] is Outcome.PASS
    assert_controls_found(trials[arm.case])


@pytest.mark.parametrize("laboratory", at("classic", scheme="stomp"), indirect=True)
def test_without_its_policy_classic_has_several_orders_of_what_is_committed(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    """It is handed on outside the lock of its topic: the experiment has the power to see it."""
    name = "strict-dispatch-transacted"
    trials = runs(laboratory, tmp_path, "ordering", "--case", name, "--messages", "2000")
    assert trials[name]["properties"]["agreement"]["violations"] > 0


@pytest.mark.parametrize("laboratory", at("classic", scheme="stomp"), indirect=True)
def test_a_topic_and_its_virtual_queues_differ(laboratory: Laboratory, tmp_path: Path) -> None:
    """A message goes to each queue, one after the other, outside any lock: the experiment has the power to see it."""
    trials = runs(laboratory, tmp_path, "ordering", "--case", "virtual-topic", "--messages", "4000")
    assert trials["virtual-topic"]["properties"]["agreement"]["violations"] > 0


@pytest.mark.parametrize("laboratory", at("classic", "artemis", scheme="stomp"), indirect=True)
def test_only_classic_forgets_whose_a_group_is(laboratory: Laboratory, tmp_path: Path) -> None:
    """It remembers 1,024 groups; of more, each goes to whoever is next."""
    many = ("--case", "message-groups", "--groups", "1500", "--messages", "6000", "--drain", "60s")
    trial = runs(laboratory, tmp_path, "ordering", *many)["message-groups"]
    assert not failed(trial), trial
    assert (trial["properties"]["sticky"]["violations"] > 0) == (laboratory[0].broker == "classic")
    assert_controls_found(trial)


@pytest.mark.parametrize("laboratory", MQTT, indirect=True)
def test_order_over_mqtt(laboratory: Laboratory, tmp_path: Path) -> None:
    """Across a reconnect too, whatever is in flight (MQTT 3.1.1, 4.6)."""
    name = laboratory[0].broker
    trials = runs(laboratory, tmp_path, "ordering")
    shared = {"competing"} if name == "mosquitto" else set()
    assert set(trials) == {"one-producer", "many-producers", "mqtt-inflight-1", "mqtt-inflight-20"} | shared
    for trial in trials.values():
        assert not failed(trial), trial
        assert_controls_found(trial)


@pytest.mark.parametrize("laboratory", MQTT, indirect=True)
def test_acknowledgement_over_mqtt(laboratory: Laboratory, tmp_path: Path) -> None:
    name = laboratory[0].broker
    trials = runs(laboratory, tmp_path, "ack")
    if name == "rabbitmq":
        # It grants QoS 1 at most, and the runs say so.
        downgraded = {case: trials.pop(case) for case in list(trials) if case.startswith("qos2")}
        assert {trial["verdict"] for trial in downgraded.values()} == {"inconclusive"}
        assert all("QoS 1 is granted where 2 was asked for" in str(trial["doubts"]) for trial in downgraded.values())
    modes = ["qos0", "qos1-clean", "qos1-session"] + ([] if name == "rabbitmq" else ["qos2-clean", "qos2-session"])
    fates = {f"{mode}-cut" for mode in modes} | {f"{mode}-killed" for mode in modes if mode.endswith("session")}
    assert set(trials) == fates | {"qos1-session-stall", "qos1-session-away", "publish-cut"}
    for trial in trials.values():
        assert not failed(trial), trial
        assert_controls_found(trial)


@pytest.mark.parametrize("laboratory", BAYEUX, indirect=True)
def test_order_over_bayeux(laboratory: Laboratory, tmp_path: Path) -> None:
    """Whatever carries it, and whatever brings it: each producer's messages stay in order."""
    trials = runs(laboratory, tmp_path, "ordering")
    bayeux = {"bayeux-default", "bayeux-deliver-only", "bayeux-acknowledged"}
    assert set(trials) == {"one-producer", "many-producers", *bayeux}
    for trial in trials.values():
        assert not failed(trial), trial
        assert_controls_found(trial)


@pytest.mark.parametrize("laboratory", BAYEUX, indirect=True)
def test_acknowledgement_over_bayeux(laboratory: Laboratory, tmp_path: Path) -> None:
    """Only the extension saves what was on its way when the connection broke."""
    trials = runs(laboratory, tmp_path, "ack")
    assert set(trials) == {"plain-cut", "publish-cut"} | {
        f"ack-extension-{fate}" for fate in ("cut", "killed", "stall")
    }
    for trial in trials.values():
        assert not failed(trial), trial
        assert_controls_found(trial)
    assert trials["plain-cut"]["properties"]["no-loss"]["violations"] > 0
    assert trials["ack-extension-cut"]["properties"]["no-loss"]["verdict"] == "pass"
    assert trials["ack-extension-killed"]["properties"]["no-loss"]["violations"] > 0


@pytest.mark.parametrize("laboratory", at("mosquitto", scheme="mqtt"), indirect=True)
def test_more_than_mosquitto_keeps_for_who_is_away(laboratory: Laboratory, tmp_path: Path) -> None:
    """It confirms the rest, and drops it (mosquitto.conf, max_queued_messages)."""
    asked = ("--case", "qos1-session-away", "--dialect", "mosquitto", "--messages", "1200")
    trial = runs(laboratory, tmp_path, "ack", *asked)["qos1-session-away"]
    assert trial["properties"]["no-loss"]["violations"] == 200
    assert trial["verdict"] == "pass"
    assert_controls_found(trial)


@pytest.mark.parametrize("laboratory", at("artemis", scheme="stomp"), indirect=True)
def test_who_comes_later_to_a_bare_address_of_artemis(laboratory: Laboratory, tmp_path: Path) -> None:
    """It gets nothing, where who was there gets all."""
    trial = runs(laboratory, tmp_path, "ack", "--case", "subscribe-later-bare")["subscribe-later-bare"]
    loss = trial["properties"]["no-loss"]
    assert loss["violations"] * 2 == loss["chances"]
    assert_controls_found(trial)


@pytest.mark.broker("rabbitmq")
def test_a_single_active_consumer_of_rabbitmq(fleet: Fleet, tmp_path: Path) -> None:
    """It is killed, and the next one goes on where it stopped."""
    broker = fleet.get("rabbitmq")
    laboratory = (matrix.Column("rabbitmq", "stomp"), program_at(broker, broker.url("stomp"), tmp_path))
    case = ("--case", "single-active-consumer", "--queue", SINGLE_ACTIVE)
    trial = runs(laboratory, tmp_path, "ordering", *case)["single-active-consumer"]
    assert not failed(trial), trial
    assert_controls_found(trial)


RESTARTS = [
    *(pytest.param((name, "stomp", "individual-restart"), marks=pytest.mark.broker(name), id=name)
      for name in ("classic", "artemis", "rabbitmq")),
    pytest.param(("mosquitto", "mqtt", "qos1-session-restart"), marks=pytest.mark.broker("mosquitto"), id="mosquitto"),
]  # fmt: skip


@pytest.mark.parametrize("where", RESTARTS)
def test_a_broker_that_is_killed_and_started_again(where: tuple[str, str, str], fleet: Fleet, tmp_path: Path) -> None:
    """The user's command asks this test for it. What was confirmed is not lost; its end is no power cut.

    What its consumer held comes again. At a pace: a young queue of RabbitMQ may be forgotten.
    """
    name, scheme, case = where
    broker = fleet.get(name)
    asked, done = tmp_path / "asked", tmp_path / "done"
    os.mkfifo(asked)
    os.mkfifo(done)
    program = program_at(broker, broker.url(scheme), tmp_path)
    options = ("--rate", str(matrix.RESTART_RATE), "--json", "--run-dir", str(tmp_path / "runs"))
    restart = ("--restart-command", f"echo please > {asked}; cat {done} > {os.devnull}")
    with program.running("experiment", "ack", *FEW, "--case", case, *restart, *options) as run:
        with asked.open() as request:
            request.read()
        broker.kill()
        broker.start()
        with done.open("w"):
            pass
        ended = run.ended()
    (trial,) = map(json.loads, ended.out.splitlines())
    assert not failed(trial), trial
    assert trial["properties"]["no-loss"]["verdict"] == "pass"
    # Its consumer held something, and did not just come back to nothing.
    assert trial["properties"]["redelivery"]["chances"] > 0
