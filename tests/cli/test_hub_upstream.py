"""`mqctl hub --upstream` as it is installed: how it starts, what it refuses, what it says."""

from __future__ import annotations

import json
import re
import signal
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.rules import Rules, read_rule
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Secret
from tests.cli.commands import Result, Running

HERE = "127.0.0.1:0"
PASSWORD = "nobody-may-read-this"


@pytest.fixture
def guarded() -> Iterator[str]:
    """A broker that wants a password."""
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), user="mqctl", password=Secret(PASSWORD))) as hub:
        yield hub.urls[0]


def test_it_is_ready_when_the_broker_is_and_what_is_published_goes_through(
    start: Callable[..., Running], mqctl: Callable[..., Result], broker: str, home: dict[str, str], ear
) -> None:
    hub = start("hub", "--stomp", HERE, "--http", HERE, "--upstream", broker, "--upstream-topic", "a.*", env=home)
    assert hub.said("upstream").endswith(f"the broker upstream is {broker}, and has a.*\n")
    url, web = (hub.printed().decode().strip() for _ in range(2))
    listening = ear("/topic/>")
    tail = start("tail", "a.*", "--count", "1", env={**home, "MQCTL_URL": url})
    tail.said("subscribed")
    published = mqctl("publish", "a.b", "x", env={**home, "MQCTL_URL": url})
    assert published.code == ExitCode.OK
    assert tail.end().lines == ["a.b x"]
    assert listening.bodies() == [b"x"]
    with urllib.request.urlopen(f"http://{re.search(r'127.0.0.1:[0-9]+', web)[0]}/metrics") as page:
        counts = dict(re.findall(r"^mqctl_upstream_(\w+) (\d+)$", page.read().decode(), re.MULTILINE))
    assert counts == {
        "connected": "1",
        "waiting_messages": "0",
        "forwarded_messages_total": "1",
        "confirmed_messages_total": "1",
        "rejected_messages_total": "0",
        "unknown_messages_total": "0",
        "received_messages_total": "1",
        "dropped_messages_total": "0",
    }
    assert hub.end(signal.SIGTERM).code == ExitCode.OK


def test_a_broker_that_is_not_there_is_told_at_once(mqctl: Callable[..., Result], home: dict[str, str]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        there = f"127.0.0.1:{nobody.getsockname()[1]}"
        code, out, err = mqctl("hub", "--stomp", HERE, "--upstream", f"stomp://{there}", env=home)
    assert (code, out) == (ExitCode.CONNECTION, b"")
    assert there in err


def test_a_broker_that_goes_is_sought_and_the_end_says_what_it_has_not(
    start: Callable[..., Running], home: dict[str, str]
) -> None:
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as broker:
        hub = start("hub", "--stomp", HERE, "--drain", "100ms", "--events", "--upstream", broker.url, env=home)
        url = hub.printed().decode().strip()
    hub.said("upstream: connection lost")
    assert json.loads(hub.printed())["event"] == "upstream-lost"
    published = start("publish", "a", "x", "--confirm-timeout", "100ms", env={**home, "MQCTL_URL": url}).end()
    assert "unknown 1" in published.last
    done = hub.end(signal.SIGTERM)
    assert done.code == ExitCode.OK
    assert "messages that the broker upstream has not confirmed: 1" in done.err


def test_who_it_is_there_comes_from_the_environment_or_a_profile_and_is_shown_nowhere(
    start: Callable[..., Running], home: dict[str, str], guarded: str
) -> None:
    hub = start("hub", "--stomp", HERE, "--upstream", guarded, env={**home, "MQCTL_USER": "mqctl",
                                                                    "MQCTL_PASSWORD": PASSWORD})  # fmt: skip
    hub.printed()
    profile = f'url = "{guarded}"\n[auth]\nuser = "mqctl"\npassword = "env:SECRET"\n'
    Path(home["MQCTL_PROFILE_DIR"], "mine.toml").write_text(profile, encoding="utf-8")
    other = start("hub", "--stomp", HERE, "--upstream-profile", "mine", env={**home, "SECRET": PASSWORD})
    other.printed()
    written = guarded.replace("//", f"//mqctl:{PASSWORD}@")
    third = start("hub", "--stomp", HERE, "--upstream", written, env=home)
    third.printed()
    for each in (hub, other, third):
        done = each.end(signal.SIGTERM)
        assert done.code == ExitCode.OK
        assert PASSWORD not in done.err


def test_a_wrong_password_is_refused(mqctl: Callable[..., Result], home: dict[str, str], guarded: str) -> None:
    code, out, err = mqctl("hub", "--stomp", HERE, "--upstream", guarded, env=home)
    assert (code, out) == (ExitCode.REFUSED, b"")
    assert "no user was given" in err


def test_topics_that_the_broker_denies_are_refused(mqctl: Callable[..., Result], home: dict[str, str]) -> None:
    rules = Rules(subscribe=(read_rule("open.**"),))
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), rules=rules)) as hub:
        code, out, err = mqctl("hub", "--stomp", HERE, "--upstream", hub.url, env=home)
    assert (code, out) == (ExitCode.REFUSED, b"")
    assert "hint: --upstream-topic says which topics are there" in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--upstream", "stomp://localhost:61613"], "the broker upstream, localhost:61613, is this hub itself"),
        (["--upstream", "stomp://b", "--upstream-topic", "a.*", "--upstream-topic", "a.b"], "have topics in common"),
        (["--upstream", "stomp://b", "--upstream-topic", "/queue/a"], "not a pattern of topics"),
        (["--upstream-topic", "a"], "--upstream-topic without a broker upstream"),
        (["--upstream", "gopher://b"], "no transport for gopher://"),
    ],
)
def test_what_makes_no_sense_is_refused(
    mqctl: Callable[..., Result], home: dict[str, str], options: list[str], says: str
) -> None:
    code, out, err = mqctl("hub", *options, env=home)
    assert (code, out) == (ExitCode.USAGE, b"")
    assert says in err
    assert "hint: " in err
