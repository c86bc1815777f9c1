"""`publish` and `tail` over MQTT, as installed, at a broker that comes as a Python package."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator

import pytest

from mqctl.errors import ExitCode
from tests.brokers.launch import launch
from tests.brokers.process import Broker
from tests.unit.adapters.fake_mqtt import FakeBroker


@pytest.fixture(scope="module")
def iotcore() -> Iterator[Broker]:
    with launch("iotcore") as broker:
        yield broker


@pytest.fixture
def env(home: dict[str, str], iotcore: Broker) -> dict[str, str]:
    return {
        **home,
        "MQCTL_URL": iotcore.url("mqtt"),
        "MQCTL_USER": iotcore.user,
        "MQCTL_PASSWORD": iotcore.password,
    }


@pytest.fixture
def five(env: dict[str, str], iotcore: Broker) -> dict[str, str]:
    """The same, where MQTT 5 is spoken."""
    return {**env, "MQCTL_URL": iotcore.url("mqtt-v5"), "MQCTL_MQTT_VERSION": "5"}


@pytest.fixture
def topic() -> str:
    return f"open.cli-{uuid.uuid4().hex[:8]}"


def test_a_message_goes_from_one_command_to_the_other(start, mqctl, topic):
    tail = start("tail", f"{topic}.*", "--json", "--count", "2")
    tail.said("subscribed to")
    assert mqctl("publish", f"{topic}.a", "one").last == "mqctl: attempted 1, confirmed 1, rejected 0, unknown 0"
    assert mqctl("publish", f"{topic}.b", "--qos", "2", "two").code == ExitCode.OK
    code, out, _ = tail.end()
    assert code == ExitCode.OK
    records = [json.loads(line) for line in out.splitlines()]
    assert [(each["topic"], each["payload"]) for each in records] == [(f"{topic}.a", "one"), (f"{topic}.b", "two")]


def test_at_qos_0_nothing_is_claimed_to_be_confirmed(mqctl, topic):
    code, _, err = mqctl("publish", topic, "--qos", "0", "x", "y")
    assert code == ExitCode.OK
    assert err == (
        "mqctl: attempted 2, confirmed 0, rejected 0, unknown 2 (2 sent at QoS 0, which no broker confirms)\n"
    )


def test_what_mqtt_5_carries_comes_back_and_can_be_sent_on(start, mqctl, five, topic):
    sent = ["-H", "mine=1", "--content-type", "text/x", "--reply-to", "open/back", "--expires", "1m"]
    tail = start("tail", topic, f"{topic}.again", "--json", "--count", "2", env=five)
    tail.said("subscribed to")
    assert mqctl("publish", topic, "x", *sent, env=five).code == ExitCode.OK
    line = tail.printed()
    headers = json.loads(line)["headers"]
    assert 0 < int(headers.pop("message-expiry")) <= 60
    assert headers == {"mine": "1", "content-type": "text/x", "reply-to": "open/back"}
    assert mqctl("publish", f"{topic}.again", "--jsonl", data=line, env=five).code == ExitCode.OK
    assert json.loads(tail.printed())["headers"].items() >= headers.items()


@pytest.mark.parametrize(("retained", "lines"), [("all", ["kept", "new"]), ("skip", ["new"]), ("only", ["kept"])])
def test_what_the_broker_kept_is_wanted_or_not(start, mqctl, topic, retained, lines):
    mqctl("publish", topic, "--retain", "kept")
    tail = start("tail", topic, "--retained", retained, "--count", str(len(lines)))
    tail.said("subscribed to")
    mqctl("publish", topic, "new")
    code, out, _ = tail.end()
    assert (code, out.decode().split()) == (ExitCode.OK, lines)


def test_a_client_with_a_name_finds_what_came_while_it_was_away(mqctl, topic):
    name = ["--client-id", topic]
    assert mqctl("tail", topic, *name, "--idle", "100ms").code == ExitCode.OK
    mqctl("publish", topic, "meanwhile")
    code, out, _ = mqctl("tail", topic, *name, "--ack", "individual", "--count", "1")
    assert (code, out) == (ExitCode.OK, b"meanwhile\n")
    assert mqctl("tail", topic, *name, "--clean", "--idle", "100ms").out == b""


def test_a_group_shares_the_messages(start, mqctl, topic):
    tails = [start("tail", topic, "--shared", "group", "--count", "2") for _ in range(2)]
    for tail in tails:
        tail.said("subscribed to")
    mqctl("publish", topic, "1", "2", "3", "4")
    assert sorted(line for tail in tails for line in tail.end().out.splitlines()) == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize(
    ("command", "code", "says", "hint"),
    [
        (["publish", "t", "x", "-H", "a=b"], 5, "MQTT 3.1.1 has no headers", "--mqtt-version 5"),
        (["publish", "t", "x", "--expires", "1s"], 5, "MQTT 3.1.1 has no expiry", "--mqtt-version 5"),
        (["publish", "t", "x", "--priority", "1"], 5, "MQTT 3.1.1 has no priorities", None),
        (["publish", "t", "x", "--qos", "0", "--persistent"], 2, "cannot be persistent", None),
        (["publish", "t.*", "x"], 2, "cannot publish to a wildcard", None),
        (["publish", "--dialect", "rabbitmq", "t", "x", "-q", "2"], 5, "takes messages up to QoS 1", "--qos 1"),
        (["publish", "--dialect", "classic", "t/x.y", "x"], 2, "ActiveMQ swaps '.' and '/'", "--native"),
        (["tail", "t", "--durable", "d"], 5, "no durable subscriptions", "--client-id"),
        (["tail", "t", "--selector", "a = 1"], 5, "no selectors", None),
        (["tail", "t", "--prefetch", "1"], 5, "no prefetch", None),
        (["tail", "t", "--qos", "0", "--ack", "individual"], 2, "nothing is acknowledged", "--qos 1"),
        (["tail", "--dialect", "classic", "t", "--shared", "g"], 5, "Classic has no shared subscriptions", None),
        (["tail", "t", "--no-clean"], 2, "kept under a name", "--client-id"),
        (["tail", "t", "--client-id", "a\tb"], 2, "no control characters in a client id", None),
        (["tail", "t", "--will-payload", "x"], 2, "a last will needs a topic", "--will-topic"),
        (["tail", "--dialect", "rabbitmq", "t", "--will-topic=w", "--will-qos=2"], 5, "up to QoS 1", "--will-qos 1"),
        (["tail", "t", "--client-id", "c", "--session-expiry", "1m"], 2, "has no --session-expiry", "--mqtt-version 5"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_hint(here, command, code, says, hint):
    ended, out, err = here(*command)
    assert (ended, out) == (code, b"")
    assert says in err
    assert (hint or "mqctl") in err


def test_a_broker_that_speaks_another_version_is_told_of_with_a_hint(mqctl, env):
    code, _, err = mqctl("publish", "t", "x", "--mqtt-version", "5")
    assert code == ExitCode.CONNECTION
    assert "try --mqtt-version 3.1.1" in err


def test_a_refused_password_is_told_in_words(mqctl, env):
    with FakeBroker(b"\0\4") as broker:
        code, _, err = mqctl("publish", "t", "x", "--url", f"mqtt://{broker.endpoint}")
    assert code == ExitCode.REFUSED
    assert "refused the connection: bad user name or password" in err
    assert env["MQCTL_PASSWORD"] not in err


def test_who_is_replaced_by_another_of_its_name_does_not_come_back(start):
    """They would take turns for ever."""
    with FakeBroker(five=True) as broker:
        url = f"mqtt://{broker.endpoint}"
        tail = start("tail", "t", "--url", url, "--mqtt-version", "5", "--client-id", "c", "--reconnect", "always")
        tail.said("subscribed to")
        broker.peer().send("DISCONNECT", b"\x8e")
        code, _, err = tail.end()
    assert code == ExitCode.REFUSED
    assert "session taken over (another client came with the same --client-id; each needs its own)" in err


def test_nobody_there_is_told_with_what_may_be_missing(mqctl):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, _, err = mqctl("publish", "t", "x", "--url", f"mqtt://127.0.0.1:{port}")
    assert code == ExitCode.CONNECTION
    assert "MQTT switched on?" in err
