"""What clients may publish and subscribe to, over STOMP; over Bayeux it is the same code that decides."""

from __future__ import annotations

import pytest

from mqctl.broker.values import Address, AddressKind
from mqctl.errors import ConfigError
from mqctl.hub.rules import Rules, read_rule


@pytest.mark.parametrize(
    ("rule", "kind", "name", "covered"),
    [
        ("a.b", "topic", "a.b", True),
        ("/topic/a.>", "topic", "a.b.c", True),
        ("a.*", "topic", "a.**", False),
        ("/queue/a", "queue", "a", True),
        ("/queue/a.**", "queue", "a.b", True),
        ("a", "queue", "a", False),
        ("/queue/a", "topic", "a", False),
    ],
)
def test_rules_as_typed(rule, kind, name, covered):
    assert read_rule(rule).covers(Address(AddressKind(kind), name)) is covered


@pytest.mark.parametrize("text", ["", "a..b", "/exchange/x", "a.**.b", "x.y/z"])
def test_what_is_no_rule(text):
    with pytest.raises(ConfigError):
        read_rule(text)


def test_publishing(start):
    hub = start(rules=Rules(publish=(read_rule("open.**"), read_rule("/queue/q"))))
    reader = hub.client()
    reader.subscribe("/topic/>")
    writer = hub.client()
    writer.publish("/topic/open.a", b"1")
    writer.publish("/queue/q", b"2")
    assert reader.bodies(1) == [b"1"]
    for destination in ("/topic/closed", "/queue/other"):
        client = hub.client()
        client.send("SEND", {"destination": destination}, b"x")
        assert client.refusal() == f"clients may not publish to {destination}"


def test_a_transaction_that_may_not(start):
    """Nothing of it is done."""
    hub = start(rules=Rules(publish=(read_rule("open"),)))
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/>")
    writer.ask("BEGIN", {"transaction": "t"})
    for destination in ("/topic/open", "/topic/closed"):
        writer.ask("SEND", {"destination": destination, "transaction": "t"}, b"x")
    writer.send("COMMIT", {"transaction": "t"})
    assert "may not publish" in writer.refusal()
    hub.client().publish("/topic/open", b"last")
    assert reader.bodies(1) == [b"last"]


def test_subscribing(start):
    """A pattern has to be covered whole."""
    hub = start(rules=Rules(subscribe=(read_rule("open.**"),)))
    hub.client().subscribe("/topic/open.*")
    for destination in ("/topic/*", "/topic/>", "/topic/closed", "/queue/open"):
        client = hub.client()
        client.send("SUBSCRIBE", {"destination": destination, "id": "s"})
        assert "clients may not subscribe to " in client.refusal()
    hub.client().publish("/topic/closed", b"x")
