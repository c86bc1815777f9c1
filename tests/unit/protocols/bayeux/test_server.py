"""What the server answers: each kind of request, right and wrong."""

from __future__ import annotations

import pytest

from mqctl.errors import RefusedError
from mqctl.protocols.bayeux.house import Denied, Link
from mqctl.protocols.bayeux.message import MessageError
from mqctl.protocols.bayeux.server import BUSY_MS
from mqctl.protocols.bayeux.spec import Limits
from tests.unit.protocols.bayeux.house import Caller, House

AGAIN = {"reconnect": "handshake", "interval": 0}
RETRY = {"reconnect": "retry", "interval": 0, "timeout": 20_000}


@pytest.fixture
def house():
    return House()


def test_a_handshake(house):
    caller = Caller(house)
    assert caller.greeting == {
        "channel": "/meta/handshake",
        "successful": True,
        "clientId": caller.client_id,
        "version": "1.0",
        "minimumVersion": "1.0",
        "supportedConnectionTypes": ["websocket", "long-polling"],
        "advice": RETRY,
    }
    assert caller.session.owner == caller.link.owner is not None
    assert Caller(house, socket=True).session.owner is None


@pytest.mark.parametrize("fields", [{}, {"version": None}, {"supportedConnectionTypes": []}])
def test_what_a_handshake_may_leave_out(house, fields):
    link = Link(address="a")
    caller = Caller(house)
    assert caller.ask({"channel": "/meta/handshake", **fields})[0]["successful"]
    assert link.owner is None


def test_a_handshake_without_a_transport_in_common(house):
    caller = Caller(house)
    (reply,) = caller.ask({"id": 1, "channel": "/meta/handshake", "supportedConnectionTypes": ["iframe"]})
    assert reply == {
        "id": 1,
        "channel": "/meta/handshake",
        "successful": False,
        "error": "405::no_transport",
        "advice": {"reconnect": "none"},
    }


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        (Denied("wrong: password"), {"reconnect": "none"}),
        (RefusedError("full"), {"reconnect": "handshake", "interval": BUSY_MS}),
    ],
)
def test_a_handshake_refused(house, refusal, advice):
    """For ever, or until there is room."""
    house.refuses["handshake"] = refusal
    greeting = Caller(house).greeting
    assert greeting["error"] == f"403:{str(refusal).replace(':', ' ')}:handshake_denied"
    assert greeting["advice"] == advice
    assert "clientId" not in greeting
    assert not house.server.sessions


def test_sessions_of_an_address_are_limited():
    house = House(sessions_per_address=2)
    first, _ = Caller(house), Caller(house)
    assert "sessions-per-address, 2" in Caller(house).greeting["error"]
    first.say("/meta/disconnect")
    assert Caller(house).greeting["successful"]


def test_a_handshake_goes_alone(house):
    caller = Caller(house)
    with pytest.raises(MessageError, match="alone"):
        caller.ask({"channel": "/meta/handshake"}, {"channel": "/a", "data": 1, "clientId": caller.client_id})
    with pytest.raises(MessageError, match="no messages"):
        caller.ask()


def test_a_browser_keeps_its_cookie_while_it_has_sessions(house):
    caller = Caller(house)
    cookie = caller.link.owner
    assert house.server.knows(cookie)
    caller.ask({"channel": "/meta/handshake"})
    assert caller.link.owner == cookie
    caller.link.owner = "made up"
    caller.ask({"channel": "/meta/handshake"})
    assert caller.link.owner not in ("made up", cookie)


@pytest.mark.parametrize("channel", ["/meta/connect", "/meta/subscribe", "/meta/disconnect", "/a"])
@pytest.mark.parametrize("client_id", ["nope", None])
def test_a_session_that_is_not_known(house, channel, client_id):
    """Only a connect is told to begin again: one telling is enough."""
    caller = Caller(house)
    (reply,) = caller.ask({"channel": channel, "clientId": client_id, "data": 1, "subscription": "/a"})
    assert reply["error"] == "402::session_unknown"
    assert reply.get("advice") == (AGAIN if channel == "/meta/connect" else None)
    assert not house.subscribed


def test_a_stolen_session(house):
    """Its id is worth nothing without its cookie, and over a WebSocket nothing to whom has another session."""
    victim = Caller(house)
    for thief in (Caller(house), Caller(house, socket=True)):
        thief.client_id = victim.client_id
        assert thief.publish("/a")[0]["error"] == "402::session_unknown"
    born = Caller(house, socket=True)
    guest = Caller(house)
    guest.client_id = born.client_id
    assert guest.publish("/a")[0]["error"] == "402::session_unknown"


def test_a_new_socket_takes_up_a_session(house):
    caller = Caller(house)
    caller.socket, caller.link = True, Link(address="9", socket=True)
    assert caller.publish("/a")[0]["successful"]
    assert caller.link.bound is caller.session


def test_a_request_is_of_one_session(house):
    one, two = Caller(house), Caller(house)
    one.link.owner = two.link.owner
    replies = two.ask(*({"channel": "/a", "data": 1, "clientId": who.client_id} for who in (two, one, two)))
    assert [reply["successful"] for reply in replies] == [True, False, True]


def test_a_disconnect_over_a_socket(house):
    caller = Caller(house, socket=True)
    other = Caller(house, socket=True)
    assert caller.say("/meta/disconnect")[0]["successful"]
    assert list(house.server.sessions) == [other.client_id]


def test_nothing_follows_a_disconnect(house):
    caller = Caller(house).subscribe("/a")
    message = {"channel": "/a", "data": 1, "clientId": caller.client_id}
    replies = caller.ask({"channel": "/meta/disconnect", "clientId": caller.client_id}, message)
    assert [reply["successful"] for reply in replies] == [True, False]
    assert house.dismissed[0][2:] == ("the client disconnected", False)
    assert not house.server.sessions
    assert not house.subscribed["/a"]


def test_a_disconnect_answers_the_connect_that_waits(house):
    caller = Caller(house).connected()
    assert caller.connect() == []
    caller.say("/meta/disconnect")
    last = house.dismissed[0][1]
    assert (last.successful, last.advice) == (True, {"reconnect": "none"})
    assert not caller.house.server.knows(caller.link.owner)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "400::channel_missing"),
        ({"channel": "/a b<"}, "405::channel_invalid"),
        ({"channel": "a"}, "405::channel_invalid"),
        ({"channel": "/" + "x" * 100}, "405::channel_invalid"),
        ({"channel": "/a/*"}, "405::channel_invalid"),
        ({"channel": "/a", "id": "x" * 11}, "405::message_id_invalid"),
        ({"channel": "/meta/foo"}, "403:denied_by_security_policy:channel_create_denied"),
        ({"channel": "/meta/subscribe/x"}, "403:denied_by_security_policy:channel_create_denied"),
        ({"channel": "/meta/*"}, "403:denied_by_security_policy:channel_create_denied"),
    ],
)
def test_what_cannot_be_published(fields, error):
    house = House(limits=Limits(channel_chars=100, id_chars=10))
    caller = Caller(house).subscribe("/**")
    (reply,) = caller.ask({"clientId": caller.client_id, "data": 1, **fields})
    assert (reply["successful"], reply["error"]) == (False, error)


def test_a_message_without_data(house):
    caller = Caller(house)
    assert caller.say("/a")[0]["error"] == "400::data_missing"
    assert caller.say("/a", data=None)[0]["successful"]


def test_publishing_refused(house):
    house.refuses["/a"] = RefusedError("limit: memory")
    assert Caller(house).publish("/a")[0]["error"] == "403:limit  memory:publish_denied"


def test_an_answer_repeats_the_id_as_it_is(house):
    caller = Caller(house)
    for identity in ("h-1", 7, 7.5, "é"):
        (reply,) = caller.ask({"id": identity, "channel": "/a/", "data": 1, "clientId": caller.client_id})
        assert reply == {"id": identity, "channel": "/a", "successful": True}


def test_a_service_is_not_broadcast(house):
    caller = Caller(house).subscribe("/**", "/service/x")
    assert caller.publish("/service/x", 5) == [{"id": "2", "channel": "/service/x", "successful": True}]
    assert house.served == [("/service/x", b"5")]
    assert list(house.subscribed) == ["/**"]


def test_subscribing(house):
    """A name or several; the answer repeats them as they were; again is no news; a service is in name only."""
    caller = Caller(house)
    assert caller.say("/meta/subscribe", subscription="/a/") == [
        {"id": "1", "channel": "/meta/subscribe", "successful": True, "subscription": "/a/"}
    ]
    assert caller.say("/meta/subscribe", subscription=["/a", "/b/**"])[0]["subscription"] == ["/a", "/b/**"]
    assert list(house.subscribed) == list(caller.session.channels) == ["/a", "/b/**"]
    caller.say("/meta/unsubscribe", subscription=["/a", "/never", "/service/x"])
    assert list(caller.session.channels) == ["/b/**"]


@pytest.mark.parametrize("request_", ["/meta/subscribe", "/meta/unsubscribe"])
@pytest.mark.parametrize(
    ("subscription", "error"),
    [
        (None, "403::subscription_missing"),
        ([], "403::subscription_invalid"),
        (5, "403::subscription_invalid"),
        (["/a", 5], "403::subscription_invalid"),
        ("/a/*/b", "403::subscription_invalid"),
        ("/" + "x" * 2000, "403::subscription_invalid"),
        (["/a"] * 11, "403::subscription_invalid"),
        (["/a", "/b//c"], "403::subscription_invalid"),
    ],
)
def test_subscriptions_without_form(request_, subscription, error):
    house = House(limits=Limits(subscriptions=10))
    caller = Caller(house)
    fields = {} if subscription is None else {"subscription": subscription}
    assert caller.say(request_, **fields)[0]["error"] == error
    assert not house.subscribed
    assert caller.say(request_)[0]["error"] == "403::subscription_missing"


@pytest.mark.parametrize(
    ("request_", "channel", "error"),
    [
        ("/meta/subscribe", "/meta/connect", "403:denied_by_security_policy:subscribe_denied"),
        ("/meta/subscribe", "/meta/**", "403:denied_by_security_policy:create_denied"),
        ("/meta/subscribe", "/c", "403:no:subscribe_denied"),
        ("/meta/unsubscribe", "/meta/connect", "403::unsubscribe_failed"),
    ],
)
def test_what_comes_before_a_refused_channel_is_done(house, request_, channel, error):
    """As CometD does it: in their order, up to the first that fails, and the one reply says that it failed."""
    caller = Caller(house)
    if request_ == "/meta/unsubscribe":
        caller.subscribe("/a", "/b", "/d")
    house.refuses["/c"] = RefusedError("no")
    (reply,) = caller.say(request_, subscription=["/a", "/b", channel, "/d"])
    assert (reply["successful"], reply["error"]) == (False, error)
    assert list(caller.session.channels) == (["/a", "/b"] if request_ == "/meta/subscribe" else ["/d"])
    assert [name for name, who in house.subscribed.items() if who] == list(caller.session.channels)


def test_each_message_once(house):
    caller = Caller(house).subscribe("/a/b", "/a/*", "/**")
    assert caller.publish("/a/b", 1) == [
        {"channel": "/a/b", "data": 1},
        {"id": "2", "channel": "/a/b", "successful": True},
    ]


def test_the_time(house):
    """On every reply to a meta message that asks, and on no other."""
    caller = Caller(house)
    ask = {"timesync": {"tc": 999_000, "l": 0, "o": 0}}
    (reply,) = caller.say("/meta/subscribe", subscription="/a", ext=ask)
    assert reply["ext"] == {"timesync": {"tc": 999_000, "ts": 1_000_000, "p": 0, "a": -1000}}
    right = {"timesync": {"tc": 999_000, "l": 10, "o": 990}}
    assert "ext" not in caller.say("/meta/subscribe", subscription="/a", ext=right)[0]
    assert "ext" not in caller.say("/a", data=1, ext=ask)[-1]


def test_a_session_ends_once(house):
    caller = Caller(house)
    session = caller.session
    house.server.end(session, "first")
    house.server.end(session, "second")
    assert [ended[2] for ended in house.dismissed] == ["first"]


def test_one_of_two_sessions_of_a_browser(house):
    caller = Caller(house)
    first, (second,) = caller.session, caller.ask({"channel": "/meta/handshake"})
    house.server.end(first, "gone")
    assert house.server.knows(caller.link.owner)
    assert list(house.server.sessions) == [second["clientId"]]
