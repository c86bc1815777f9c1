"""`mqctl probe`: what it says of a broker is what the broker does."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.protocols.stomp.spec import Limits
from mqctl.target import Endpoint

ANSWERS = {
    "server": "yes",
    "encryption": "no",
    "confirmed publish": "yes",
    "round trip": "yes",
    "wildcard *": "yes",
    "wildcard **": "yes",
    "headers": "yes",
    "selector": "unsupported",
    "ack auto": "yes",
    "ack client": "yes",
    "ack individual": "yes",
    "nack": "yes",
    "prefetch": "yes",
    "durable subscription": "yes",
    "kept session": "unsupported",
    "retained message": "unsupported",
    "shared subscription": "unsupported",
    "qos 0": "unsupported",
    "qos 1": "unsupported",
    "qos 2": "unsupported",
    "heart-beats": "yes",
    "largest message": "partly",
}
"""Of a hub that takes frames of 64 KiB."""


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    limits = Limits(frame_bytes=64 * 1024)
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), stomp_limits=limits, heart_beat_ms=1000)) as hub:
        yield hub.urls[0]


def test_every_question_is_answered_by_what_the_hub_does(mqctl):
    code, out, err = mqctl("probe", "--json", "--max-size", "1MiB")
    assert code == ExitCode.OK, err
    report = json.loads(out)
    findings = {finding["question"]: finding for finding in report["findings"]}
    assert {question: finding["outcome"] for question, finding in findings.items()} == ANSWERS
    assert report["left_behind"] == []
    assert 60 * 1024 < findings["largest message"]["taken_bytes"] < 64 * 1024
    assert findings["nack"]["seen"] == "a refused message comes again at once"
    assert 0 < findings["round trip"]["median_ms"] <= findings["round trip"]["max_ms"]
    assert report["broker"].startswith("stomp://127.0.0.1:")


def test_a_pipe_gets_a_line_for_each_question(mqctl):
    code, out, err = mqctl("probe", "--max-size", "1KiB", "--prefix", "open/test")
    assert code == ExitCode.OK, err
    header, *rows = out.decode().splitlines()
    assert header.split() == ["QUESTION", "ANSWER", "SEEN"]
    assert [row[:22].rstrip() for row in rows] == list(ANSWERS)
    assert "mqctl: asking: prefetch\n" in err


@pytest.mark.parametrize("size", ["0", "big", "1.5MiB"])
def test_a_bad_size_is_wrong_usage(mqctl, size):
    code, out, err = mqctl("probe", "--max-size", size)
    assert (code, out) == (ExitCode.USAGE, b"")
    assert f"not a size: '{size}'" in err


def test_a_wildcard_is_no_prefix(mqctl):
    code, out, err = mqctl("probe", "--prefix", "a.*")
    assert (code, out) == (ExitCode.USAGE, b"")
    assert "'a.*'" in err


def test_a_brokers_own_name_is_no_prefix(mqctl):
    code, out, err = mqctl("probe", "--prefix", "/topic/open")
    assert (code, out) == (ExitCode.USAGE, b"")
    assert "--prefix is a topic such as open.test, and no broker's own name: '/topic/open'" in err


def test_who_interrupts_it_is_told_what_is_left(start):
    running = start("probe", "--max-size", "1KiB")
    running.said("asking: prefetch")
    ended = running.end(signal.SIGINT)
    assert ended.code == ExitCode.INTERRUPTED
    assert "Traceback" not in ended.err


def test_a_broker_that_goes_away_is_no_success(start):
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as hub:
        running = start("probe", "--url", hub.urls[0], "--json")
        running.said("asking: ack client")
    ended = running.end()
    assert ended.code == ExitCode.CONNECTION
    assert "the broker was gone before everything was asked: nobody listens" in ended.err
    outcomes = {finding["question"]: finding["outcome"] for finding in json.loads(ended.out)["findings"]}
    assert list(outcomes) == list(ANSWERS)
    assert outcomes["round trip"] == "yes"
    assert outcomes["largest message"] == "unclear"


def test_nobody_there_is_said(mqctl, home):
    code, out, err = mqctl("probe", "--url", "stomp://127.0.0.1:1", env=home)
    assert (code, out) == (ExitCode.CONNECTION, b"")
    assert "nobody listens at 127.0.0.1:1" in err
