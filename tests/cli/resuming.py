"""A run of `tail --resume` that is cut off again and again, while somebody publishes."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mqctl.adapters.bayeux import BayeuxAdapter
from mqctl.model import Confirmed, Outgoing, Topic
from mqctl.target import Target, parse_url
from tests.cli.commands import PATIENCE_S, Running

TOPIC = "resumed"
MESSAGES = 600


@contextmanager
def publishing(url: str, rng: random.Random) -> Iterator[None]:
    """Publish numbers, a few at a time; at the end all are confirmed."""
    where = parse_url(url)
    target = Target(scheme=where.scheme, endpoints=where.endpoints, path=where.path)
    failures: list[object] = []

    def publish() -> None:
        pause = threading.Event()
        with BayeuxAdapter().connect(target, sink=lambda _events: None) as connection:
            number = 0
            while number < MESSAGES:
                upto = min(MESSAGES, number + rng.randint(1, 20))
                some = [Outgoing(topic=Topic(levels=(TOPIC,)), payload=b"%d" % each) for each in range(number, upto)]
                outcomes = [each.outcome(PATIENCE_S) for each in map(connection.submit, some)]
                failures.extend(outcome for outcome in outcomes if not isinstance(outcome, Confirmed))
                number = upto
                pause.wait(rng.uniform(0, 0.1))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not failures


def cut_off(
    start: Callable[..., Running], url: str, file: Path, rng: random.Random, number: signal.Signals
) -> list[int]:
    """What all runs together printed: each but the last is ended by a signal, or its count, somewhere in the middle."""
    command = ("tail", TOPIC, "--resume", str(file), "--url", url)
    printed: list[int] = []
    first = start(*command)
    first.said("subscribed to")
    with publishing(url, rng):
        _end(first, rng, number, printed)
        for _ in range(4):
            if rng.random() < 0.5:
                result = start(*command, "--count", str(rng.randint(1, 30)), "--idle", "3s").end()
                printed += map(int, result.out.split())
            else:
                running = start(*command)
                running.said("subscribed to")
                _end(running, rng, number, printed)
    result = start(*command, "--idle", "1s").end()
    return [*printed, *map(int, result.out.split())]


def _end(running: Running, rng: random.Random, number: signal.Signals, printed: list[int]) -> None:
    """Send it a signal wherever it is after a while that chance chooses."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.process.wait(rng.uniform(0, 0.4))
    printed += map(int, running.end(number).out.split())
