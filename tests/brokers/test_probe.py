"""`mqctl probe` tells of each broker what is known of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mqctl.errors import ExitCode
from tests.brokers.process import Broker
from tests.brokers.program import program_at

NACK = {
    "classic": "a refused message does not come again: it is dropped or dead-lettered",
    "artemis": "a refused message does not come again: it is dropped or dead-lettered",
    "rabbitmq": "a refused message comes again at once",
}
LACKING = {"rabbitmq": {"selector"}}
OF_MQTT = {"kept session", "retained message", "shared subscription", "qos 0", "qos 1", "qos 2"}


MQTT = {
    "ack individual": "partly",
    "qos 2": "yes",
    "shared subscription": "yes",
    **dict.fromkeys(("headers", "selector", "nack", "prefetch", "durable subscription"), "unsupported"),
}
MQTT_ODD = {
    "classic": {"shared subscription": "no"},
    "rabbitmq": {"shared subscription": "no", "qos 2": "partly"},
}
"""What MQTT 3.1.1 does that is no plain yes, and where brokers do less."""


def probed(broker: Broker, scheme: str, home: Path, *more: str) -> dict[str, Any]:
    ended = program_at(broker, broker.url(scheme), home).run("probe", "--json", "--prefix", "open.probe", *more)
    assert ended.code == ExitCode.OK, ended.err
    report: dict[str, Any] = json.loads(ended.out)
    return report


def test_stomp_is_what_it_is_known_to_be(broker: Broker, tmp_path: Path) -> None:
    report = probed(broker, "stomp+ssl", tmp_path)
    findings = {finding["question"]: finding for finding in report["findings"]}
    unsupported = {question for question, finding in findings.items() if finding["outcome"] == "unsupported"}
    assert unsupported == OF_MQTT | LACKING.get(broker.name, set())
    others = {question: finding for question, finding in findings.items() if question not in unsupported}
    assert {finding["outcome"] for finding in others.values()} == {"yes"}, others
    assert findings["nack"]["seen"] == NACK[broker.name]
    assert findings["encryption"]["version"] == "TLSv1.3"
    assert findings["server"]["dialect"] == broker.name
    assert len(report["left_behind"]) == (broker.name == "classic")


def test_mqtt_is_what_it_is_known_to_be(mqtt_broker: Broker, tmp_path: Path) -> None:
    report = probed(mqtt_broker, "mqtt", tmp_path, "--max-size", "64KiB")
    findings = {finding["question"]: finding for finding in report["findings"]}
    odd = {question: finding["outcome"] for question, finding in findings.items() if question in MQTT}
    assert odd == MQTT | MQTT_ODD.get(mqtt_broker.name, {})
    others = {question: finding for question, finding in findings.items() if question not in MQTT}
    assert {question for question, finding in others.items() if finding["outcome"] != "yes"} == {"encryption"}, others
    assert report["left_behind"] == []
