"""Services: they answer who asks, nobody else, in order, and what goes wrong in one harms nobody."""

from __future__ import annotations

import pytest

from mqctl.broker import Limits
from mqctl.hub.events import MessagesDropped, SessionOpened
from mqctl.hub.rules import Rules, read_rule
from mqctl.hub.services import REPLIES_MAX, Reply
from mqctl.protocols.bayeux.session import Terms
from tests.hub.bayeux import Poller, Socket
from tests.hub.test_bayeux_protocol import poller_waits

pytestmark = pytest.mark.parametrize("via", ["web-socket"], indirect=True)

CLIENTS = pytest.mark.parametrize("kind", [Poller, Socket])


def echo(message):
    yield Reply(message.data)


def broken(message):
    raise RuntimeError("broken")


@CLIENTS
def test_who_asks_is_answered_and_nobody_else(start, kind):
    """Before the reply to the request, over whatever it came; subscribers of everything hear nothing."""
    asked = []
    hub = start(services=(lambda message: asked.append(message) or echo(message),))
    with kind(hub.endpoint) as client, Socket(hub.endpoint) as other:
        for each in (client, other):
            each.subscribe("/**", "/service/echo").connected()
        messages = client.publish("/service/echo", {"n": [1, "ü"]})
        assert messages == [
            {"channel": "/service/echo", "data": {"n": [1, "ü"]}},
            {"id": messages[-1]["id"], "channel": "/service/echo", "successful": True},
        ]
        hub.client().publish("/topic/a", b"1")
        assert other.next() == [{"channel": "/a", "data": 1}]
        (message,) = asked
        assert (message.session, message.channel) == (hub.events.of(SessionOpened)[0].session, "/service/echo")


@CLIENTS
def test_answers_keep_their_place(start, kind):
    """What was published before comes before; and a service may answer on any channel that is no request's."""
    hub = start(services=(lambda message: [Reply(2, "/a"), Reply(3, "/service/other")],))
    with kind(hub.endpoint) as client:
        client.subscribe("/a").connected()
        first = {"channel": "/a", "data": 1, "clientId": client.client_id}
        second = {"channel": "/service/x", "data": 0, "clientId": client.client_id}
        if kind is Poller:
            got = client.ask(first, second)
        else:
            client.send(first, second)
            got = [*client.next(), *client.next(), *client.next()]
        assert [(each["channel"], each["data"]) for each in got if "data" in each] == [
            ("/a", 1), ("/a", 2), ("/service/other", 3)
        ]  # fmt: skip


def test_connects_alone_deliver_answers_too_where_that_is_set(start):
    hub = start(services=(echo,), bayeux_terms=Terms(deliver_only=True))
    with Poller(hub.endpoint) as poller:
        poller.connected()
        held = poller.hold()
        hub.until(lambda _: poller_waits(hub, poller))
        assert [each.get("data") for each in poller.publish("/service/echo", 5)] == [None]
        assert [each.get("data") for each in held.get().messages] == [5, None]


@pytest.mark.parametrize("successful", [True, False])
def test_the_result_of_a_call(start, successful):
    """It has the id of the request, by which the client finds who called."""
    hub = start(services=(lambda message: [Reply("done", successful=successful)],))
    with Poller(hub.endpoint) as poller:
        result, reply = poller.say("/service/do", data=None)
        assert result == {"id": "1", "channel": "/service/do", "data": "done", "successful": successful}
        assert reply == {"id": "1", "channel": "/service/do", "successful": True}


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (broken, "broken"),
        (lambda message: None, "not iterable"),
        (lambda message: [5], "attribute"),
        (lambda message: [Reply(1), Reply({1, object})], "unsupported"),
        (lambda message: [Reply(1, "/meta/connect")], "nothing can be sent"),
        (lambda message: [Reply(1, "/a/*")], "nothing can be sent"),
        (lambda message: [Reply(1, "nonsense")], "nothing can be sent"),
        (lambda message: iter(lambda: Reply(1), None), f"more than {REPLIES_MAX}"),
    ],
)
def test_a_service_that_fails(start, service, why):
    """It is reported and counted, the client is told nothing of it, and the other services answer."""
    hub = start(services=(service, echo))
    with Poller(hub.endpoint) as poller:
        assert [each.get("data") for each in poller.publish("/service/x", 7)] == [7, None]
    (bug,) = hub.bugs
    assert bug["message"] == "a service failed"
    assert why in str(bug["exception"]).lower()
    assert hub.thread.ask(lambda hub: hub.snapshot().listener_failures) == 1
    hub.bugs.clear()


def test_a_listener_that_fails_is_counted(start):
    hub = start(on_event=lambda event: broken(event) if isinstance(event, SessionOpened) else None)
    with Poller(hub.endpoint) as poller:
        assert poller.publish("/a")[0]["successful"]
    assert hub.thread.ask(lambda hub: hub.snapshot().listener_failures) == 1
    assert hub.bugs[0]["message"] == "a listener to the hub's events failed"
    hub.bugs.clear()


def test_rules_hold_for_services(start):
    asked = []
    hub = start(services=(lambda message: asked.append(message) or [],), rules=Rules((read_rule("service.a.**"),)))
    with Poller(hub.endpoint) as poller:
        assert poller.publish("/service/a/b")[0]["successful"]
        assert poller.publish("/service/b")[0]["error"].endswith(":publish_denied")
    assert [message.channel for message in asked] == ["/service/a/b"]


def test_answers_that_nobody_takes(start):
    """They wait like other messages, within the same bounds."""
    hub = start(services=(lambda message: map(Reply, range(5)),), broker_limits=Limits(backlog_messages=3))
    with Poller(hub.endpoint, ext={"ack": True}) as poller:
        poller.connected().publish("/service/x")
        assert hub.events.dropped(2) == {("/topic/service.x", "slow consumer")}
        assert {drop.session for drop in hub.events.of(MessagesDropped)} == {None}
        assert poller.data(3) == [2, 3, 4]
