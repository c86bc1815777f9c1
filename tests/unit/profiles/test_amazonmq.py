"""What goes wrong at Amazon MQ, each with the next step."""

from __future__ import annotations

import re
import tomllib

import pytest

from mqctl.errors import ConfigError, UnsupportedError
from mqctl.profiles.amazonmq import (
    PORTS,
    RABBITMQ_ENGINE,
    Host,
    Problem,
    check_url,
    find_host,
    hint_for,
    how_to_fill_in,
    read_host,
    remarks,
)
from mqctl.profiles.store import shipped_dir
from mqctl.target import Endpoint, parse_url

ID = "b-4aada85d-a80c-4be0-9d30-e344a01b921e"
ONE = f"{ID}-1.mq.eu-west-1.amazonaws.com"
TWO = f"{ID}-2.mq.eu-west-1.amazonaws.com"
RABBIT = f"{ID}.mq.eu-west-1.on.aws"


@pytest.mark.parametrize(
    ("name", "host"),
    [
        (ONE, Host(ID, "1", "eu-west-1")),
        (TWO.upper(), Host(ID, "2", "eu-west-1")),
        (RABBIT, Host(ID, None, "eu-west-1")),
        (f"{ID}-1.mq.cn-north-1.amazonaws.com.cn", Host(ID, "1", "cn-north-1")),
        (f"{ID}-1.mq.us-west-2.on.aws", Host(ID, "1", "us-west-2")),
        ("broker.example", None),
        ("queue.eu-west-1.amazonaws.com", None),
        (ONE + ".evil.example", None),
    ],
)
def test_hosts(name, host):
    """A host at Amazon MQ tells broker, half of the pair and region; any other is none."""
    assert read_host(name) == host


def test_host_in_a_url():
    """The host is found in whatever URL the console shows."""
    assert find_host(f"https://{TWO}:8162/admin") == Host(ID, "2", "eu-west-1")
    assert find_host("orders") is None


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (Problem.REFUSED, "whether the broker is RUNNING"),
        (Problem.REFUSED, "name both endpoints, -1 and -2"),
        (Problem.TIMEOUT, "security group must let port 61614 in"),
        (Problem.TIMEOUT, "answers in its VPC only"),
        (Problem.TIMEOUT, "name both endpoints, -1 and -2"),
        (Problem.NO_HOST, "not in eu-west-1"),
        (Problem.HUNG_UP, "300 on a micro instance"),
        (Problem.HUNG_UP, "such as MQTT 5"),
        (Problem.DENIED, "not those of IAM"),
    ],
)
def test_hints(problem, words):
    """Every failure has its next steps at Amazon MQ, and none elsewhere."""
    assert words in str(hint_for(Endpoint(ONE, 61614), problem, [Endpoint(ONE, 61614)]))
    assert hint_for(Endpoint("broker.example", 61614), problem) is None


def test_hint_where_both_halves_are_named():
    """Who named both is not told to; a half of another pair is none of this one."""
    both = [Endpoint(ONE, 61614), Endpoint(TWO, 61614)]
    assert "nobody answers for some seconds" in str(hint_for(both[0], Problem.TIMEOUT, both))
    others = [both[0], Endpoint(TWO.replace("4", "5"), 61614), Endpoint("broker.example", 1)]
    assert "name both" in str(hint_for(both[0], Problem.TIMEOUT, others))


@pytest.mark.parametrize("scheme", ["stomp+ssl", "mqtt", "wss", "amqps", "https"])
def test_the_rabbitmq_engine(scheme):
    """A host without -1 or -2 is the engine without STOMP and MQTT, which is said and not waited for."""
    with pytest.raises(UnsupportedError, match=f"{RABBIT}, a host .* offers AMQP only, neither STOMP nor MQTT") as told:
        check_url(parse_url(f"{scheme}://{RABBIT}"))
    assert "ActiveMQ engine" in str(told.value.hint)


@pytest.mark.parametrize("scheme", ["stomp+ssl", "mqtt+ssl", "stomp+wss", "wss"])
@pytest.mark.parametrize(("port", "served"), PORTS.items())
def test_ports_of_other_protocols(scheme, port, served):
    """At the port of another protocol nobody waits for an answer; the port of this one is told."""
    url = parse_url(f"{scheme}://{ONE}:{port}")
    if {"stomp+ssl": "STOMP", "mqtt+ssl": "MQTT"}.get(scheme, "WebSocket") == served:
        check_url(url)
        return
    with pytest.raises(ConfigError, match=f"port {port} of Amazon MQ is {served}") as refused:
        check_url(url)
    assert re.match(r"(STOMP|MQTT|WebSocket) is at \d+; take the endpoint", str(refused.value.hint))


def test_bayeux():
    """What Amazon MQ does not speak at all is told before a port is looked at."""
    with pytest.raises(ConfigError, match="does not speak Bayeux"):
        check_url(parse_url(f"bayeux+http://{ONE}"))


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (f"stomp://{ONE}:61614", "use stomp+ssl://"),
        (f"mqtt://ok.example,{TWO}:8883", "use mqtt+ssl://"),
        (f"stomp+ws://{ONE}:61614", "use stomp+wss:// and port 61619"),
    ],
)
def test_plain_text_is_refused(url, hint):
    """Nothing is sent in plain text to what takes TLS only."""
    with pytest.raises(ConfigError, match="takes TLS only") as refused:
        check_url(parse_url(url))
    assert refused.value.hint == hint


@pytest.mark.parametrize(
    "url",
    [
        f"stomp+ssl://{ONE},{TWO}",
        f"mqtt+wss://{ONE}:61619",
        "stomp://broker.example:61617",
        f"amqp+ssl://{ONE}:5671",
        f"stomp+ssl://{ONE}:7000",
    ],
)
def test_what_can_work_is_let_through(url):
    """TLS at Amazon MQ, and anything elsewhere."""
    check_url(parse_url(url))


@pytest.mark.parametrize(
    ("url", "heart_beat_s", "version", "words"),
    [
        (f"stomp+ssl://{ONE}", 0.0, "3.1.1", ["heart-beats are off"]),
        (f"stomp+ssl://{TWO}", 10.0, "5", ["name the -1 endpoint too"]),
        (f"mqtt+ssl://{TWO}", 0.0, "5", ["heart-beats are off", "MQTT 3.1 and 3.1.1, not 5", "name the -1 endpoint"]),
        (f"wss://{ONE}", 10.0, "5", ["not 5"]),
        (f"stomp+ssl://{ONE}", 10.0, "3.1.1", []),
        (f"stomp+ssl://{TWO},{ONE}", 10.0, "3.1.1", []),
        ("mqtt://broker.example", 0.0, "5", []),
    ],
)
def test_remarks(url, heart_beat_s, version, words):
    """Heart-beats that are off, half a pair, MQTT 5: told before they hurt."""
    told = list(remarks(parse_url(url), heart_beat_s=heart_beat_s, mqtt_version=version))
    assert len(told) == len(words)
    assert all(word in line for word, line in zip(words, told, strict=True))


def test_the_sample_says_the_same_sentence():
    """The profile amazonmq-rabbitmq and the code have one sentence about that engine."""
    document = tomllib.loads((shipped_dir() / "amazonmq-rabbitmq.toml").read_text("utf-8"))
    assert document["unavailable"] == RABBITMQ_ENGINE


def test_how_to_fill_in():
    """A sample of Amazon MQ is best replaced by asking Amazon MQ."""
    assert how_to_fill_in(parse_url("stomp+ssl://b-<id>-1.mq.<region>.x"), "p").startswith(
        "mqctl profile add NAME --amazonmq BROKER, or "
    )
    assert how_to_fill_in(parse_url("stomp://<host>"), "p") == "mqctl profile add NAME --extends p --url URL"
