"""What a hub is told, and tells."""

from __future__ import annotations

import json

import pytest

from mqctl.broker import Limits
from mqctl.errors import ConfigError, ConnectError
from mqctl.hub import events
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Secret


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_password(host):
    assert HubConfig(stomp=(Endpoint(host, 0),)).authenticate("anyone", None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "hub.example", "127.0.0.1.example"])
def test_any_other_address_does(host):
    """One open listener among others is enough."""
    listeners = (Endpoint("127.0.0.1", 0), Endpoint(host, 61613))
    with pytest.raises(ConfigError, match="is open to the network, so it needs a password") as caught:
        HubConfig(stomp=listeners)
    assert "--password" in caught.value.hint
    HubConfig(stomp=listeners, password=Secret("x"))
    with pytest.raises(ConfigError, match="is open to the network"):
        HubConfig(http=listeners)


@pytest.mark.parametrize(
    ("user", "password", "welcome"),
    [("ann", "x", True), ("ann", "y", False), ("bob", "x", False), (None, "x", False), ("ann", None, False)],
)
def test_user_and_password(user, password, welcome):
    assert HubConfig(user="ann", password=Secret("x")).authenticate(user, password) is welcome


def test_any_user_with_the_password():
    config = HubConfig(password=Secret("x"))
    assert config.authenticate("whoever", "x")
    assert not config.authenticate("whoever", "")


def test_the_password_is_not_in_what_is_printed():
    assert "hush" not in repr(HubConfig(password=Secret("hush")))


def test_an_unknown_host():
    """The thread's failure is raised where the hub was wanted."""
    for host in ("no-such-host.invalid", "x" * 300):
        config = HubConfig(stomp=(Endpoint(host, 0),), password=Secret("x"))
        with pytest.raises(ConnectError, match="cannot listen on"), HubThread(config):
            pass


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (events.SessionOpened("1", "127.0.0.1:5", "STOMP 1.2", None),
         {"event": "opened", "session": "1", "peer": "127.0.0.1:5", "protocol": "STOMP 1.2", "client_id": None}),
        (events.SessionClosed("1", "127.0.0.1:5", "why"),
         {"event": "closed", "session": "1", "peer": "127.0.0.1:5", "reason": "why", "timed_out": False}),
        (events.MessagesDropped("/topic/a", 3, "expired", "1"),
         {"event": "dropped", "destination": "/topic/a", "count": 3, "reason": "expired", "session": "1"}),
        (events.DeadLettered("/queue/q", "id", "why"),
         {"event": "dead-lettered", "destination": "/queue/q", "message_id": "id", "reason": "why"}),
        (events.EventsLost(3), {"event": "events-lost", "count": 3}),
    ],
)  # fmt: skip
def test_events_as_json(event, line):
    assert json.loads(events.as_json(event)) == line
    assert "\n" not in events.as_json(event)


def test_drops_are_told_before_the_end_of_the_session(start):
    """A reader of the events knows what a connection missed when it reads that it closed."""
    hub = start(broker_limits=Limits(backlog_messages=1), drain_s=0.3)
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a", ack="client", prefetch_count="1")
    writer.publish("/topic/a", *[b"x"] * 5)
    reader.close()
    hub.events.wait(events.SessionClosed)
    (dropped,) = hub.events.of(events.MessagesDropped)
    assert dropped == events.MessagesDropped("/topic/a", 3, "slow consumer", reader.greeting.headers["session"])
