"""Brokers are killed and started again while persistent messages are published: what was confirmed is not lost.

`kill -9` ends a process; what it had handed to the system is kept. It is no power cut.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import mmap
import random
import re
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mqctl.errors import ExitCode
from mqctl.target import Endpoint
from mqctl.testing import Link
from tests.brokers.launch import launch
from tests.brokers.process import HOST, Broker, ports_for
from tests.brokers.program import program_at
from tests.brokers.test_facts import settle
from tests.cli.commands import Result, Running

KILLS = 2
KILL_AT = (50, 1000)
"""Behind which confirmation, counted from the last restart, the broker is killed."""

RATE = "1000"
RESTART_LIMIT_S = 60.0
BOOKS = re.compile(r"attempted (\d+), confirmed (\d+), rejected (\d+), unknown (\d+)(?:, resent (\d+))?")
RESENT = "mqctl-resent"

FORGETFUL = {"iotcore"}
"""Brokers that confirm what they do not keep over their death."""


@pytest.fixture
def rng() -> random.Random:
    """Chooses the kill points; its seed is printed."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    return random.Random(seed)


class Scene:
    """A broker, commands that go to it by a link, and a place that keeps messages while nobody is there."""

    def __init__(self, broker: Broker, link: Link, scheme: str, home: Path) -> None:
        name = f"open.kill-{random.SystemRandom().getrandbits(32):x}"
        self.broker = broker
        self.link = link
        self.topic = name if scheme == "mqtt" else f"/queue/{name}"
        self.publish, self.tail, self.confirmation = {
            "stomp": (["--persistent"], [], b"RECEIPT\n"),
            # PUBACK, in the clean session of a publisher; and a session that stays.
            "mqtt": (["--qos", "1"], ["--qos", "1", "--client-id", name, "--no-clean"], b"\x40\x02"),
        }[scheme]
        url = broker.url(scheme).replace(f"{HOST}:{broker.ports[scheme]}", str(link.endpoint))
        self.environment = program_at(broker, url, home, reconnect="5m", reconnect_pause="1s").environment

    @contextlib.contextmanager
    def running(self, *args: str, **streams: Any) -> Iterator[Running]:
        """A command that does not outlive the block."""
        run = Running(args, self.environment, **streams)
        try:
            yield run
        finally:
            run.close()

    @contextlib.contextmanager
    def publishing(self, *options: str) -> Iterator[Running]:
        """A publish of lines."""
        with self.running("publish", self.topic, "--lines", *self.publish, *options, stdin=-1) as run:
            yield run

    @contextlib.contextmanager
    def tailing(self, *options: str) -> Iterator[Running]:
        """A tail."""
        with self.running("tail", self.topic, "--json", *self.tail, *options) as run:
            yield run

    def settle(self) -> None:
        """Make the place where messages are kept, and see to it that no broker forgets it for being young."""
        if self.tail:
            assert self.drained() == []
        elif self.broker.name == "rabbitmq":
            settle(self.broker, self.topic)

    def kill_and_restart(self, nth: int) -> None:
        """Kill the broker behind the n-th confirmation from now, and start it again."""
        killed = self.link.down.call_at(self.confirmation, nth, self.broker.kill)
        assert killed.wait(RESTART_LIMIT_S), f"no {nth} confirmations came"
        self.broker.start()

    def drained(self) -> list[dict[str, Any]]:
        """What is kept."""
        with self.tailing("--idle", "2s") as tail:
            done = tail.end()
        assert done.code == ExitCode.OK, done.err
        return records(done)


@pytest.fixture
def scene(broker: Broker, tmp_path: Path) -> Iterator[Scene]:
    with Link(Endpoint(HOST, broker.ports["stomp"])) as link:
        yield Scene(broker, link, "stomp", tmp_path)


@pytest.fixture
def mqtt_scene(mqtt_broker: Broker, tmp_path: Path) -> Iterator[Scene]:
    with contextlib.ExitStack() as stack:
        if mqtt_broker.name == "mosquitto":
            # What waits in a session beyond 1000 messages, Mosquitto drops by itself, and confirms all the same.
            mqtt_broker = stack.enter_context(launch("mosquitto", max_queued_messages=0))
        link = stack.enter_context(Link(Endpoint(HOST, mqtt_broker.ports["mqtt"])))
        yield Scene(mqtt_broker, link, "mqtt", tmp_path)


def records(done: Result) -> list[dict[str, Any]]:
    """The messages that a tail printed, without the one that made the queue."""
    return [record for record in map(json.loads, done.lines) if record["payload"] != "-1"]


def books(done: Result) -> list[int]:
    """Attempted, confirmed, rejected, unknown, resent."""
    found = BOOKS.search(done.last)
    assert found is not None, done.err
    return [int(number or 0) for number in found.groups()]


@contextlib.contextmanager
def feeding(run: Running) -> Iterator[None]:
    """Number lines for a command as fast as it reads them, until the block ends; then its input ends."""
    enough = threading.Event()
    # As much as a page: what is in the pipe is sent after the block.
    fcntl.fcntl(run.process.stdin, fcntl.F_SETPIPE_SZ, mmap.PAGESIZE)

    def write() -> None:
        number = 0
        with contextlib.suppress(OSError):
            while not enough.is_set():
                run.write(b"%d\n" % number)
                number += 1
            run.process.stdin.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def assert_flagged(received: Sequence[dict[str, Any]]) -> int:
    """Of each message, at most one copy looks like the only one; returns how many copies came beyond the first."""
    plain: set[str] = set()
    for record in received:
        if not record["redelivered"] and RESENT not in record["headers"]:
            assert record["payload"] not in plain, record
            plain.add(record["payload"])
    return len(received) - len({record["payload"] for record in received})


def test_nothing_is_missed_that_was_sent_again_when_unknown(scene: Scene, rng: random.Random) -> None:
    """Under a tail that is cut off too. What came twice is flagged."""
    scene.settle()
    with scene.tailing() as tail, scene.publishing("--rate", RATE, "--resend-unknown") as run:
        tail.said("subscribed")
        with feeding(run):
            for _ in range(KILLS):
                scene.kill_and_restart(rng.randint(*KILL_AT))
                run.said("connected again")
        published = run.end()
        tailed = tail.end(signal.SIGINT)
    received = [*records(tailed), *scene.drained()]
    attempted, confirmed, rejected, unknown, _ = books(published)
    duplicates = assert_flagged(received)
    print(f"{scene.broker.name}: {published.last}; {tailed.last}; duplicates {duplicates}")
    assert (published.code, confirmed, rejected, unknown) == (ExitCode.OK, attempted, 0, 0), published.err
    assert numbers(received) == set(range(attempted))
    assert f"reconnects {KILLS}, longest outage " in published.last


def test_nothing_confirmed_is_lost_and_the_rest_is_unknown(scene: Scene, rng: random.Random) -> None:
    scene.settle()
    with scene.publishing("--rate", RATE) as run:
        with feeding(run):
            scene.kill_and_restart(rng.randint(*KILL_AT))
            run.said("connected again")
        published = run.end()
    received = scene.drained()
    attempted, confirmed, rejected, unknown, resent = books(published)
    print(f"{scene.broker.name}: {published.last}; received {len(received)}")
    assert (rejected, resent, confirmed + unknown) == (0, 0, attempted)
    assert published.code == (ExitCode.CONNECTION if unknown else ExitCode.OK)
    assert confirmed <= len(numbers(received)) == len(received)
    assert numbers(received) <= set(range(attempted))


def test_what_arrived_and_was_not_confirmed_is_marked_or_dropped(scene: Scene) -> None:
    """The connection is cut, and the broker lives: Artemis knows what it is sent twice, and drops it."""
    cut = scene.link.down.cut_at(scene.confirmation, 100)
    with scene.publishing("--resend-unknown") as run:
        run.write(b"".join(b"%d\n" % number for number in range(500)))
        run.process.stdin.close()
        published = run.end()
    assert cut.wait(1)
    assert books(published)[:4] == [500, 500, 0, 0], published.err
    received = scene.drained()
    assert numbers(received) == set(range(500))
    assert (assert_flagged(received) == 0) == (scene.broker.name == "artemis")


def test_nothing_confirmed_over_mqtt_is_lost(mqtt_scene: Scene, rng: random.Random) -> None:
    """In a session that the broker keeps. iotcore keeps its sessions in memory, and confirms all the same."""
    mqtt_scene.settle()
    with mqtt_scene.publishing("--rate", RATE, "--resend-unknown") as run:
        with feeding(run):
            mqtt_scene.kill_and_restart(rng.randint(*KILL_AT))
            run.said("connected again")
        published = run.end()
    received = mqtt_scene.drained()
    attempted, confirmed, rejected, unknown, _ = books(published)
    lost = set(range(attempted)) - numbers(received)
    print(f"{mqtt_scene.broker.name}: {published.last}; received {len(received)}, lost {len(lost)}")
    assert (published.code, confirmed, rejected, unknown) == (ExitCode.OK, attempted, 0, 0), published.err
    assert bool(lost) == (mqtt_scene.broker.name in FORGETFUL)


def numbers(received: Sequence[dict[str, Any]]) -> set[int]:
    return {int(record["payload"]) for record in received}


@contextlib.contextmanager
def standby_of(active: Broker, home: Path) -> Iterator[Broker]:
    """A second Classic on the data of the first, which serves when that is gone: as a pair of Amazon MQ does."""
    # Not the data, which are shared.
    shutil.copytree(active.home, home, ignore=shutil.ignore_patterns("data", "tmp", "broker.log"))
    (home / "tmp").mkdir()
    ports = ports_for({name: str(port) for name, port in active.ports.items()})
    text = (home / "classic.xml").read_text(encoding="utf-8").replace(f"file:{active.home}", f"file:{home}")
    for name, port in active.ports.items():
        text = text.replace(f":{port}", f":{ports[name]}")
    # It would look for the lock once in ten seconds.
    locker = '><locker><shared-file-locker lockAcquireSleepInterval="250"/></locker></kahaDB>'
    (home / "classic.xml").write_text(re.sub(r"(<kahaDB [^>]*)/>", rf"\1{locker}", text), encoding="utf-8")
    own = [part.replace(str(active.home), str(home)) for part in active.command]
    command = [part.replace(f"{home}/data", f"{active.home}/data") for part in own]
    standby = dataclasses.replace(active, home=home, command=command, ports=ports)
    # It answers nobody until the lock is its own.
    starting = threading.Thread(target=standby.start)
    starting.start()
    try:
        yield standby
    finally:
        starting.join()
        standby.stop()


@pytest.mark.broker("classic")
def test_the_standby_of_a_pair_takes_over_with_nothing_lost(tmp_path: Path, rng: random.Random) -> None:
    """A failover list finds it."""
    with launch("classic") as active, Link(Endpoint(HOST, active.ports["stomp"])) as link:
        scene = Scene(active, link, "stomp", tmp_path)
        with standby_of(active, tmp_path / "standby") as standby:
            there = f"{HOST}:{standby.ports['stomp']}"
            scene.environment["MQCTL_URL"] += f",{there}"
            with scene.publishing("--rate", RATE, "--resend-unknown") as run:
                with feeding(run):
                    nth = rng.randint(*KILL_AT)
                    assert link.down.call_at(scene.confirmation, nth, active.kill).wait(RESTART_LIMIT_S)
                    assert f"connected again to {there} after " in run.said("connected again")
                published = run.end()
            received = scene.drained()
    attempted, confirmed, rejected, unknown, _ = books(published)
    print(f"{published.last}; duplicates {assert_flagged(received)}")
    assert (published.code, confirmed, rejected, unknown) == (ExitCode.OK, attempted, 0, 0), published.err
    assert numbers(received) == set(range(attempted))
