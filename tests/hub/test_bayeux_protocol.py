"""Bayeux over long-polling, request by request, as CometD answers it. The rows are those of a probe of its servers."""

from __future__ import annotations

import json
import re
import socket

import pytest

from mqctl.hub.events import SessionClosed, SessionOpened, Subscribed, Unsubscribed
from mqctl.protocols.bayeux.session import Terms
from tests.hub.bayeux import TYPES, Poller

pytestmark = pytest.mark.parametrize("via", ["web-socket"], indirect=True)

RETRY = {"reconnect": "retry", "interval": 0, "timeout": 20_000}
AGAIN = {"reconnect": "handshake", "interval": 0}


@pytest.fixture
def poller(hub):
    with Poller(hub.endpoint) as poller:
        yield poller


@pytest.mark.parametrize("path", ["/bayeux", "/cometd", "/bayeux/", "/cometd/handshake"])
def test_a_handshake(hub, path):
    """Row 1; below the path anything goes, as clients add what they ask."""
    with Poller(hub.endpoint, path, handshake=False) as poller:
        reply = poller.post(
            json.dumps([{"id": "1", "channel": "/meta/handshake", "supportedConnectionTypes": TYPES}]).encode()
        )
    (greeting,) = reply.messages
    assert re.fullmatch("[0-9a-f]{40}", greeting.pop("clientId"))
    assert greeting == {
        "id": "1",
        "channel": "/meta/handshake",
        "successful": True,
        "version": "1.0",
        "minimumVersion": "1.0",
        "supportedConnectionTypes": ["websocket", "eventsource", "long-polling"],
        "advice": RETRY,
    }
    assert re.fullmatch("BAYEUX_BROWSER=[0-9a-f]{40}; HttpOnly; Path=/; SameSite=Lax", reply.headers["Set-Cookie"])
    assert reply.headers["Content-Type"].lower() == "application/json;charset=utf-8"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_handshake_without_a_version(hub):
    """Row 2."""
    with Poller(hub.endpoint, version=None) as poller:
        assert poller.greeting["successful"]


def test_no_transport_in_common(hub):
    """Row 3: the client is told to stop, as trying again would never end."""
    with Poller(hub.endpoint, supportedConnectionTypes=["iframe", "callback-polling"]) as poller:
        assert poller.greeting["error"] == "405::no_transport"
        assert poller.greeting["advice"] == {"reconnect": "none"}


def test_a_handshake_and_more(poller):
    """Row 4."""
    body = [{"channel": "/meta/handshake"}, {"channel": "/a", "data": 1, "clientId": poller.client_id}]
    reply = poller.post(json.dumps(body).encode())
    assert (reply.status, reply.body) == (400, b"a handshake goes alone\n")


def test_the_first_connect_comes_back_at_once(poller):
    """Row 5."""
    (reply,) = poller.connect()
    assert reply == {"id": "1", "channel": "/meta/connect", "successful": True, "advice": RETRY}


def test_no_cookie(hub, poller):
    """Row 6; and another's is no better."""
    poller.cookie = None
    (reply,) = poller.connect()
    assert (reply["error"], reply["advice"]) == ("402::session_unknown", AGAIN)
    with Poller(hub.endpoint) as thief:
        thief.client_id = poller.client_id
        assert thief.connect()[0]["error"] == "402::session_unknown"
        assert thief.publish("/a")[0]["error"] == "402::session_unknown"


def test_a_session_that_never_was(poller):
    """Row 7: the connect is told what to do, and the message did not go."""
    poller.subscribe("/**").client_id = "nope"
    (connect, publish) = (poller.connect()[0], poller.publish("/a")[0])
    assert (connect["error"], connect["advice"]) == ("402::session_unknown", AGAIN)
    assert (publish["successful"], publish["error"], publish.get("advice")) == (False, "402::session_unknown", None)


def test_two_subscriptions_one_message(poller):
    """Row 8: one reply with the array as it was; one's own message once, and then the reply."""
    channels = ["/a/b", "/a/*"]
    assert poller.say("/meta/subscribe", subscription=channels) == [
        {"id": "1", "channel": "/meta/subscribe", "successful": True, "subscription": channels}
    ]
    assert poller.publish("/a/b", {"n": 1}) == [
        {"channel": "/a/b", "data": {"n": 1}},
        {"id": "2", "channel": "/a/b", "successful": True},
    ]


@pytest.mark.parametrize(
    ("subscription", "error"),
    [
        ("/meta/connect", "403:denied_by_security_policy:subscribe_denied"),  # row 9
        ("/meta/**", "403:denied_by_security_policy:create_denied"),
        (None, "403::subscription_missing"),  # row 11
        ("/a/*/b", "403::subscription_invalid"),
    ],
)
def test_subscriptions_refused(poller, subscription, error):
    (reply,) = poller.say("/meta/subscribe", subscription=subscription)
    assert (reply["successful"], reply["error"]) == (False, error)


def test_a_service(poller):
    """Row 10: it can be subscribed to and published to, and nobody hears of it."""
    poller.subscribe("/service/x", "/**")
    assert poller.publish("/service/x") == [{"id": "2", "channel": "/service/x", "successful": True}]


def test_unsubscribing_from_what_never_was(poller):
    """Row 12."""
    assert poller.say("/meta/unsubscribe", subscription="/never")[0]["successful"]


@pytest.mark.parametrize(
    ("channel", "fields", "error"),
    [
        ("/a/*", {"data": 1}, "405::channel_invalid"),  # row 13
        ("/a", {}, "400::data_missing"),  # row 14
        ("/a b<", {"data": 1}, "405::channel_invalid"),  # row 15
        ("/meta/foo", {"data": 1}, "403:denied_by_security_policy:channel_create_denied"),  # row 16
    ],
)
def test_messages_refused(poller, channel, fields, error):
    poller.subscribe("/**")
    (reply,) = poller.say(channel, **fields)
    assert (reply["successful"], reply["error"]) == (False, error)


def test_a_message_without_an_array(poller):
    """Row 17: taken, and answered with one."""
    assert poller.post(json.dumps(poller.message("/a", data=1)).encode()).messages[0]["successful"]


@pytest.mark.parametrize(
    ("body", "says"), [(b"[]", "no messages"), (b"{", "not Bayeux messages in JSON"), (b"", "JSON")]
)
def test_what_is_no_request(poller, body, says):
    """Row 18."""
    reply = poller.post(body)
    assert reply.status == 400
    assert says in reply.body.decode()


def test_a_second_connect(hub, poller):
    """Row 19: the newer is held, the older fails."""
    poller.connected()
    older = poller.hold()
    hub.until(lambda _: poller_waits(hub, poller))
    poller.say("/meta/connect", connectionType="long-polling", advice={"timeout": 0})
    assert older.get().status == 500


def test_what_one_publishes_oneself_leaves_the_connect_alone(hub, poller):
    """Row 20: it rides on the reply to the publish."""
    poller.subscribe("/a").connected()
    held = poller.hold()
    hub.until(lambda _: poller_waits(hub, poller))
    assert [each["channel"] for each in poller.publish("/a")] == ["/a", "/a"]
    assert poller_waits(hub, poller)
    poller.say("/meta/disconnect")
    held.get()


def test_a_disconnect_while_a_connect_waits(hub, poller):
    """Row 21, and what the hub tells of it all."""
    poller.subscribe("/a").connected()
    held = poller.hold()
    hub.until(lambda _: poller_waits(hub, poller))
    assert poller.say("/meta/disconnect")[0]["successful"]
    (last,) = held.get().messages
    assert (last["successful"], last["advice"]) == (True, {"reconnect": "none"})
    assert poller.connect()[0]["advice"] == AGAIN  # row 22
    (opened,) = hub.events.wait(SessionOpened)
    (closed,) = hub.events.wait(SessionClosed)
    assert (opened.protocol, opened.peer, opened.client_id) == ("Bayeux over long-polling", "127.0.0.1", None)
    assert (closed.session, closed.reason, closed.timed_out) == (opened.session, "the client disconnected", False)
    assert hub.events.of(Subscribed) == [Subscribed(opened.session, "/topic/a")]
    assert poller.client_id not in str(hub.events.of(SessionOpened))


def test_unsubscribing(hub, poller):
    poller.subscribe("/a")
    assert poller.say("/meta/unsubscribe", subscription="/a")[0]["successful"]
    assert [each["channel"] for each in poller.publish("/a")] == ["/a"]
    (event,) = hub.events.wait(Unsubscribed)
    assert event.destination == "/topic/a"
    assert poller.greeting["clientId"] not in event.session


def test_a_client_that_never_connects_again(start):
    """Row 23: its session is over after the interval and the longest pause."""
    hub = start(bayeux_terms=Terms(max_interval_ms=200))
    with Poller(hub.endpoint) as poller:
        poller.connected().subscribe("/a")
        (closed,) = hub.events.wait(SessionClosed)
        assert (closed.timed_out, closed.reason) == (True, "the client did not connect again in time")
        assert hub.stats.sessions == hub.stats.subscriptions == 0
        assert poller.connect()[0]["advice"] == AGAIN


@pytest.mark.parametrize("identity", ["h-1", 7])
def test_ids_as_they_are(poller, identity):
    """Row 24."""
    (reply,) = poller.ask({"id": identity, "channel": "/a", "data": 1, "clientId": poller.client_id})
    assert reply["id"] == identity
    assert reply["successful"]


def test_a_connect_waits_for_its_time(start):
    hub = start(bayeux_terms=Terms(timeout_ms=150))
    with Poller(hub.endpoint) as poller:
        assert poller.connected().connect() == [{"id": "2", "channel": "/meta/connect", "successful": True}]


def test_a_connect_waits_for_a_message(hub, poller):
    poller.subscribe("/a/**").connected()
    held = poller.hold()
    hub.until(lambda _: poller_waits(hub, poller))
    hub.client().publish("/topic/a.b", b'{"x": 1}')
    assert held.get().messages == [
        {"channel": "/a/b", "data": {"x": 1}},
        {"id": "3", "channel": "/meta/connect", "successful": True},
    ]


def test_who_went_away_has_its_time_from_then(hub, poller):
    """The end of the request that waited is not the end of the session."""
    poller.subscribe("/a").connected()
    body = json.dumps([poller.message("/meta/connect", connectionType="long-polling")])
    head = f"POST /bayeux HTTP/1.1\r\nHost: {hub.endpoint}\r\nCookie: {poller.cookie}\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(hub.endpoint) as sock:
        sock.sendall((head + body).encode())
        hub.until(lambda _: poller_waits(hub, poller))
    hub.until(lambda _: not poller_waits(hub, poller))
    hub.client().publish("/topic/a", b"1")
    assert poller.data(1) == [1]


def poller_waits(hub, poller):
    """Whether a connect of it is held."""
    return hub.thread.ask(lambda hub: server_of(hub).sessions[poller.client_id].held is not None)


def server_of(hub):
    return hub._http._bayeux._house.server
