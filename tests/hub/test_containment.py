"""A bug of ours costs the connection where it shows itself, is reported, and costs nobody else anything."""

from __future__ import annotations

import pytest

from mqctl.broker.core import Broker
from mqctl.hub.config import HubConfig
from mqctl.hub.stomp_port import StompPort
from mqctl.hub.stomp_wire import Wire


class PlantedBug(Exception):
    """Not one of our errors."""


@pytest.fixture
def plant(monkeypatch):
    """Makes a method raise for objects that `where` picks."""

    def plant(owner, name, where=lambda self, *_: True):
        real = getattr(owner, name)

        def wrong(self, *args, **kwargs):
            if where(self, *args):
                raise PlantedBug(name)
            return real(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, wrong)

    return plant


def reported(hub, count=1):
    """The bugs that the hub reported, which are then expected."""
    assert [type(bug["exception"]) for bug in hub.bugs] == [PlantedBug] * count
    assert all("is closed" in bug["message"] for bug in hub.bugs)
    hub.bugs.clear()


def test_in_a_request(hub, plant):
    plant(Broker, "publish", lambda _broker, _session, message, _now: message.payload == b"trigger")
    reader, writer, bad = hub.client(), hub.client(), hub.client()
    reader.subscribe("/topic/a")
    bad.send("SEND", {"destination": "/topic/a"}, b"trigger")
    bad.end()
    reported(hub)
    writer.publish("/topic/a", b"x")
    assert reader.bodies(1) == [b"x"]


@pytest.mark.parametrize(("owner", "name"), [(Wire, "frames"), (StompPort, "send"), (StompPort, "flush")])
def test_at_one_subscriber(hub, plant, owner, name):
    """The other subscribers of the same message get it, before and after the bad one in the order of subscribing."""
    subscribers = [hub.client() for _ in range(3)]
    for n, subscriber in enumerate(subscribers):
        subscriber.subscribe("/topic/a", f"s{n}")
    bad = subscribers[1].greeting.headers["session"]
    plant(owner, name, lambda self, *_: b"s1" in self.subscription if owner is Wire else self.name == bad)
    hub.client().publish("/topic/a", b"1", b"2")
    assert subscribers[0].bodies(2) == subscribers[2].bodies(2) == [b"1", b"2"]
    subscribers[1].end()
    reported(hub)


def test_in_a_delivery(hub, plant):
    good, bad = hub.client(), hub.client()
    for client in (bad, good):
        client.subscribe("/topic/a", ack="client")
    plant(Wire, "frame", lambda *_: not hub.bugs)
    hub.client().publish("/topic/a", b"1")
    assert good.bodies(1) == [b"1"]
    bad.end()
    reported(hub)


def test_in_the_tick(hub, plant):
    """The clock of the hub goes on ticking."""
    calls = []
    plant(Broker, "next_deadline_ns", lambda *_: calls.append(1) or len(calls) == 1)
    hub.client().publish("/queue/q", b"x", expires="99999999999999")
    hub.until(lambda _: len(calls) > 1)
    assert hub.bugs
    hub.bugs.clear()


def test_in_a_listener(start):
    """Whoever listens to events and fails misses them; the connections do not notice."""

    def fail(event):
        raise PlantedBug

    hub = start(on_event=fail)
    hub.client().publish("/topic/a", b"x")
    assert [type(bug["exception"]) for bug in hub.bugs] == [PlantedBug]
    hub.bugs.clear()
    hub.thread.stop()
    hub.bugs.clear()


def test_in_the_password_check(start, plant):
    plant(HubConfig, "authenticate", lambda _config, user, _password: user == "trigger")
    hub = start()
    bad = hub.client(connect=False)
    bad.send("CONNECT", {"accept-version": "1.2", "host": "hub", "login": "trigger"})
    bad.end()
    reported(hub)
    hub.client(login="good")
