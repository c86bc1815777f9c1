"""What `strictOrderDispatchPolicy` costs at ActiveMQ Classic: the same load to a topic with it and to one without.

In turn: first as fast as confirmations come, then at a rate of which each arm can do more.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from functools import partial
from itertools import chain
from typing import NamedTuple

from benchmarks.measure import ENVIRONMENT, MQCTL, cpu_s, in_turn, interval, median, table
from mqctl.errors import ExitCode
from tests.brokers.files import NotInstalled
from tests.brokers.launch import launch
from tests.brokers.process import Broker

USUAL, STRICT = "usual.bench", "strict.bench"
"""The throwaway broker has the policy below `strict.>`."""

PUBLISHERS, SUBSCRIBERS = 4, (1, 10, 50)
PAIRS, HEAP_MB = 10, 1024
SHARE = 0.3
"""Of what the usual policy did: the rate at which latency is compared."""

LENGTH = ["--warmup", "1s", "--duration", "1500ms", "--drain", "10s"]


class Run(NamedTuple):
    """What a run showed. `sure`: whether the generator kept its schedule, and nothing else was odd.

    `cpu_us` is the broker's time on the processor for each delivery: a busy machine changes it least.
    """

    sent_per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    sure: bool


def run(broker: Broker, topic: str, subscribers: int, *load: str) -> Run:
    """One load."""
    login = {"MQCTL_URL": broker.url("stomp"), "MQCTL_USER": broker.user, "MQCTL_PASSWORD": broker.password}
    clients = ["-x", str(PUBLISHERS), "-y", str(subscribers)]
    before_s = cpu_s(broker.pid)
    ended = subprocess.run(
        [MQCTL, "bench", topic, *clients, *LENGTH, *load, "--json", "--quiet"],
        env={**ENVIRONMENT, **login},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert ended.returncode in (ExitCode.OK, ExitCode.INCONCLUSIVE), ended.returncode
    told = json.loads(ended.stdout)
    latency = told["latency_due_to_received"]
    cpu_us = (cpu_s(broker.pid) - before_s) * 1e6 / told["books"]["delivered"]
    return Run(told["sent_per_s"], cpu_us, latency["p50_ms"], latency["p99_ms"], ended.returncode == ExitCode.OK)


def rows(broker: Broker, subscribers: int) -> list[list[str]]:
    """What is compared, one line each."""
    arms = [partial(run, broker, topic, subscribers) for topic in (USUAL, STRICT)]
    usual, strict = in_turn(PAIRS, *arms)
    rate = SHARE * statistics.median(each.sent_per_s for each in usual)
    paced = in_turn(PAIRS, *(partial(arm, "--rate", f"{rate:.0f}") for arm in arms))
    unsure = sum(not each.sure for each in chain(*paced))
    lag = f", generator late in {unsure} of {2 * PAIRS} runs" if unsure else ""
    at = f"at {rate:,.0f}/s{lag}"
    return [
        _row(subscribers, "messages sent, at most", "/s", *_columns("sent_per_s", usual, strict)),
        _row(subscribers, "broker's CPU for a delivery then", "µs", *_columns("cpu_us", usual, strict)),
        _row(subscribers, f"p50 {at}", "ms", *_columns("p50_ms", *paced)),
        _row(subscribers, f"p99 {at}", "ms", *_columns("p99_ms", *paced)),
    ]


def _columns(field: str, usual: list[Run], strict: list[Run]) -> tuple[list[float], list[float]]:
    return [getattr(each, field) for each in usual], [getattr(each, field) for each in strict]


def _row(subscribers: int, what: str, unit: str, usual: list[float], strict: list[float]) -> list[str]:
    return [str(subscribers), what, median(usual, unit), median(strict, unit), interval(strict, usual)]


def main() -> None:
    """Print the table, or nothing where Classic is missing."""
    try:
        with launch("classic", heap_mb=HEAP_MB) as broker:
            table(
                f"Strict order of dispatch at Classic {broker.version}: {PUBLISHERS} publishers, {PAIRS} pairs of runs",
                ["subscribers", "what", "usual policy", "strict order", "strict ÷ usual, median (95 % interval)"],
                [row for subscribers in SUBSCRIBERS for row in rows(broker, subscribers)],
            )
    except NotInstalled as missing:
        print(missing)


if __name__ == "__main__":
    main()
