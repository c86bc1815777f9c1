"""Bayeux through the installed command: it works over both its transports, and what is in the way is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.connect_proxy import proxied
from tests.unit.adapters.fake_bayeux import fake_server

FAR = "broker.test"


@pytest.fixture(scope="module")
def hub() -> Iterator[Endpoint]:
    """A hub's HTTP port."""
    with HubThread(HubConfig(stomp=(), http=(Endpoint("127.0.0.1", 0),), allow_origins=(f"http://{FAR}",))) as thread:
        yield thread.endpoint


@pytest.fixture(params=["bayeux+http", "bayeux+sse", "bayeux+ws"])
def broker(hub: Endpoint, request: pytest.FixtureRequest) -> str:
    """Its URL, where nothing else is asked for."""
    return f"{request.param}://{hub}"


def test_what_is_published_arrives(mqctl, start):
    """Any bytes, and JSON as JSON."""
    tail = start("tail", "a.**", "--format", "%t %p\n", "--count", "4")
    tail.said("a.**")
    lines = b'one\n{"x" : 1.50}\n"45"\n\xff\xfe\n'
    code, out, err = mqctl("publish", "a.b", "--lines", data=lines)
    assert (code, out, err) == (ExitCode.OK, b"", "mqctl: attempted 4, confirmed 4, rejected 0, unknown 0\n")
    code, out, _ = tail.end()
    assert (code, out) == (ExitCode.OK, b"".join(b"a.b " + line for line in lines.splitlines(keepends=True)))


def test_a_bare_address_with_a_protocol(mqctl, hub):
    code, _, err = mqctl("publish", "a", "1", "--url", f"ws://{hub}/bayeux", "--protocol", "bayeux")
    assert code == ExitCode.OK, err


def test_a_path_where_nothing_is(mqctl, broker):
    code, _, err = mqctl("publish", "a", "1", "--url", f"{broker}/nothing")
    assert code == ExitCode.REFUSED
    assert "has no Bayeux for us at /nothing: 404 Not Found" in err
    assert "hint: name the path in the URL" in err


def test_what_bayeux_has_not(here):
    for options in (("--persistent",), ("--expires", "1s"), ("--qos", "1"), ("--retain",)):
        code, _, err = here("publish", "a", "1", *options)
        assert code == ExitCode.REFUSED
        assert "Bayeux has no " in err
    code, _, err = here("publish", "a.한국", "1")
    assert code == ExitCode.USAGE
    assert "no channel of Bayeux has such a level" in err


def test_long_polling_in_place_of_web_socket_is_said_once(mqctl):
    with fake_server() as (_, target):
        code, _, err = mqctl("publish", "a", "1", "--url", f"bayeux+ws://{target.endpoints[0]}/cometd")
    assert code == ExitCode.OK
    assert err.count("no WebSocket here, so this is long-polling") == 1


def test_through_a_proxy(mqctl, home, broker, hub):
    """Both connections of long-polling, too."""
    with proxied(FAR, to=hub, login="me:secret") as proxy:
        env = {**home, "http_proxy": f"http://me:secret@{proxy.endpoint}"}
        scheme = broker.partition("://")[0]
        code, _, err = mqctl("publish", "a", "1", "--url", f"{scheme}://{FAR}:{hub.port}", env=env)
    assert code == ExitCode.OK, err


def test_a_probe_asks_for_nothing_that_is_not_there(mqctl):
    code, out, err = mqctl("probe", "--json", "--max-size", "1KiB")
    assert code == ExitCode.OK, err
    outcomes = {finding["question"]: finding["outcome"] for finding in json.loads(out)["findings"]}
    there = {"server", "confirmed publish", "round trip", "wildcard *", "wildcard **", "headers", "largest message"}
    assert {question for question, outcome in outcomes.items() if outcome == "yes"} == there
    assert set(outcomes.values()) == {"yes", "no", "unsupported"}
    assert re.search(r"its clock is \S+ s (behind|ahead of) ours", json.loads(out)["findings"][0]["seen"])
