"""How long `mqctl check` takes for long histories, and how much memory: each whole process, by its events."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

from benchmarks.measure import ENVIRONMENT, MQCTL, table
from mqctl.experiments.events import Acked, Confirmed, Delivered, End, Event, Header, Publish, Subscribed
from mqctl.experiments.history import Writer

EVENTS = (1_000_000, 10_000_000)
TARGET_S = 15
CONSUMERS = ("c1", "c2", "c3")
AT_ONCE = 1000
ODD = 0.001
"""The share of deliveries that are lost, doubled or late in a history of a bad broker."""


class Cost(NamedTuple):
    """Of a whole process."""

    wall_s: float
    cpu_s: float
    memory_mb: float
    verdict: str


def published(n: int) -> tuple[str, int, int]:
    """The producer, the number and the time of message n."""
    return "ABCD"[n % 4], n // 4, 20_000 * n


def topic(size: int) -> Iterator[list[Event]]:
    """Four producers, three consumers that each get everything."""
    yield [Subscribed(consumer, "t") for consumer in CONSUMERS]
    for n in range(size // 5):
        producer, number, at_ns = published(n)
        yield [
            Publish(producer, number, "t", at_ns, at_ns + 900),
            Confirmed(producer, number, at_ns + 90_000),
            *(Delivered(consumer, producer, number, at_ns + 80_000, at_ns) for consumer in CONSUMERS),
        ]


def queue(size: int) -> Iterator[list[Event]]:
    """Four producers, three consumers that share the messages and acknowledge them."""
    yield [Subscribed(consumer, "q", "q", ack="individual", prefetch=10) for consumer in CONSUMERS]
    for n in range(size // 4):
        producer, number, at_ns = published(n)
        consumer = CONSUMERS[n % 3]
        yield [
            Publish(producer, number, "q", at_ns, at_ns + 900),
            Confirmed(producer, number, at_ns + 90_000),
            Delivered(consumer, producer, number, at_ns + 80_000, at_ns),
            Acked(consumer, producer, number, at_ns + 99_000),
        ]


def bad_topic(size: int) -> Iterator[list[Event]]:
    """As the topic, of a broker that loses, doubles and delays."""
    chance = random.Random(1)
    held: list[Event] = []
    for events in topic(size):
        came: list[Event] = []
        for event in events:
            fate = chance.random() if isinstance(event, Delivered) else 1
            if fate < ODD:
                held.append(event)
            elif fate > 1 - ODD and isinstance(event, Delivered):
                came += [event, event]
            elif fate > 2 * ODD:
                came.append(event)
        yield came + (held if len(held) > 3 else [])
        held = held if len(held) <= 3 else []


def write(sink: BinaryIO, stretches: Iterator[list[Event]]) -> None:
    """A whole history."""
    writer = Writer(sink, Header(version=1, name="benchmark"))
    some: list[Event] = []
    for events in stretches:
        some += events
        if len(some) > AT_ONCE:
            writer.write(*some)
            some = []
    writer.write(*some, End(drained=True))


def cost(path: Path) -> Cost:
    """Judge it, by everything there is to judge."""
    start = time.perf_counter()
    checking = subprocess.Popen(
        [MQCTL, "check", str(path), "--expect", "total-order,exactly-once,no-gaps"],
        stdout=subprocess.PIPE, env=ENVIRONMENT, text=True,
    )  # fmt: skip
    assert checking.stdout is not None
    report = checking.stdout.read()
    _, _, usage = os.wait4(checking.pid, 0)
    checking.returncode = 0
    return Cost(
        time.perf_counter() - start,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        report.partition("\n")[0].split()[1],
    )


def main() -> None:
    """Print the table; an argument is the largest number of events."""
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS[-1]
    sizes = [size for size in EVENTS if size <= largest]
    histories: dict[str, Callable[[int], Iterator[list[Event]]]] = {
        "topic, 3 consumers": topic,
        "queue, acknowledged": queue,
        "topic, 0.3 % odd": bad_topic,
    }
    rows = []
    with TemporaryDirectory() as folder:
        for name, make in histories.items():
            for size in sizes:
                path = Path(folder, "history.jsonl")
                with path.open("wb") as file:
                    write(file, make(size))
                spent = cost(path)
                rows.append(
                    [
                        name,
                        f"{size:,}",
                        f"{path.stat().st_size / 1e6:,.0f} MB",
                        f"{spent.wall_s:.1f} s",
                        f"{spent.cpu_s:.1f} s",
                        f"{spent.memory_mb:.0f} MB",
                        spent.verdict,
                    ]
                )
    header = ["history", "events", "file", "wall", "processor", "memory", "verdict"]
    table(f"mqctl check; 10 million events are to take ≤ {TARGET_S} s in flat memory", header, rows)


if __name__ == "__main__":
    main()
