"""Hubs in front of every broker: what anybody publishes, everybody gets once, and again after the broker died."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mqctl.errors import ExitCode
from tests.brokers.fleet import Fleet
from tests.brokers.launch import launch, serving
from tests.brokers.process import Broker
from tests.brokers.program import program_at
from tests.cli.commands import Running

COUNT = 100
"""Messages of each publisher."""
BURST = 10_000
LAST = "open.bridge.last"
LISTEN = ("--stomp", "127.0.0.1:0", "--http", "127.0.0.1:0")
SCOPE = ("--upstream-topic", "open.**")
"""Users of the test brokers may do everything there."""
UNORDERED = {"artemis"}
"""Brokers that do not keep the order of what comes over MQTT."""

CASES = [
    pytest.param(name, scheme, version, marks=pytest.mark.broker(name), id=f"{name}-{scheme}{version}")
    for scheme, versions in (("stomp", ("",)), ("mqtt", ("3.1.1", "5")))
    for name in serving(scheme)
    for version in versions
    if (name, version) not in {("classic", "5"), ("rabbitmq", "5"), ("iotcore", "5")}
]
"""ActiveMQ Classic, RabbitMQ before 3.13 and iotcore have no MQTT 5."""

Start = Callable[..., Running]


class Hub:
    """A running `mqctl hub` and where it listens."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.stomp = running.printed().decode().strip()
        port = re.search(r":(\d+)/", running.printed().decode())[1]
        self.bayeux = f"bayeux+ws://127.0.0.1:{port}"


class Scene:
    """A broker, and commands at it and at hubs in front of it."""

    def __init__(self, broker: Broker, scheme: str, version: str, start: Start, home: Path) -> None:
        changes = {"mqtt_version": version} if version else {}
        self.at_broker = program_at(broker, broker.url(scheme), home, **changes).environment
        self.nowhere = {name: value for name, value in self.at_broker.items() if not name.startswith("MQCTL_")}
        self.url = broker.url(scheme)
        self._start = start

    def hub(self) -> Hub:
        return Hub(self._start("hub", *LISTEN, "--upstream", self.url, *SCOPE, env=self.at_broker))

    def at(self, url: str) -> dict[str, str]:
        return {**self.nowhere, "MQCTL_URL": url}

    def tail(self, env: dict[str, str], *options: str) -> Running:
        tail = self._start("tail", "open.bridge.*", "--json", *options, env=env)
        tail.said("subscribed to")
        return tail

    def publish(self, env: dict[str, str], topic: str, *values: str, options: tuple[str, ...] = ()) -> None:
        run = self._start("publish", topic, *values, *options, env=env)
        done = run.end()
        assert done.code == ExitCode.OK, done.err
        assert f"confirmed {len(values)}, rejected 0, unknown 0" in done.last


@pytest.fixture
def start() -> Iterator[Start]:
    begun: list[Running] = []

    def start(*args: str, env: dict[str, str], **streams: Any) -> Running:
        begun.append(Running(args, env, **streams))
        return begun[-1]

    yield start
    for running in reversed(begun):
        running.close()


def heard(tail: Running) -> dict[str, list[str]]:
    """The payloads of each topic, up to the last of all: whatever came twice came before it."""
    topics: dict[str, list[str]] = {}
    while (record := json.loads(tail.printed()))["topic"] != LAST:
        topics.setdefault(record["topic"], []).append(record["payload"])
    tail.end(signal.SIGINT)
    return topics


@pytest.mark.parametrize(("name", "scheme", "version"), CASES)
def test_everybody_gets_everything_once(
    fleet: Fleet, name: str, scheme: str, version: str, start: Start, tmp_path: Path
) -> None:
    """Over STOMP at one hub, over Bayeux at another, and at the broker itself; a publisher's order is kept."""
    scene = Scene(fleet.get(name), scheme, version, start, tmp_path)
    one, other = scene.hub(), scene.hub()
    places = {"one": scene.at(one.stomp), "other": scene.at(other.bayeux), "broker": scene.at_broker}
    tails = [scene.tail(env) for env in (*places.values(), scene.at(one.bayeux))]
    sent = {f"open.bridge.{place}": [f"{place} {number}" for number in range(COUNT)] for place in places}
    for topic, env in zip(sent, places.values(), strict=True):
        scene.publish(env, topic, *sent[topic])
    scene.publish(scene.at_broker, LAST, "")
    for tail in tails:
        got = heard(tail)
        assert {topic: Counter(values) for topic, values in got.items()} == {
            topic: Counter(values) for topic, values in sent.items()
        }
        assert name in UNORDERED or got == sent
    for hub in (one, other):
        assert hub.running.end(signal.SIGTERM).code == ExitCode.OK


@pytest.mark.parametrize(("name", "scheme", "version"), CASES)
def test_headers_go_where_the_broker_has_them(
    fleet: Fleet, name: str, scheme: str, version: str, start: Start, tmp_path: Path
) -> None:
    """And where it has none, as with MQTT before 5, the payload goes without."""
    scene = Scene(fleet.get(name), scheme, version, start, tmp_path)
    one, other = scene.hub(), scene.hub()
    tail = scene.tail(scene.at(other.bayeux))
    scene.publish(scene.at(one.stomp), "open.bridge.a", "x", options=("--header", "colour=red"))
    record = json.loads(tail.printed())
    assert record["payload"] == "x"
    assert record["headers"].get("colour") == (None if version == "3.1.1" else "red")


@pytest.mark.parametrize(("name", "scheme", "version"), CASES)
def test_a_burst_comes_back_whole(
    fleet: Fleet, name: str, scheme: str, version: str, start: Start, tmp_path: Path
) -> None:
    """As fast as a publisher can, who waits for no confirmation."""
    scene = Scene(fleet.get(name), scheme, version, start, tmp_path)
    env = scene.at(scene.hub().stomp)
    tail = scene.tail(env, "--count", str(BURST))
    publish = start("publish", "open.bridge.burst", "--lines", "--confirm", "none", env=env, stdin=subprocess.PIPE)
    publish.write(b"".join(b"%d\n" % number for number in range(BURST)))
    publish.process.stdin.close()
    assert f"attempted {BURST}" in publish.end().last
    got = [json.loads(line)["payload"] for line in tail.end().lines]
    assert Counter(got) == Counter(map(str, range(BURST)))


@pytest.mark.parametrize(("name", "scheme", "version"), CASES)
def test_goes_on_after_the_broker_died(name: str, scheme: str, version: str, start: Start, tmp_path: Path) -> None:
    """What is published meanwhile waits for the broker, and its publisher for the confirmation."""
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(launch(name))
        scene = Scene(broker, scheme, version, start, tmp_path)
        one, other = scene.hub(), scene.hub()
        tails = [scene.tail(scene.at(url)) for url in (one.bayeux, other.stomp)]
        scene.publish(scene.at(one.stomp), "open.bridge.a", "before")
        broker.kill()
        for hub in (one, other):
            hub.running.said("upstream: connection lost")
        meanwhile = start("publish", "open.bridge.a", "meanwhile", "--confirm-timeout", "100s", env=scene.at(one.stomp))
        broker.start()
        for hub in (other, one):
            hub.running.said("upstream: connected again")
        done = meanwhile.end()
        assert "confirmed 1, rejected 0, unknown 0" in done.last, done.err
        scene.publish(scene.at(other.bayeux), "open.bridge.a", "after")
        scene.publish(scene.at_broker, LAST, "")
        for tail in tails:
            got = heard(tail)["open.bridge.a"]
            # A hub that was connected again later may have missed what the other one had kept.
            assert got in (["before", "meanwhile", "after"], ["before", "after"])
