"""Brokers are killed and started again while persistent messages are published: what was confirmed is not lost.

`kill -9` ends a process; what it had handed to the system is kept. It is no power cut.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import random
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mqctl.errors import ExitCode
from mqctl.target import Endpoint
from mqctl.testing import Link
from tests.brokers.process import HOST, Broker
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


@pytest.fixture
def rng() -> random.Random:
    """Chooses the kill points; its seed is printed."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    return random.Random(seed)


class Scene:
    """A broker, commands that go to it by a link, and a queue."""

    def __init__(self, broker: Broker, link: Link, home: Path, queue: str) -> None:
        self.broker = broker
        self.link = link
        self.queue = queue
        url = broker.url("stomp").replace(f"{HOST}:{broker.ports['stomp']}", str(link.endpoint))
        self.environment = program_at(broker, url, home, reconnect="5m", reconnect_pause="1s").environment

    @contextlib.contextmanager
    def running(self, *args: str, **streams: Any) -> Iterator[Running]:
        """A command that does not outlive the block."""
        run = Running(args, self.environment, **streams)
        try:
            yield run
        finally:
            run.close()

    def settle(self) -> None:
        """Make the queue where a young one might be forgotten with its broker's death."""
        if self.broker.name == "rabbitmq":
            settle(self.broker, self.queue)

    def kill_and_restart(self, nth: int) -> None:
        """Kill the broker behind the n-th confirmation from now, and start it again."""
        killed = self.link.down.call_at(b"RECEIPT\n", nth, self.broker.kill)
        assert killed.wait(RESTART_LIMIT_S), f"no {nth} confirmations came"
        self.broker.start()

    def drained(self) -> list[dict[str, Any]]:
        """What the queue holds."""
        with self.running("tail", self.queue, "--json", "--idle", "2s") as tail:
            done = tail.end()
        assert done.code == ExitCode.OK, done.err
        return records(done)


@pytest.fixture
def scene(broker: Broker, tmp_path: Path) -> Iterator[Scene]:
    queue = f"/queue/open.kill-{random.SystemRandom().getrandbits(32):x}"
    with Link(Endpoint(HOST, broker.ports["stomp"])) as link:
        yield Scene(broker, link, tmp_path, queue)


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
    publish = ("publish", scene.queue, "--lines", "--persistent", "--rate", RATE, "--resend-unknown")
    with scene.running("tail", scene.queue, "--json") as tail, scene.running(*publish, stdin=-1) as run:
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
    assert {int(record["payload"]) for record in received} == set(range(attempted))
    assert f"reconnects {KILLS}, longest outage " in published.last


def test_nothing_confirmed_is_lost_and_the_rest_is_unknown(scene: Scene, rng: random.Random) -> None:
    scene.settle()
    publish = ("publish", scene.queue, "--lines", "--persistent", "--rate", RATE)
    with scene.running(*publish, stdin=-1) as run:
        with feeding(run):
            scene.kill_and_restart(rng.randint(*KILL_AT))
            run.said("connected again")
        published = run.end()
    received = scene.drained()
    attempted, confirmed, rejected, unknown, resent = books(published)
    print(f"{scene.broker.name}: {published.last}; received {len(received)}")
    assert (rejected, resent, confirmed + unknown) == (0, 0, attempted)
    assert published.code == (ExitCode.CONNECTION if unknown else ExitCode.OK)
    numbers = {int(record["payload"]) for record in received}
    assert confirmed <= len(numbers) == len(received)
    assert numbers <= set(range(attempted))


def test_what_arrived_and_was_not_confirmed_is_marked_or_dropped(scene: Scene) -> None:
    """The connection is cut, and the broker lives: Artemis knows what it is sent twice, and drops it."""
    cut = scene.link.down.cut_at(b"RECEIPT\n", 100)
    with scene.running("publish", scene.queue, "--lines", "--persistent", "--resend-unknown", stdin=-1) as run:
        run.write(b"".join(b"%d\n" % number for number in range(500)))
        run.process.stdin.close()
        published = run.end()
    assert cut.wait(1)
    assert books(published)[:4] == [500, 500, 0, 0], published.err
    received = scene.drained()
    assert {int(record["payload"]) for record in received} == set(range(500))
    assert (assert_flagged(received) == 0) == (scene.broker.name == "artemis")
