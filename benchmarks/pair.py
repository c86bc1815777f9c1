"""A publisher and a subscriber through Mosquitto: `mqctl publish --lines` and `mqctl tail`, and mosquitto's own pair.

The subscriber prints a retained message first, which tells that it is subscribed; then the lines begin.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import ENVIRONMENT, MQCTL, in_turn, median, ratio, table
from mqctl.target import parse_url
from tests.brokers.files import NotInstalled
from tests.brokers.launch import launch
from tests.brokers.process import Broker

COUNT, SIZE, ROUNDS = 60_000, 64, 5
"""Below 65,536: `mosquitto_pub -l` leaves once the packet id of its last line is answered, be it to an earlier line."""

LIMIT_S = 60.0
"""A subscriber that has not got all by then never will."""
SETTINGS = {"max_queued_messages": 0, "max_inflight_messages": 0, "persistence": "false"}
"""No limit beyond which Mosquitto drops what a subscriber has not read yet, and nothing on disk."""

QOS = ("0", "1")


class Sides(NamedTuple):
    """Two commands, of which the first writes what the second reads, and the environment of both."""

    publish: list[str]
    subscribe: list[str]
    environment: Mapping[str, str]


def ours(broker: Broker, qos: str) -> Sides:
    """mqctl at both ends."""
    login = {"MQCTL_URL": broker.url("mqtt"), "MQCTL_USER": broker.user, "MQCTL_PASSWORD": broker.password}
    return Sides(
        [MQCTL, "publish", "bench", "--lines", "--qos", qos],
        [MQCTL, "tail", "bench", "--qos", qos, "--count", str(COUNT + 1)],
        {**ENVIRONMENT, **login},
    )


def theirs(broker: Broker, qos: str) -> Sides:
    """Mosquitto's own clients."""
    port = str(parse_url(broker.url("mqtt")).endpoints[0].port)
    common = ["-p", port, "-u", broker.user, "-P", broker.password, "-t", "bench", "-q", qos]
    return Sides(["mosquitto_pub", *common, "-l"], ["mosquitto_sub", *common, "-C", str(COUNT + 1)], ENVIRONMENT)


def messages_per_s(publish: Sides, subscribe: Sides, lines: Path) -> float:
    """From the start of the publisher until the subscriber has printed all."""
    with subprocess.Popen(
        subscribe.subscribe, env=subscribe.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as subscriber:
        assert subscriber.stdout is not None
        deadline = threading.Timer(LIMIT_S, subscriber.kill)
        deadline.start()
        subscriber.stdout.readline()
        start = time.perf_counter()
        with lines.open("rb") as source:
            subprocess.run(
                publish.publish, env=publish.environment, stdin=source, stderr=subprocess.DEVNULL, check=True
            )
        shutil.copyfileobj(subscriber.stdout, Sink())
        took_s = time.perf_counter() - start
        deadline.cancel()
    if subscriber.returncode:
        raise RuntimeError(f"{' '.join(subscribe.subscribe[:2])} did not get all messages of {publish.publish[0]}")
    return COUNT / took_s


class Sink:
    """Takes everything."""

    def write(self, data: bytes) -> int:
        """Forget it."""
        return len(data)


def check_clients() -> None:
    """Raises NotInstalled where Mosquitto's clients are missing; they are a package of their own."""
    if not shutil.which("mosquitto_pub"):
        raise NotInstalled("mosquitto_pub is not installed: run `make brokers`")


def rows(broker: Broker, lines: Path) -> list[list[str]]:
    """Each end of mqctl against Mosquitto's, and both."""
    found = []
    for qos in QOS:
        own, other = ours(broker, qos), theirs(broker, qos)
        pairs = {"tail": (other, own), "publish --lines": (own, other), "publish --lines, tail": (own, own)}
        measured = in_turn(
            ROUNDS, *(partial(messages_per_s, *pair, lines) for pair in [(other, other), *pairs.values()])
        )
        for name, values in zip(pairs, measured[1:], strict=True):
            target = "reach for 1×" if name == "tail" else ""
            found.append(
                [qos, name, median(values, "/s"), median(measured[0], "/s"), ratio(values, measured[0]), target]
            )
    return found


def main() -> None:
    """Print the table, or nothing where Mosquitto is missing."""
    try:
        check_clients()
        with launch("mosquitto", **SETTINGS) as broker, tempfile.TemporaryDirectory() as folder:
            lines = Path(folder, "lines")
            lines.write_text(f"{'x' * SIZE}\n" * COUNT)
            retain = theirs(broker, "1").publish[:-1]
            subprocess.run([*retain, "-r", "-m", "subscribed"], check=True)
            table(
                f"Through Mosquitto {broker.version}: {COUNT:,} messages of {SIZE} bytes; what is not named is its own",
                ["QoS", "mqctl at one end or both", "messages/s", "mosquitto_pub -l, mosquitto_sub", "ratio", "target"],
                rows(broker, lines),
            )
    except NotInstalled as missing:
        print(missing)


if __name__ == "__main__":
    main()
