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


def test_acknowledgements_are_tried_over_websocket_too(broker: Broker, tmp_path: Path) -> None:
    findings = {
        finding["question"]: finding["outcome"] for finding in probed(broker, "stomp+wss", tmp_path)["findings"]
    }
    assert {findings[question] for question in ("ack auto", "ack client", "ack individual", "nack", "prefetch")} == {
        "yes"
    }


def test_who_may_do_little_is_told_what_is_refused(broker: Broker, tmp_path: Path) -> None:
    rights = {"user": broker.credentials.limited_user, "password": broker.credentials.limited_password}
    ended = program_at(broker, broker.url("stomp"), tmp_path, **rights).run("probe", "--json", "--prefix", "closed")
    assert ended.code == ExitCode.OK, ended.err
    report = json.loads(ended.out)
    findings = {finding["question"]: finding for finding in report["findings"]}
    for question in ("confirmed publish", "round trip", "ack auto", "durable subscription", "largest message"):
        assert findings[question]["outcome"] == "no"
        assert findings[question]["seen"].startswith("refused: ")
    assert report["left_behind"] == []


def test_mqtt_is_what_it_is_known_to_be(mqtt_broker: Broker, tmp_path: Path) -> None:
    report = probed(mqtt_broker, "mqtt", tmp_path, "--max-size", "64KiB")
    findings = {finding["question"]: finding for finding in report["findings"]}
    odd = {question: finding["outcome"] for question, finding in findings.items() if question in MQTT}
    assert odd == MQTT | MQTT_ODD.get(mqtt_broker.name, {})
    others = {question: finding for question, finding in findings.items() if question not in MQTT}
    assert {question for question, finding in others.items() if finding["outcome"] != "yes"} == {"encryption"}, others
    assert report["left_behind"] == []
