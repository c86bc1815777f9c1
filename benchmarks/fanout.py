"""Fan-out over STOMP: the hub, ActiveMQ Classic and RabbitMQ under the same load generator, in turn."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import ENVIRONMENT, ROOT, broker, hub, in_turn, median, ratio, table
from mqctl.target import parse_url

PAYLOAD, WINDOW, ROUNDS = 200, 100, 5
LOADS = {1: 20_000, 100: 1_500}
"""Subscribers, and messages to each."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to be measured."""

    port: int
    login: dict[str, str]


@contextmanager
def peers() -> Iterator[dict[str, Peer]]:
    """The servers that are installed, by name; the hub is first."""
    with ExitStack() as stack:
        (url,) = stack.enter_context(hub())
        found = {"hub": Peer(_port(url), {})}
        for name in ("classic", "artemis", "rabbitmq"):
            if facts := stack.enter_context(broker(name)):
                login = {"FANLOAD_USER": facts["user"], "FANLOAD_PASSWORD": facts["password"]}
                found[f"{name} {facts['version']}"] = Peer(_port(facts["stomp"]), login)
        yield found


def _port(url: str) -> int:
    return parse_url(url).endpoints[0].port


def deliveries_per_s(fanload: Path, peer: Peer, subscribers: int, messages: int) -> float:
    """What the load generator measured."""
    run = subprocess.run(
        [fanload, "stomp", str(peer.port), "/", str(subscribers), str(messages), str(PAYLOAD), "0", str(WINDOW)],
        capture_output=True, text=True, check=False, timeout=300, env={**ENVIRONMENT, **peer.login},
    )  # fmt: skip
    found = re.search(r"deliveries/s=(\d+)", run.stdout)
    if not found or run.returncode:
        raise SystemExit(f"the load generator failed: {run.stdout}{run.stderr}")
    return float(found[1])


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, peers() as servers:
        fanload = Path(folder, "fanload")
        subprocess.run(["cc", "-O2", "-o", fanload, ROOT / "benchmarks/fanload.c"], check=True)
        rows = []
        for subscribers, messages in LOADS.items():
            measures = [partial(deliveries_per_s, fanload, peer, subscribers, messages) for peer in servers.values()]
            own, *others = in_turn(ROUNDS, *measures)
            for name, other in zip(list(servers)[1:], others, strict=True):
                rows.append([str(subscribers), name, median(own, "/s"), median(other, "/s"), ratio(own, other)])
    table(
        f"Fan-out over STOMP, {PAYLOAD}-byte messages, {WINDOW} outstanding",
        ["subscribers", "against", "hub, deliveries", "theirs", "ratio"],
        rows,
    )


if __name__ == "__main__":
    main()
