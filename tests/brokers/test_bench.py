"""`mqctl bench` at every broker, over every transport that it serves."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from mqctl.errors import ExitCode
from tests.brokers.fleet import Fleet
from tests.brokers.launch import LISTENERS, serving
from tests.brokers.program import Ended, Program, program_at

CALM = ("--in-flight", "1")
"""One message at a time: no broker drops any of so few, and no machine is the limit."""


def at(names: list[str], schemes: list[str]) -> list[ParameterSet]:
    return [
        pytest.param((name, scheme), marks=pytest.mark.broker(name), id=f"{name}-{scheme}")
        for name in names
        for scheme in schemes
        if scheme in LISTENERS[name]
    ]


CARRIED = [f"{protocol}{carrier}" for protocol in ("stomp", "mqtt") for carrier in ("", "+ssl", "+ws", "+wss")]


@pytest.fixture
def name() -> str:
    """Nobody else's topic."""
    return f"open.{uuid.uuid4().hex[:12]}"


@pytest.fixture
def mqctl(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> Program:
    """At the broker and over the transport that the test names."""
    broker_name, scheme = request.param
    broker = fleet.get(broker_name)
    return program_at(broker, broker.url(scheme), tmp_path)


def books(ended: Ended) -> dict[str, int]:
    assert ended.code == ExitCode.OK, ended.err
    return json.loads(ended.out)["books"]


@pytest.mark.parametrize("mqctl", at(list(LISTENERS), CARRIED), indirect=True)
def test_every_message_is_accounted_for(mqctl: Program, name: str) -> None:
    """Each transport carries the messages unchanged to each subscriber."""
    ended = mqctl.run("bench", name, "--publishers", "2", "--subscribers", "2", "--count", "100", "--json", *CALM)
    told = books(ended)
    # Artemis 2.56 hands on MQTT messages of QoS 1 in another order than it confirmed them.
    del told["out_of_order"]
    assert told == {
        "attempted": 100, "confirmed": 100, "rejected": 0, "unknown": 0, "expected": 200, "delivered": 200, "lost": 0,
        "recovered": 0, "duplicated": 0, "unexpected": 0,
    }  # fmt: skip


@pytest.mark.parametrize("mqctl", at(serving("stomp"), ["stomp"]), indirect=True)
@pytest.mark.parametrize("ack", ["auto", "client", "individual"])
def test_subscribers_of_a_queue_share(mqctl: Program, name: str, ack: str) -> None:
    """Each message of a queue goes to one of its subscribers."""
    told = books(
        mqctl.run("bench", f"/queue/{name}", "--subscribers", "3", "--count", "90", "--ack", ack, "--json", *CALM)
    )
    assert (told["expected"], told["delivered"], told["duplicated"]) == (90, 90, 0)


@pytest.mark.parametrize("mqctl", at(["mosquitto"], ["mqtt"]), indirect=True)
@pytest.mark.parametrize(
    ("qos", "timed", "word"), [("0", 0, "handed over"), ("1", 50, "confirmed"), ("2", 50, "confirmed")]
)
def test_what_nobody_answers_is_not_called_confirmed(
    mqctl: Program, name: str, qos: str, timed: int, word: str
) -> None:
    """At QoS 0 a publisher hears nothing (MQTT 3.1.1, 4.3.1)."""
    asked = ("bench", name, "--qos", qos, "--count", "50", *CALM)
    told = json.loads(mqctl.run(*asked, "--json").out)
    assert told["latency_sent_to_confirmed"]["samples"] == timed
    assert told["load"]["confirm"] == ("broker" if timed else "socket")
    assert f"attempted 50, {word} 50" in mqctl.run(*asked).out


@pytest.mark.parametrize("mqctl", at(["mosquitto"], ["mqtt"]), indirect=True)
def test_a_shared_subscription_is_one_delivery_in_all(mqctl: Program, name: str) -> None:
    """Its group gets each message once."""
    told = books(
        mqctl.run("bench", name, "--shared", "g", "--mqtt-version", "5", "-y", "3", "--count", "90", "--json", *CALM)
    )
    assert (told["expected"], told["delivered"], told["duplicated"]) == (90, 90, 0)


@pytest.mark.parametrize("mqctl", at(["cometd-java"], ["bayeux+http", "bayeux+ws"]), indirect=True)
def test_bayeux_too(mqctl: Program, name: str) -> None:
    """Each carrier of Bayeux carries the messages unchanged to each subscriber."""
    told = books(mqctl.run("bench", name, "-x", "2", "-y", "2", "--count", "100", "--json", *CALM))
    assert (told["confirmed"], told["expected"], told["delivered"], told["unexpected"]) == (100, 200, 200, 0)


@pytest.mark.parametrize("mqctl", at(["mosquitto"], ["mqtt"]), indirect=True)
def test_a_broker_that_stands_still_is_told_by_how_long(mqctl: Program, fleet: Fleet, name: str) -> None:
    """Each message that was due meanwhile waited for it: a tenth of the run, so it is in the upper quantiles."""
    pid = fleet.get("mosquitto").pid
    with mqctl.running("bench", name, "--rate", "100", "--duration", "6s", "--json") as bench:
        bench.await_line("delivered")
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(2)
        finally:
            os.kill(pid, signal.SIGCONT)
        told = json.loads(bench.ended().out)
    assert 1900 <= told["longest_stall_ms"] < 3000
    assert told["latency_due_to_received"]["p90_ms"] > 1000
    assert (told["delivered_least_per_s"], told["books"]["lost"]) == (0, 0)


@pytest.mark.parametrize(
    "mqctl",
    [*at(["classic", "artemis", "rabbitmq"], ["stomp", "mqtt"]), *at(["cometd-java"], ["bayeux+ws"])],
    indirect=True,
)
def test_workers_join_over_the_broker_that_is_measured(mqctl: Program, name: str) -> None:
    """What leader and workers say to each other passes through any broker."""
    control = ("--control", f"{name}.control")
    url = mqctl.environment["MQCTL_URL"]
    with mqctl.running("bench", "--join", url, "--as", "east", *control) as worker:
        worker.await_line("waits for a run")
        ended = mqctl.run("bench", name, "--remote", "1", "--count", "50", "--json", *control, *CALM)
        joined = worker.ended()
    assert books(ended)["delivered"] == 50
    assert joined.code == ExitCode.OK, joined.err
