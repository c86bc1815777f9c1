"""The Bayeux transport against a server that does what a test tells it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import socket
import threading
from collections.abc import Iterator

import pytest

from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.adapters.bayeux import BayeuxAdapter
from mqctl.errors import (
    ConnectError,
    MqctlError,
    OperationTimeout,
    ProtocolError,
    RefusedError,
    TlsError,
    UnsupportedError,
    UsageError,
)
from mqctl.model import (
    AckMode,
    AckToken,
    Confirmation,
    Confirmed,
    Fault,
    Outgoing,
    Rejected,
    SubscriptionId,
    Topic,
    Unknown,
)
from mqctl.protocols.bayeux.spec import Delivery
from mqctl.target import Endpoint, Secret, Target
from mqctl.testing.recorder import Recorder
from tests.unit.adapters.fake_bayeux import PATIENCE_S, FakeServer, fake_server, refusal, reply

A = Topic(levels=("a",))
FORGOTTEN = {"reconnect": "handshake", "interval": 0}


@pytest.fixture
def served() -> Iterator[tuple[FakeServer, Target]]:
    with fake_server() as both:
        yield both


@pytest.fixture
def fake(served: tuple[FakeServer, Target]) -> FakeServer:
    return served[0]


@pytest.fixture
def target(served: tuple[FakeServer, Target]) -> Target:
    return served[1]


@contextlib.contextmanager
def connected(target: Target, **changes: object) -> Iterator[tuple[Connection, Recorder]]:
    recorder = Recorder(PATIENCE_S)
    connection = BayeuxAdapter().connect(dataclasses.replace(target, **changes), sink=recorder)
    try:
        yield connection, recorder
    finally:
        connection.close(timeout_s=1.0)


def fails(target: Target, kind: type[MqctlError], **changes: object) -> MqctlError:
    with pytest.raises(kind) as raised, connected(target, **changes):
        pass
    return raised.value


@contextlib.contextmanager
def saying(first: bytes, *, hang_up: bool = True) -> Iterator[Target]:
    """A server that says one thing to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(first)
                if not hang_up:
                    sock.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        endpoint = Endpoint(*listener.getsockname())
        yield Target(scheme="bayeux+http", endpoints=(endpoint,), path="/x", connect_timeout_s=0.3)
        thread.join()


class TestConnecting:
    def test_what_the_greeting_tells(self, fake, target):
        with connected(target) as (connection, _):
            assert connection.greeting.detail == {"connection-type": "long-polling", "timeout": "20 s", "ack": "off"}
            assert connection.greeting.server.startswith("BaseHTTP")

    def test_who_we_are_goes_in_the_handshake_and_in_the_header(self, fake, target):
        with connected(target, user="me", password=Secret("s:1")):
            headers, (message,) = fake.requests[0]
        assert message["ext"]["authentication"] == {"user": "me", "password": "s:1"}
        assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"me:s:1"

    @pytest.mark.parametrize("scheme", ["bayeux+ws", "bayeux+sse"])
    def test_a_gateway_before_websockets_and_streams_hears_it_too(self, fake, target, scheme):
        fake.events = []
        with connected(target, scheme=scheme, user="me", password=Secret("s:1")):
            (headers,) = fake.asked
        assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"me:s:1"

    def test_a_user_without_a_password(self, fake, target):
        with connected(target, user="me"):
            assert fake.requests[0][1][0]["ext"]["authentication"] == {"user": "me", "password": ""}

    def test_cookies_come_back_over_both_connections(self, fake, target):
        fake.headers = {"Set-Cookie": "BAYEUX_BROWSER=x1; Path=/; HttpOnly"}
        with connected(target) as (connection, _):
            connection.submit(Outgoing(topic=A, payload=b"1")).outcome(PATIENCE_S)
        assert "cookie" not in fake.requests[0][0]
        assert {headers["cookie"] for headers, _ in fake.requests[1:]} == {"BAYEUX_BROWSER=x1"}

    def test_a_cookie_that_is_taken_back_is_sent_no_more(self, fake, target):
        fake.headers = {"Set-Cookie": "a=1"}
        with connected(target) as (connection, _):
            fake.headers = {"Set-Cookie": "a=; Max-Age=0"}
            for _ in range(2):
                connection.submit(Outgoing(topic=A, payload=b"1")).outcome(PATIENCE_S)
        cookies = [headers.get("cookie") for headers, messages in fake.requests if messages[0]["channel"] == "/a"]
        assert cookies == ["a=1", None]

    @pytest.mark.parametrize("cookie", ["", "=", "a\x80b", ";;;"])
    def test_what_is_no_cookie_is_left(self, fake, target, cookie):
        fake.headers = {"Set-Cookie": cookie}
        with connected(target) as (connection, _):
            assert connection.submit(Outgoing(topic=A, payload=b"1")).outcome(PATIENCE_S) == Confirmed(
                Confirmation.BROKER
            )

    def test_no_web_socket_is_said_once(self, fake, target):
        with connected(target, scheme="bayeux+ws") as (connection, recorder):
            assert connection.greeting.detail["connection-type"] == "long-polling"
        (fault,) = recorder.of(Fault)
        assert fault.reason.startswith("no WebSocket here, so this is long-polling (")
        assert "400" in fault.reason

    @pytest.mark.parametrize(
        ("delivery", "asked"),
        [
            (None, {"ack": True}),
            (Delivery.DEFAULT, None),
            (Delivery.CONNECTS_ONLY, {"metaConnectDeliverOnly": True}),
            (Delivery.ACKNOWLEDGED, {"ack": True}),
        ],
    )
    def test_when_messages_are_to_come_is_asked_for(self, fake, target, delivery, asked):
        fake.answers["/meta/handshake"] = lambda message: [
            reply(message, clientId="c1", supportedConnectionTypes=["long-polling"], ext=message.get("ext"))
        ]
        BayeuxAdapter(delivery=delivery).connect(target, sink=Recorder(PATIENCE_S)).close()
        extensions = dict(fake.requests[0][1][0].get("ext", {}))
        extensions.pop("timesync")
        assert (extensions or None) == asked

    @pytest.mark.parametrize(
        ("delivery", "says"),
        [
            (Delivery.CONNECTS_ONLY, "knows no metaConnectDeliverOnly"),
            (Delivery.ACKNOWLEDGED, "has no acknowledgement extension"),
        ],
    )
    def test_a_server_that_cannot_deliver_so_is_refused(self, fake, target, delivery, says):
        with pytest.raises(UnsupportedError, match=says):
            BayeuxAdapter(delivery=delivery).connect(target, sink=Recorder(PATIENCE_S))

    def test_the_usual_path(self, fake, target):
        with connected(target, path="") as (connection, _):
            assert connection.greeting


class TestRefusals:
    def test_a_password_that_is_wrong(self, fake, target):
        fake.answers["/meta/handshake"] = lambda message: [
            refusal(message, "403:wrong password:handshake_denied", advice={"reconnect": "none"})
        ]
        error = fails(target, RefusedError)
        assert str(error).endswith("refused the connection: handshake_denied (wrong password)")
        assert error.hint == "no user was given"
        assert fails(target, RefusedError, user="me").hint is None

    def test_another_transport_only(self, fake, target):
        fake.answers["/meta/handshake"] = lambda message: [
            reply(message, clientId="x", supportedConnectionTypes=["callback-polling"])
        ]
        assert "offers callback-polling" in str(fails(target, RefusedError))

    def test_a_session_that_is_not_known_where_it_is_needed(self, fake, target):
        fake.answers["/meta/connect"] = lambda message: [
            refusal(message, "402::session_unknown", advice={"reconnect": "handshake"})
        ]
        error = fails(target, RefusedError)
        assert "does not know the session that it has made: session_unknown" in str(error)
        assert "sticky sessions" in error.hint

    def test_no_session_id(self, fake, target):
        fake.answers["/meta/handshake"] = lambda message: [reply(message, supportedConnectionTypes=["long-polling"])]
        assert "does not say which session" in str(fails(target, ProtocolError))

    @pytest.mark.parametrize(
        ("status", "hint"), [(404, "name the path"), (401, "--user"), (503, "a gateway"), (418, None)]
    )
    def test_http_says_no(self, fake, target, status, hint):
        fake.status, fake.body = status, b"<h1>no  such</h1>\x1b"
        error = fails(target, RefusedError)
        assert f"has no Bayeux for us at /cometd: {status}" in str(error)
        assert str(error).endswith(": no such ?")
        assert (hint or "") in (error.hint or "")

    @pytest.mark.parametrize("body", [b"<html>", b"", b'{"channel":1}'])
    def test_what_is_no_bayeux(self, fake, target, body):
        fake.body = body
        error = fails(target, ProtocolError)
        assert "does not speak Bayeux at /cometd" in str(error)
        assert "/faye" in error.hint

    @pytest.mark.parametrize("body", [b"[]", b'[{"channel":"/meta/handshake","id":"99","successful":true}]'])
    def test_no_answer_to_the_handshake(self, fake, target, body):
        fake.body = body
        assert "did not answer the handshake" in str(fails(target, ProtocolError))

    def test_who_speaks_something_else(self):
        with saying(b"220 mail.example ESMTP\r\n") as target:
            assert "does not speak HTTP: it says '220 mail" in str(fails(target, ProtocolError))

    def test_who_speaks_tls(self):
        with saying(b"\x15\x03\x01\x00\x02\x02\x46") as target:
            assert fails(target, TlsError).hint == "use the scheme bayeux+https"

    def test_who_hangs_up(self):
        with saying(b"") as target:
            error = fails(target, ConnectError)
        assert "hung up without an answer" in str(error)
        assert "bayeux+https" in error.hint

    def test_who_says_nothing(self):
        with saying(b"", hang_up=False) as target:
            assert "did not answer in time" in str(fails(target, ConnectError))


class TestSession:
    def test_a_message_comes_by_the_connect(self, fake, target):
        with connected(target) as (connection, recorder):
            subscription = connection.subscribe(SubscribeSpec(topic=A), timeout_s=PATIENCE_S)
            fake.wake({"channel": "/a", "data": {"n": 1}, "timestamp": "now", "ext": {"headers": {"k": "v", "n": 1}}})
            delivery = recorder.deliveries(1)[0]
        assert (delivery.topic, delivery.payload, delivery.subscription) == ("a", b'{"n": 1}', subscription)
        assert delivery.headers == {"k": "v", "timestamp": "now"}

    def test_half_a_character_of_javascript_ends_nothing(self, fake, target):
        with connected(target) as (connection, recorder):
            connection.subscribe(SubscribeSpec(topic=A), timeout_s=PATIENCE_S)
            fake.wake({"channel": "/a", "data": "x\ud800"}, {"channel": "/a", "data": 2})
            assert [each.payload for each in recorder.deliveries(2)] == ["x\ufffd".encode(), b"2"]

    def test_what_nobody_subscribed_to_is_dropped(self, fake, target):
        with connected(target) as (connection, recorder):
            connection.subscribe(SubscribeSpec(topic=A), timeout_s=PATIENCE_S)
            fake.wake({"channel": "/service/x", "data": 1}, {"channel": "/a", "data": 2})
            recorder.deliveries(1)
            assert recorder.payloads == [b"2"]
            assert connection.stats().messages_in == 1

    def test_what_is_submitted_meanwhile_goes_together(self, fake, target):
        held = threading.Event()

        def hold(message):
            held.wait(PATIENCE_S)
            return [reply(message)]

        fake.answers["/slow"] = hold
        with connected(target) as (connection, _):
            first = connection.submit(Outgoing(topic=Topic(levels=("slow",)), payload=b"0"))
            rest = [connection.submit(Outgoing(topic=A, payload=b"%d" % number)) for number in range(600)]
            held.set()
            assert {each.outcome(PATIENCE_S) for each in (first, *rest)} == {Confirmed(Confirmation.BROKER)}
        sizes = [len(messages) for _, messages in fake.requests if messages[0]["channel"] == "/a"]
        assert sizes == [500, 100]
        assert [each["data"] for each in fake.sent("/a")] == list(range(600))

    def test_large_ones_go_alone(self, fake, target):
        with connected(target) as (connection, _):
            pending = [connection.submit(Outgoing(topic=A, payload=b"x" * 50_000)) for _ in range(3)]
            assert all(each.outcome(PATIENCE_S) == Confirmed(Confirmation.BROKER) for each in pending)
        assert all(len(messages) == 1 for _, messages in fake.requests)

    def test_the_goodbye_goes_alone_and_last(self, fake, target):
        with connected(target) as (connection, _):
            for _ in range(3):
                connection.submit(Outgoing(topic=A, payload=b"1"), confirmation=Confirmation.NONE)
        assert len(fake.sent("/a")) == 3
        assert [each["channel"] for each in fake.requests[-1][1]] == ["/meta/disconnect"]

    def test_a_refusal_is_told_where_somebody_asks_and_else_as_a_fault(self, fake, target):
        fake.answers["/a"] = lambda message: [refusal(message, "403::publish_denied")]
        with connected(target) as (connection, recorder):
            assert connection.submit(Outgoing(topic=A, payload=b"1")).outcome(PATIENCE_S) == Rejected("publish_denied")
            connection.submit(Outgoing(topic=A, payload=b"1"), confirmation=Confirmation.SOCKET)
        assert [fault.reason for fault in recorder.of(Fault)] == ["a message was refused: publish_denied"]

    def test_a_subscription_that_is_refused_in_part_is_undone(self, fake, target):
        def judge(message):
            wild = message["subscription"].endswith("**")
            return [refusal(message, "403::subscribe_denied") if wild else reply(message)]

        fake.answers["/meta/subscribe"] = judge
        with connected(target) as (connection, recorder):
            with pytest.raises(RefusedError, match=r"refused to subscribe to /a/\*\*: subscribe_denied"):
                connection.subscribe(SubscribeSpec(topic=Topic(levels=("a", "**"))), timeout_s=PATIENCE_S)
            undone = fake.wait_for("/meta/unsubscribe", 2)
            assert {each["subscription"] for each in undone} == {"/a", "/a/**"}
            fake.wake({"channel": "/a", "data": 1})
            fake.wait_for("/meta/connect", 3)
            assert recorder.payloads == []

    def test_two_subscriptions_share_a_channel_until_both_end(self, fake, target):
        with connected(target) as (connection, recorder):
            ids = [connection.subscribe(SubscribeSpec(topic=A), timeout_s=PATIENCE_S) for _ in range(2)]
            fake.wake({"channel": "/a", "data": 1})
            assert [each.subscription for each in recorder.deliveries(2)] == ids
            connection.unsubscribe(ids[0], timeout_s=PATIENCE_S)
            assert fake.sent("/meta/unsubscribe") == []
            connection.unsubscribe(ids[1], timeout_s=PATIENCE_S)
            assert len(fake.sent("/meta/unsubscribe")) == 1
        assert len(fake.sent("/meta/subscribe")) == 1

    def test_no_answer_in_time(self, fake, target):
        fake.answers["/meta/subscribe"] = lambda message: []
        with connected(target) as (connection, _), pytest.raises(OperationTimeout, match=r"within 0\.05 s"):
            connection.subscribe(SubscribeSpec(topic=A), timeout_s=0.05)

    def test_a_session_that_is_forgotten_is_made_anew(self, fake, target):
        with connected(target) as (connection, recorder):
            connection.subscribe(SubscribeSpec(topic=A), timeout_s=PATIENCE_S)
            fake.answers["/a"] = lambda message: [
                reply(message) if message["clientId"] == "session2" else refusal(message, "402::session_unknown")
            ]
            assert connection.submit(Outgoing(topic=A, payload=b"1")).outcome(PATIENCE_S) == Rejected("session_unknown")
            again = fake.wait_for("/meta/subscribe", 2)[1]
            assert (again["clientId"], again["subscription"]) == ("session2", "/a")
            assert connection.submit(Outgoing(topic=A, payload=b"2")).outcome(PATIENCE_S) == Confirmed(
                Confirmation.BROKER
            )
        assert [fault.reason.partition(";")[0] for fault in recorder.of(Fault)] == ["session_unknown"]

    def test_a_subscription_that_the_new_session_does_not_get_is_told(self, fake, target):
        with connected(target) as (connection, recorder):
            connection.subscribe(SubscribeSpec(topic=A), timeout_s=PATIENCE_S)
            fake.answers["/meta/subscribe"] = lambda message: [refusal(message, "403::subscribe_denied")]
            fake.answers["/a"] = lambda message: [refusal(message, "402::session_unknown", advice=FORGOTTEN)]
            connection.submit(Outgoing(topic=A, payload=b"1")).outcome(PATIENCE_S)
            fake.wait_for("/meta/subscribe", 2)
            connection.submit(Outgoing(topic=Topic(levels=("b",)), payload=b"1")).outcome(PATIENCE_S)
        assert recorder.of(Fault)[1].reason == "the new session has no subscription to /a: subscribe_denied"


class TestEventStreams:
    @pytest.fixture
    def target(self, served: tuple[FakeServer, Target]) -> Target:
        rarely = {"reconnect": "retry", "interval": 20_000, "timeout": 0}
        served[0].events = []
        served[0].answers["/meta/connect"] = lambda message: [reply(message, advice=rarely)]
        return dataclasses.replace(served[1], scheme="bayeux+sse")

    def test_messages_come_by_the_stream(self, fake, target):
        with connected(target) as (connection, recorder):
            assert connection.greeting.detail["connection-type"] == "eventsource"
            connection.subscribe(SubscribeSpec(topic=A), timeout_s=PATIENCE_S)
            fake.say(b':\r\n\r\ndata: [{"channel":"/a",\r\ndata: "data":1}]\r\n')
            fake.say(b'\r\ndata: [{"channel":"/a","data":2}]\n\n')
            assert [each.payload for each in recorder.deliveries(2)] == [b"1", b"2"]
            assert connection.stats().messages_in == 2
        assert fake.streams == ["/cometd/session1"]

    def test_who_offers_none_is_spoken_to_in_long_polling(self, fake, target):
        fake.events = None
        with connected(target) as (connection, recorder):
            assert connection.greeting.detail["connection-type"] == "long-polling"
        (fault,) = recorder.of(Fault)
        assert fault.reason.startswith("no event stream here, so this is long-polling (")
        assert "the server offers long-polling" in fault.reason

    def test_who_offers_one_and_has_none_too(self, fake, target):
        fake.answers["/meta/handshake"] = lambda message: [
            reply(message, clientId="secret", supportedConnectionTypes=["eventsource", "long-polling"])
        ]
        fake.events = None
        with connected(target) as (connection, recorder):
            assert connection.greeting.detail["connection-type"] == "long-polling"
        (fault,) = recorder.of(Fault)
        assert "at /cometd/…: 400" in fault.reason
        assert "secret" not in fault.reason

    def test_another_session_has_another_stream(self, fake, target):
        with connected(target) as (connection, _):
            fake.wait_for("/meta/connect")
            connection.subscribe(SubscribeSpec(topic=A), timeout_s=PATIENCE_S)
            fake.answers["/b"] = lambda message: [refusal(message, "402::session_unknown", advice=FORGOTTEN)]
            connection.submit(Outgoing(topic=Topic(levels=("b",)), payload=b"1")).outcome(PATIENCE_S)
            fake.wait_for("/meta/subscribe", 2)
            assert fake.streams == ["/cometd/session1", "/cometd/session2"]

    def test_the_end_of_the_stream_is_that_of_the_connection(self, fake, target):
        with connected(target) as (_, recorder):
            fake.say(b"")
            assert recorder.disconnected().reason == "the server closed the connection"

    def test_nonsense_in_the_stream(self, fake, target):
        with connected(target) as (_, recorder):
            fake.say(b"data: hello\n\n")
            assert recorder.disconnected().reason.startswith("the server sent no Bayeux: ")


class TestTheEnd:
    def test_the_server_ends_the_session(self, fake, target):
        with connected(target) as (_, recorder):
            fake.wake({"channel": "/meta/disconnect", "successful": True})
            end = recorder.disconnected()
        assert (end.expected, end.reason) == (False, "the server ended the session")

    def test_the_server_does_not_answer_a_connect_any_more(self, fake, target):
        fake.advice = {"reconnect": "retry", "interval": 0, "timeout": 50}
        with connected(target, heart_beat_s=0.05) as (_, recorder):
            assert recorder.disconnected().reason == "the server does not answer any more"

    def test_the_server_does_not_answer_another_request(self, fake, target):
        over = threading.Event()
        fake.answers["/a"] = lambda message: [reply(message)] if over.wait(PATIENCE_S) else []
        with connected(target, heart_beat_s=0.05) as (connection, recorder):
            pending = connection.submit(Outgoing(topic=A, payload=b"1"))
            assert recorder.disconnected().reason == "the server does not answer any more"
            assert isinstance(pending.outcome(0), Unknown)
            over.set()

    def test_an_interval_is_kept(self, fake, target):
        fake.advice = {"reconnect": "retry", "interval": 20, "timeout": 20_000}
        with connected(target):
            fake.wait_for("/meta/connect", 2)

    def test_nonsense_in_the_middle(self, fake, target):
        with connected(target) as (_, recorder):
            fake.body = b"[1]"
            fake.wake()
            assert recorder.disconnected().reason.startswith("the server sent no Bayeux: ")

    def test_a_gateway_in_the_middle(self, fake, target):
        with connected(target) as (_, recorder):
            fake.status = 502
            fake.wake()
            assert "502" in recorder.disconnected().reason

    def test_a_server_that_closes_after_each_answer(self, fake, target):
        fake.headers = {"Connection": "close"}
        with connected(target) as (connection, recorder):
            for _ in range(3):
                assert connection.submit(Outgoing(topic=A, payload=b"1")).outcome(PATIENCE_S) == Confirmed(
                    Confirmation.BROKER
                )
            connection.subscribe(SubscribeSpec(topic=A), timeout_s=PATIENCE_S)
            fake.wake({"channel": "/a", "data": 1})
            recorder.message(b"1")
        assert fake.connections >= 7


class TestWhatBayeuxHasNot:
    def test_it_is_refused_before_it_is_sent(self, fake, target):
        with connected(target) as (connection, _):
            for spec in (SubscribeSpec(topic=A, ack_mode=AckMode.CLIENT), SubscribeSpec(topic=A, headers={"a": "b"})):
                with pytest.raises(UnsupportedError):
                    connection.subscribe(spec, timeout_s=PATIENCE_S)
            with pytest.raises(UnsupportedError):
                connection.nack(AckToken(SubscriptionId("1"), None))
            with pytest.raises(UsageError, match="gives out none"):
                connection.ack(AckToken(SubscriptionId("1"), None))
            with pytest.raises(UsageError, match="belongs to the protocol"):
                connection.submit(Outgoing(topic=Topic(native="/meta/disconnect"), payload=b""))
            with pytest.raises(UsageError, match="not UTF-8"):
                connection.submit(Outgoing(topic=A, payload=b"\xff", as_text=True))
            assert connection.stats().messages_out == 0

    def test_text_goes_in_binary_where_it_is_said_to_be_none(self, fake, target):
        with connected(target) as (connection, _):
            connection.submit(Outgoing(topic=A, payload=b"abc", as_text=False)).outcome(PATIENCE_S)
        (message,) = fake.sent("/a")
        assert (message["data"], message["ext"]) == ({"data": "vpAZ", "last": True}, {"binary": {}})
