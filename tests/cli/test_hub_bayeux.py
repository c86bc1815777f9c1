"""`mqctl hub` for clients of Bayeux, as it is installed: its options and its events."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.cli.test_hub import Run, start
from tests.hub.bayeux import Poller

__all__ = ["start"]  # the fixture

Start = Callable[..., Run]
HTTP = ("--http", "127.0.0.1:0")


def test_options_reach_the_sessions(start: Start) -> None:
    limits = ("--max-sessions-per-address", "1", "--max-frame", "1")
    run = start(*HTTP, "--hold", "2s", "--callback-polling", "--timestamps", *limits)
    with Poller(run.endpoint) as poller, Poller(run.endpoint) as second:
        assert poller.greeting["advice"]["timeout"] == 2000
        assert "callback-polling" in poller.greeting["supportedConnectionTypes"]
        assert poller.greeting["timestamp"].endswith(" GMT")
        assert "sessions-per-address, 1" in second.greeting["error"]
        assert poller.post(b"[" + b" " * 1_100_000 + b"]").status == 413


def test_what_clients_may_do(start: Start) -> None:
    rules = ("--allow-publish", "in.**", "--allow-subscribe", "out.*", "--lazy", "slow", "--no-markup", "in.clean")
    run = start(*HTTP, *rules)
    with Poller(run.endpoint) as poller:
        assert poller.publish("/in/a")[0]["successful"]
        assert "no bytes" in poller.say("/in/clean", data=1, ext={"binary": {}})[0]["error"]
        assert "may not publish" in poller.publish("/out/a")[0]["error"]
        assert "may not subscribe" in poller.say("/meta/subscribe", subscription="/in/a")[0]["error"]


def test_a_proxy_that_is_believed(start: Start) -> None:
    run = start(*HTTP, "--behind-proxy", "--allow-origin", "https://app.example")
    with Poller(run.endpoint, handshake=False) as poller:
        poller.headers = {"Origin": "https://app.example", "X-Forwarded-Proto": "https"}
        assert "SameSite=None" in poller.post(b'[{"channel":"/meta/handshake"}]').headers["Set-Cookie"]


def test_a_rule_that_is_none(start: Start) -> None:
    run = start(*HTTP, "--allow-publish", "a..b", starts=False)
    code, out, err = run.end(None)
    assert (code, out) == (2, "")
    assert "a topic has no empty level: 'a..b'" in err


def test_events(start: Start) -> None:
    """The life of a session, in which its id is not told."""
    run = start(*HTTP, "--events", "--max-interval", "300ms")
    with Poller(run.endpoint) as poller:
        poller.subscribe("/a")
        poller.say("/meta/unsubscribe", subscription="/a")
        lines = [run.line() for _ in range(4)]
    told = [json.loads(line) for line in lines]
    assert [each["event"] for each in told] == ["opened", "subscribed", "unsubscribed", "closed"]
    assert (told[1]["destination"], told[3]["timed_out"]) == ("/topic/a", True)
    assert all(poller.client_id not in line for line in lines)
