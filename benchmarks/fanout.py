"""Fan-out: the hub and other servers under the same load generator, in turn; over STOMP, and over Bayeux either way.

For Bayeux also how late messages come while all servers are given them at the same rate.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import ENVIRONMENT, MQCTL, ROOT, broker, in_turn, median, ratio, serving, table
from mqctl.target import parse_url
from tests.brokers.files import NotInstalled, foreign

PAYLOAD, WINDOW = 200, 100
HOLD_MS = 20_000
"""How long servers of Bayeux that can be told keep a connect."""


class Load(NamedTuple):
    """How many subscribers there are, and how many messages each gets; with a rate, so many a second."""

    subscribers: int
    messages: int
    rate: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A protocol of the load generator, who speaks it, and what is asked of them."""

    title: str
    servers: tuple[str, ...]
    loads: tuple[Load, ...]


KINDS: Mapping[str, Kind] = {
    "stomp": Kind(title="STOMP", servers=("classic", "artemis", "rabbitmq"), loads=(Load(1, 20_000), Load(100, 1_500))),
    "bayeux": Kind(
        title="Bayeux by WebSocket",
        servers=("faye", "cometd-java"),
        loads=(Load(1, 10_000), Load(100, 1_000), Load(1_000, 100), Load(100, 500, rate=100)),
    ),
    "polling": Kind(
        title="Bayeux by long-polling",
        servers=("faye", "cometd", "cometd-java"),
        loads=(Load(1, 1_000), Load(100, 300), Load(100, 250, rate=50)),
    ),
}
"""By the name that the load generator has for it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to be measured."""

    port: int
    path: str = "/"
    login: Mapping[str, str] = field(default_factory=dict)


class Found(NamedTuple):
    """What the load generator measured."""

    per_s: float
    late_ms: float
    """How late all but one message in a hundred came."""


@contextmanager
def peers(kind: str, servers: tuple[str, ...]) -> Iterator[dict[str, Peer]]:
    """Those of the servers that are installed, by name; the hub is first."""
    with ExitStack() as stack:
        found = {"hub": stack.enter_context(hub(kind))}
        for name in servers:
            with suppress(NotInstalled):
                found |= stack.enter_context(script(name) if name in ("faye", "cometd") else real(name, kind))
        yield found


@contextmanager
def hub(kind: str) -> Iterator[Peer]:
    """The hub."""
    listener = "--stomp" if kind == "stomp" else "--http"
    most = max(load.subscribers for load in KINDS[kind].loads)
    with serving([MQCTL, "hub", listener, "127.0.0.1:0", "--max-sessions-per-address", str(4 * most)]) as (url, *_):
        yield Peer(parse_url(url).endpoints[0].port, "/bayeux")


@contextmanager
def script(name: str) -> Iterator[dict[str, Peer]]:
    """A server for Node.js."""
    with serving([*foreign("bayeux", "server.js"), name, str(HOLD_MS)], last="{") as (line,):
        yield {f"{name} for Node.js": Peer(json.loads(line)["port"], "/bayeux" if name == "faye" else "/cometd")}


@contextmanager
def real(name: str, kind: str) -> Iterator[dict[str, Peer]]:
    """A broker."""
    with broker(name) as facts:
        url = parse_url(facts["stomp" if kind == "stomp" else "bayeux_http"]) if facts else None
        login = {"FANLOAD_USER": facts["user"], "FANLOAD_PASSWORD": facts["password"]} if facts else {}
        yield {f"{name} {facts['version']}": Peer(url.endpoints[0].port, url.path or "/", login)} if url else {}


def measured(fanload: Path, kind: str, peer: Peer, load: Load) -> Found:
    """Put a load on a server."""
    numbers = [load.subscribers, load.messages, PAYLOAD, load.rate, WINDOW]
    run = subprocess.run(
        [fanload, kind, str(peer.port), peer.path, *map(str, numbers)],
        capture_output=True, text=True, check=False, timeout=300, env={**ENVIRONMENT, **peer.login},
    )  # fmt: skip
    found = re.search(r"deliveries/s=(\d+).* p99=([\d.]+)ms", run.stdout)
    if not found or run.returncode:
        raise SystemExit(f"the load generator failed: {run.stdout}{run.stderr}")
    return Found(float(found[1]), float(found[2]))


def rows(fanload: Path, kind: str, servers: Mapping[str, Peer], load: Load, rounds: int) -> Iterator[list[str]]:
    """The hub against each of the others: deliveries per second, or at a rate lateness."""

    def measure(peer: Peer) -> float:
        found = measured(fanload, kind, peer, load)
        return found.late_ms if load.rate else found.per_s

    own, *others = in_turn(rounds, *(partial(measure, peer) for peer in servers.values()))
    unit = "ms" if load.rate else "/s"
    what = f"{load.subscribers}, {load.rate}/s: 99 % within" if load.rate else str(load.subscribers)
    for name, other in zip(list(servers)[1:], others, strict=True):
        better = ratio(other, own) if load.rate else ratio(own, other)
        yield [what, name, median(own, unit), median(other, unit), better]


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; all if none is named")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fanload = Path(folder, "fanload")
        subprocess.run(["cc", "-O2", "-o", fanload, ROOT / "benchmarks/fanload.c"], check=True)
        for name in chosen.kinds or KINDS:
            kind = KINDS[name]
            with peers(name, kind.servers) as servers:
                lines = [row for load in kind.loads for row in rows(fanload, name, servers, load, chosen.rounds)]
            table(
                f"Fan-out over {kind.title}, {PAYLOAD}-byte messages, {WINDOW} outstanding",
                ["subscribers", "against", "hub", "theirs", "ratio"],
                lines,
            )


if __name__ == "__main__":
    main()
