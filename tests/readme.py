"""README's table of brokers and transports, as a program reads it."""

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
    "`mqctl hub`": "hub",
}
"""What the table calls a broker, and the tests."""


class Row(NamedTuple):
    """A broker: the version that it was tested with, and by scheme the files of tests, or why there are none."""

    version: str
    tests: dict[str, list[str]]
    reasons: dict[str, str]


def brokers() -> dict[str, Row]:
    """The rows by the names that tests use."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^\[(\w+)\]: (\S+)$", text, re.MULTILINE))
    table = text[text.index("| broker | tested |") :].partition("\n\n")[0]
    (_, _, *schemes), _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    found = {}
    for name, version, *cells in rows:
        links = {scheme: re.findall(r"\]\[(\w+)\]", cell) for scheme, cell in zip(schemes, cells, strict=True)}
        found[NAMES[name]] = Row(
            version,
            {scheme: [files[link] for link in of] for scheme, of in links.items() if of},
            {scheme: cell for scheme, cell in zip(schemes, cells, strict=True) if not links[scheme]},
        )
    return found
