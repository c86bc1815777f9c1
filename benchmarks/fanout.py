"""Fan-out over STOMP: the hub, ActiveMQ Classic and RabbitMQ under the same load generator, in turn."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.measure import MQCTL, ROOT, in_turn, median, ratio, serving, table

PAYLOAD, WINDOW, ROUNDS = 200, 100, 5
LOADS = {1: 50_000, 100: 4_000}
"""Subscribers, and messages to each."""

USER, PASSWORD = "guest", "guest"
"""Whom the load generator logs in as."""


@contextmanager
def peers() -> Iterator[dict[str, int]]:
    """The STOMP port of each server that is installed."""
    with ExitStack() as stack:
        (url,) = stack.enter_context(serving([MQCTL, "hub", "--stomp", "127.0.0.1:0"]))
        ports = {"hub": int(url.rpartition(":")[2])}
        for name in ("classic", "rabbitmq"):
            command = [sys.executable, "-m", "tests.brokers", "run", name, "--heap", "1024", "--user", USER]
            try:
                facts = stack.enter_context(serving([*command, "--password", PASSWORD], lines=8))
            except OSError as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            found = re.search(r"^stomp_port=(\d+)$", "\n".join(facts), re.MULTILINE)
            if found:
                ports[name] = int(found[1])
        yield ports


def deliveries_per_s(fanload: Path, port: int, subscribers: int, messages: int) -> float:
    """What the load generator measured."""
    run = subprocess.run(
        [fanload, "stomp", str(port), "/", str(subscribers), str(messages), str(PAYLOAD), "0", str(WINDOW)],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    found = re.search(r"deliveries/s=(\d+)", run.stdout)
    assert found, run.stdout
    return float(found[1])


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, peers() as ports:
        fanload = Path(folder, "fanload")
        subprocess.run(["cc", "-O2", "-o", fanload, ROOT / "benchmarks/fanload.c"], check=True)
        rows = []
        for subscribers, messages in LOADS.items():
            measures = [partial(deliveries_per_s, fanload, port, subscribers, messages) for port in ports.values()]
            hub, *others = in_turn(ROUNDS, *measures)
            for name, other in zip(list(ports)[1:], others, strict=True):
                rows.append([str(subscribers), name, median(hub, "/s"), median(other, "/s"), ratio(hub, other)])
    table(
        f"Fan-out over STOMP, {PAYLOAD}-byte messages, {WINDOW} outstanding",
        ["subscribers", "against", "hub, deliveries", "theirs", "ratio"],
        rows,
    )


if __name__ == "__main__":
    main()
