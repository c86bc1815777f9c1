"""README's tables of brokers and transports, as a program reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
NAMES = {
    "ActiveMQ Classic": "classic",
    "Artemis": "artemis",
    "RabbitMQ": "rabbitmq",
    "Mosquitto": "mosquitto",
    "iotcore": "iotcore",
    "CometD": "cometd-java",
    "CometD for Node.js": "cometd",
    "Faye": "faye",
    "`mqctl hub`": "hub",
}
"""What the tables call a broker, and the tests."""


class Row(NamedTuple):
    """A broker: the version that it was tested with, and by scheme the files of tests, or why there are none."""

    version: str
    tests: dict[str, list[str]]
    reasons: dict[str, str]


def brokers() -> dict[str, Row]:
    """The rows by the names that tests use; one that is in both tables has the transports of both."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^\[(\w+)\]: (\S+)$", text, re.MULTILINE))
    found: dict[str, Row] = {}
    for table in re.findall(r"^\| broker \| tested \|(?:.*\|\n)+", text, re.MULTILINE):
        (_, _, *schemes), _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
        )
        for name, version, *cells in rows:
            row = found.setdefault(NAMES[name], Row(version, {}, {}))
            for scheme, cell in zip(schemes, cells, strict=True):
                if links := re.findall(r"\]\[(\w+)\]", cell):
                    row.tests[scheme] = [files[link] for link in links]
                else:
                    row.reasons[scheme] = cell
    return found
