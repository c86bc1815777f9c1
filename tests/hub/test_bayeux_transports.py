"""Bayeux over each transport: WebSocket, server-sent events, scripts; how messages are delivered, and how it ends."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.parse
from email.utils import parsedate_to_datetime

import pytest
import websocket

from mqctl.broker import Limits, SlowConsumer
from mqctl.hub.events import MessagesDropped, SessionClosed, SessionOpened
from mqctl.hub.rules import Rules, read_rule
from mqctl.protocols.bayeux.session import Terms
from mqctl.protocols.stomp.spec import Limits as StompLimits
from mqctl.target import Secret
from tests.hub.bayeux import Poller, Socket
from tests.hub.raw_web import ask
from tests.hub.test_bayeux_protocol import poller_waits, server_of

pytestmark = pytest.mark.parametrize("via", ["web-socket"], indirect=True)


def session_of(hub, client_id):
    return server_of(hub).sessions.get(client_id)


class TestWebSocket:
    def test_a_session(self, hub):
        """Messages come by themselves, while the connect waits."""
        with Socket(hub.endpoint) as sock:
            assert sock.greeting["advice"]["timeout"] == 20_000
            sock.subscribe("/a/*", "/a/b").connected()
            sock.tell("/meta/connect", connectionType="websocket")
            hub.client().publish("/topic/a.b", b"1", b"[2]")
            assert sock.data(2) == [1, [2]]
            assert hub.thread.ask(lambda hub: session_of(hub, sock.client_id).held)
            assert [each["channel"] for each in sock.publish("/b")] == ["/b"]
            assert sock.say("/meta/disconnect")[-1]["successful"]
            assert sock.connect()[-1]["error"] == "402::session_unknown"
            (opened,) = [each for each in hub.events.of(SessionOpened) if "Bayeux" in each.protocol]
            assert opened.protocol == "Bayeux over websocket"

    def test_answers_do_not_wait_for_a_connect_of_the_same_array(self, hub):
        with Socket(hub.endpoint) as sock:
            sock.connected()
            sock.send(
                {"id": "c", "channel": "/meta/connect", "clientId": sock.client_id},
                {"id": "p", "channel": "/a", "data": 1, "clientId": sock.client_id},
            )
            assert [each["id"] for each in sock.next()] == ["p"]

    def test_a_newer_connect_silences_the_older(self, hub):
        with Socket(hub.endpoint) as sock:
            sock.connected()
            sock.tell("/meta/connect")
            assert [each["id"] for each in sock.connect(advice={"timeout": 0})] == ["3"]

    def test_another_socket_takes_the_session_over(self, hub):
        """Nothing is lost of what waited meanwhile, and the old one is of no use any more."""
        with Socket(hub.endpoint) as old:
            old.subscribe("/a").connected()
            with Socket(hub.endpoint, old.client_id) as new:
                new.connect(advice={"timeout": 0})
                hub.client().publish("/topic/a", b"1")
                assert new.data(1) == [1]
                assert not hub.thread.ask(lambda hub: session_of(hub, old.client_id).deliver_only)

    def test_the_end_of_the_socket_is_not_the_end_of_the_session(self, hub):
        with Socket(hub.endpoint) as old:
            old.subscribe("/a").connected()
            old.tell("/meta/connect")
        hub.until(lambda _: hub.thread.ask(lambda hub: not hub._http._bayeux.connections))
        hub.client().publish("/topic/a", b"1")
        with Socket(hub.endpoint, old.client_id) as new:
            assert [each.get("data") for each in new.connect(advice={"timeout": 0})] == [1, None]

    def test_a_session_born_on_a_socket_is_unknown_to_requests(self, hub):
        with Socket(hub.endpoint) as sock, Poller(hub.endpoint) as poller:
            poller.client_id = sock.client_id
            assert poller.connect()[0]["error"] == "402::session_unknown"

    def test_a_socket_has_one_session(self, hub):
        with Socket(hub.endpoint) as one, Socket(hub.endpoint) as two:
            two.client_id = one.client_id
            assert two.publish("/a")[-1]["error"] == "402::session_unknown"

    def test_an_empty_array_is_nothing(self, hub):
        """So some clients keep their sockets open."""
        with Socket(hub.endpoint) as sock:
            sock.web.send("[]")
            assert sock.publish("/a")[-1]["successful"]

    @pytest.mark.parametrize(
        ("payload", "code"),
        [
            ("nonsense", 1008),
            ('[{"channel":"/meta/handshake"},{}]', 1008),
            ("[" * 70_000, 1009),
        ],
    )
    def test_what_ends_it(self, hub, payload, code):
        with Socket(hub.endpoint, "") as sock:
            sock.web.send(payload)
            assert sock.closed()[0] == code

    def test_pings_and_good_byes(self, hub):
        with Socket(hub.endpoint) as sock:
            sock.web.ping("there?")
            assert sock.web.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_PONG, b"there?")
            sock.web.send_close(4000, b"enough")
            assert sock.closed() == (4000, "")

    def test_pages_from_elsewhere(self, hub):
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            websocket.create_connection(f"ws://{hub.endpoint}/bayeux", origin="https://evil.example")
        assert caught.value.status_code == 403

    def test_who_says_nothing(self, start):
        hub = start(stomp_limits=StompLimits(connect_timeout_s=0.2))
        with Socket(hub.endpoint, "") as sock:
            assert sock.closed() == (1008, "no session (limit: connect-timeout)")


class TestEventSource:
    def open(self, hub, poller, *, cookie=True, path=None):
        line = f"Cookie: {poller.cookie}\r\n" if cookie else ""
        request = f"GET /bayeux/{path or poller.client_id} HTTP/1.1\r\nHost: {hub.endpoint}\r\n{line}"
        return ask(hub.endpoint, f"{request}Accept: text/event-stream\r\n\r\n".encode())

    def test_a_stream(self, hub):
        """Events are arrays on a line; a connect is a sign of life that brings nothing and does not wait."""
        with Poller(hub.endpoint) as poller:
            poller.subscribe("/a").connected()
            status, head, body, sock = self.open(hub, poller)
            with sock:
                assert status == 200
                assert b"Content-Type: text/event-stream" in head
                hub.client().publish("/topic/a", b'{"a":\n1}')
                while not body.endswith(b"}}]\n\n"):
                    body += sock.recv(1000)
                assert body == b'retry: 5000\n\ndata: [{"channel":"/a","data":{"a": 1}}]\n\n'
                (reply,) = poller.say("/meta/connect", connectionType="eventsource")
                assert reply["advice"] == {"reconnect": "retry", "interval": 20_000, "timeout": 0}
                assert [each["channel"] for each in poller.publish("/a", 2)] == ["/a"]
                assert sock.recv(1000) == b'data: [{"channel":"/a","data":2}]\n\n'
                poller.say("/meta/disconnect")
                assert sock.recv(1000) == b""

    def test_what_came_before_the_stream_is_the_first_of_it(self, hub):
        with Poller(hub.endpoint) as poller:
            poller.subscribe("/a").connected()
            hub.client().publish("/topic/a", b"1")
            _, _, body, sock = self.open(hub, poller)
            with sock:
                while b"data: " not in body:
                    body += sock.recv(1000)
            hub.until(lambda _: hub.thread.ask(lambda hub: not hub._http._bayeux.connections))
            hub.client().publish("/topic/a", b"2")
            assert poller.data(1) == [2]

    def test_only_with_the_cookie(self, hub):
        with Poller(hub.endpoint) as poller:
            for more in ({"cookie": False}, {"path": "nobody"}):
                status, _, body, sock = self.open(hub, poller, **more)
                sock.close()
                assert (status, body) == (404, b"no such session\n")

    def test_any_other_get(self, hub):
        status, _, body, sock = ask(hub.endpoint, f"GET /bayeux HTTP/1.1\r\nHost: {hub.endpoint}\r\n\r\n".encode())
        sock.close()
        assert status == 400
        assert body.startswith(b"Bayeux wants a POST, a WebSocket, or an event stream")


class TestScripts:
    def get(self, hub, callback, *messages, cookie=""):
        query = urllib.parse.urlencode({"jsonp": callback, "message": json.dumps(messages)})
        request = f"GET /bayeux?{query} HTTP/1.1\r\nHost: {hub.endpoint}\r\n{cookie}Connection: close\r\n\r\n"
        status, head, body, sock = ask(hub.endpoint, request.encode())
        with sock:
            while data := sock.recv(65_536):
                body += data
        return status, head.decode(), body.decode()

    def test_they_are_off(self, hub):
        status, _, body = self.get(hub, "f", {"channel": "/meta/handshake"})
        assert (status, body) == (403, "answers as scripts are off: start the hub with --callback-polling\n")

    def test_a_conversation(self, start):
        hub = start(callback_polling=True)
        types = {"supportedConnectionTypes": ["callback-polling"]}
        status, head, body = self.get(hub, "page.got_it", {"channel": "/meta/handshake", **types})
        assert status == 200
        assert "text/javascript" in head
        assert "attachment" in head
        assert "nosniff" in head
        assert body.startswith("/**/page.got_it([")
        assert body.endswith("]);")
        (greeting,) = json.loads(body[len("/**/page.got_it(") : -2])
        cookie = f"Cookie: {head.partition('Set-Cookie: ')[2].partition(';')[0]}\r\n"
        mine = {"clientId": greeting["clientId"]}
        self.get(hub, "f", {"channel": "/meta/subscribe", "subscription": "/a", **mine}, cookie=cookie)
        _, _, body = self.get(hub, "f", {"channel": "/a", "data": "\u2028", **mine}, cookie=cookie)
        assert '"data"' not in body
        _, _, body = self.get(hub, "f", {"channel": "/meta/connect", **mine}, cookie=cookie)
        assert '"data":"\\u2028"' in body

    @pytest.mark.parametrize("callback", ["", "alert(1)", "a b", "1a", "a..b", "é", "x" * 65])
    def test_no_names_of_functions(self, start, callback):
        hub = start(callback_polling=True)
        assert self.get(hub, callback, {"channel": "/meta/handshake"})[0] == 400


class TestDelivery:
    def test_connects_alone_deliver_where_that_is_set(self, start):
        hub = start(bayeux_terms=Terms(deliver_only=True))
        with Poller(hub.endpoint) as poller:
            poller.subscribe("/a").connected()
            assert [each["channel"] for each in poller.publish("/a")] == ["/a"]
            assert [each["channel"] for each in poller.connect()] == ["/a", "/meta/connect"]
        with Socket(hub.endpoint) as sock:
            sock.subscribe("/a").connected()
            assert "data" not in sock.publish("/a")[-1]
            assert [each.get("data") for each in sock.connect()] == [0, None]

    def test_lazy_topics(self, start):
        """They wait for others, and come before them."""
        hub = start(lazy=(read_rule("lazy.**"),), bayeux_terms=Terms(max_lazy_ms=300))
        with Socket(hub.endpoint) as sock, hub.client() as writer:
            sock.subscribe("/**").connected()
            writer.publish("/topic/lazy.a", b"1")
            writer.publish("/topic/lazy.a", b"2")
            writer.publish("/topic/b", b"3")
            assert [each["data"] for each in sock.next()] == [1, 2, 3]
            writer.publish("/topic/lazy.a", b"4")
            assert sock.data(1) == [4]

    @pytest.mark.parametrize("kind", [Poller, Socket])
    def test_half_a_character(self, hub, kind):
        """JavaScript may send it, and no UTF-8 carries it: a sign stands for it, and nothing else is lost."""
        with kind(hub.endpoint) as client:
            client.subscribe("/a").connected()
            messages = client.publish("/a", "x\ud83dy")
            while not any("data" in each for each in messages):
                messages += client.next()
            assert {"channel": "/a", "data": "x\ufffdy"} in messages

    @pytest.mark.parametrize("kind", [Poller, Socket])
    def test_all_that_is_sent_says_when_where_that_is_set(self, start, kind):
        """Replies, messages pushed and messages that waited; what the publisher says of its time does not count."""
        hub = start(bayeux_timestamps=True)
        with kind(hub.endpoint) as client:
            seen = [client.greeting, *client.say("/meta/subscribe", subscription="/a"), *client.connect()]
            seen += client.say("/a", data={"n": 1}, timestamp="long ago")
            hub.client().publish("/topic/a", b"2")
            while not any(each.get("data") == 2 for each in seen):
                seen += client.connect() if kind is Poller else client.next()
        now_s = time.time()
        for each in seen:
            assert 0 <= now_s - parsedate_to_datetime(each["timestamp"]).timestamp() < 30
        assert len(seen) >= 6

    def test_order_over_a_socket(self, hub):
        """However many publishers, each one's messages come in the order in which it sent them."""
        with Socket(hub.endpoint) as sock:
            sock.subscribe("/a").connected()

            def write(name):
                with Socket(hub.endpoint) as writer:
                    for number in range(200):
                        writer.tell("/a", data=[name, number])
                    writer.publish("/b")

            writers = [threading.Thread(target=write, args=(name,)) for name in range(3)]
            for writer in writers:
                writer.start()
            got = sock.data(600)
            for writer in writers:
                writer.join()
            for name in range(3):
                assert [number for who, number in got if who == name] == list(range(200))

    def test_acknowledgement(self, hub):
        """A reply that was lost is made good by the next, over whatever that comes."""
        with Poller(hub.endpoint, ext={"ack": True}) as poller:
            assert poller.greeting["ext"] == {"ack": True}
            poller.subscribe("/a")
            assert poller.connect(ext={"ack": 0})[-1]["ext"] == {"ack": 1}
            hub.client().publish("/topic/a", b"1", b"2")
            assert [each.get("data") for each in poller.connect(ext={"ack": 1})] == [1, 2, None]
            with Socket(hub.endpoint, poller.client_id) as sock:
                again = sock.connect(ext={"ack": 1})
                assert [each.get("data") for each in again] == [1, 2, None]
                last = again[-1]["ext"]["ack"]
                assert [each.get("data") for each in sock.connect(ext={"ack": last}, advice={"timeout": 0})] == [None]

    def test_topics_that_look_like_requests(self, hub):
        """What STOMP publishes to them is for nobody who speaks Bayeux."""
        with Socket(hub.endpoint) as sock:
            sock.subscribe("/**").connected()
            hub.client().publish("/topic/meta.connect", b"1")
            hub.client().publish("/topic/service.x", b"2")
            hub.client().publish("/topic/a%2Eb.c/d", b"3")
            assert sock.next() == [{"channel": "/a.b/c%2Fd", "data": 3}]

    def test_what_stomp_gets(self, hub):
        """Neither who sent it nor what the sender said of itself; and so do others."""
        reader = hub.client()
        reader.subscribe("/topic/a.b")
        with Poller(hub.endpoint) as poller:
            poller.subscribe("/a/b")
            ext = {"ack": 5, "authentication": {"password": "secret"}, "headers": {"k": "v", "x": 5}, "other": 1}
            seen, _ = poller.say("/a/b", data={"n": 1}, ext=ext)
        frame = reader.expect("MESSAGE")
        assert (frame.body, frame.headers["k"], frame.headers["content-type"]) == (b'{"n": 1}', "v", "application/json")
        assert "x" not in frame.headers
        assert seen == {"channel": "/a/b", "data": {"n": 1}, "ext": {"headers": {"k": "v", "x": 5}, "other": 1}}


class TestBounds:
    def test_a_client_that_never_reads(self, start):
        """Over a socket: what it does not take waits in its session, up to the bound, and harms nobody."""
        hub = start(broker_limits=Limits(backlog_messages=50), write_buffer_bytes=10_000)
        writer = hub.client()
        with Socket(hub.endpoint) as sock, Socket(hub.endpoint) as other:
            sock.web.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.subscribe("/a").connected()
            other.subscribe("/b").connected()
            for _ in range(30):
                writer.publish("/topic/a", *([b'"' + b"x" * 20_000 + b'"'] * 20))
            assert ("/topic/a", "slow consumer") in {
                (drop.destination, drop.reason) for drop in hub.events.wait(MessagesDropped)
            }
            assert hub.thread.ask(lambda hub: session_of(hub, sock.client_id).waiting) <= 50
            assert hub.stats.dropped > 0
            assert {drop.session for drop in hub.events.of(MessagesDropped)} == {"bayeux-1"}
            writer.publish("/topic/b", b"5")
            assert other.data(1) == [5]

    def test_who_reads_slowly_is_not_away(self, start):
        """The next connect is due when the last answer was written, however long that took."""
        hub = start(bayeux_terms=Terms(max_interval_ms=1000, reply_bytes=20_000_000, deliver_only=True))
        with Poller(hub.endpoint) as poller, socket.socket() as sock:
            poller.subscribe("/a").connected()
            writer = hub.client()
            # More than the system takes off the hub's hands.
            for _ in range(15):
                writer.publish("/topic/a", b'"' + b"x" * 1_000_000 + b'"')
                poller.subscribe("/a")  # which lets the session live on a busy machine
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(hub.endpoint)
            body = b'[{"channel":"/meta/connect","clientId":"%b"}]' % poller.client_id.encode()
            head = f"POST /bayeux HTTP/1.1\r\nHost: {hub.endpoint}\r\nCookie: {poller.cookie}\r\n"
            sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            for _ in range(25):
                assert len(sock.recv(2048)) > 0
                time.sleep(0.1)  # this is how slowly it reads
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
            answer = b""
            while b"/meta/connect" not in answer[-1000:]:
                answer += sock.recv(1_000_000) or pytest.fail("closed")
            assert poller.connect(advice={"timeout": 0})[-1]["successful"]

    def test_or_it_is_ended(self, start):
        hub = start(broker_limits=Limits(backlog_messages=5), slow_consumer=SlowConsumer.DISCONNECT)
        with Poller(hub.endpoint) as poller:
            poller.subscribe("/a").connected()
            hub.client().publish("/topic/a", *[b"1"] * 10)
            (closed,) = [each for each in hub.events.wait(SessionClosed) if "bayeux" in each.session]
            assert closed.reason == "too slow (limit: backlog_messages or backlog_bytes)"
            assert poller.connect()[0]["error"] == "402::session_unknown"

    def test_sessions_of_an_address(self, start):
        hub = start(bayeux_terms=Terms(sessions_per_address=2))
        with Poller(hub.endpoint) as one, Poller(hub.endpoint), Poller(hub.endpoint) as three:
            assert "limit sessions-per-address, 2" in three.greeting["error"]
            assert three.greeting["advice"]["reconnect"] == "handshake"
            one.say("/meta/disconnect")
            assert three.handshake()["successful"]

    def test_connections_of_the_hub(self, start):
        hub = start(broker_limits=Limits(connections=1))
        with Poller(hub.endpoint), Poller(hub.endpoint) as second:
            assert second.greeting["error"] == "403:limit  connections (1):handshake_denied"

    def test_subscriptions(self, start):
        hub = start(broker_limits=Limits(subscriptions_per_connection=2))
        with Poller(hub.endpoint) as poller:
            (reply,) = poller.say("/meta/subscribe", subscription=["/a", "/b", "/c"])
            assert reply["error"] == "403:limit  subscriptions_per_connection (2):subscribe_denied"
            assert hub.stats.subscriptions == 2

    def test_rules(self, start):
        hub = start(rules=Rules((read_rule("open.**"),), (read_rule("open.*"),)))
        with Poller(hub.endpoint) as poller:
            assert poller.publish("/open/a")[0]["successful"]
            assert (
                poller.publish("/closed")[0]["error"] == "403:clients may not publish to /topic/closed:publish_denied"
            )
            assert poller.say("/meta/subscribe", subscription="/open/*")[0]["successful"]
            assert "subscribe_denied" in poller.say("/meta/subscribe", subscription="/open/**")[0]["error"]
            assert "subscribe_denied" in poller.say("/meta/subscribe", subscription="/**")[0]["error"]

    def test_no_markup(self, start):
        """Neither for others nor for services, and bytes might be markup too; elsewhere texts are as they are."""
        asked = []
        rules = (read_rule("test.**"), read_rule("service.**"))
        hub = start(no_markup=rules, services=(lambda message: asked.append(message.data) or [],))
        reader = hub.client()
        reader.subscribe("/topic/test.a")
        with Poller(hub.endpoint) as poller:
            poller.subscribe("/**")
            for channel in ("/test/a", "/service/a"):
                poller.publish(channel, {"text": "<b>"})
            assert reader.bodies(1) == [b'{"text": "&lt;b&gt;"}']
            assert asked == [{"text": "&lt;b&gt;"}]
            assert poller.publish("/b", "<b>")[0]["data"] == "<b>"
            assert poller.publish("/test/a", "<i>")[0]["data"] == "&lt;i&gt;"
            (reply,) = poller.say("/test/a", data={"data": "<b>", "last": True}, ext={"binary": {}})
            assert "no bytes are taken" in reply["error"]

    def test_one_connect_of_a_browser_waits(self, hub):
        with Poller(hub.endpoint) as one, Poller(hub.endpoint, handshake=False) as two:
            two.cookie = one.cookie
            two.client_id = two.handshake()["clientId"]
            one.connected()
            two.connected()
            held = one.hold()
            hub.until(lambda _: poller_waits(hub, one))
            (told,) = two.connect()
            assert told["advice"] == {
                "multiple-clients": True, "reconnect": "retry", "interval": 2000, "timeout": 20_000
            }  # fmt: skip
            one.say("/meta/disconnect")
            held.get()


class TestPasswords:
    @pytest.fixture
    def guarded(self, start):
        return start(user="ann", password=Secret("word"))

    @pytest.mark.parametrize(
        ("said", "welcome"),
        [
            ({"user": "ann", "password": "word"}, True),
            ({"user": "ann", "password": "wrong"}, False),
            ({"user": "bob", "password": "word"}, False),
            ({"user": 5, "password": ["word"]}, False),
            ("word", False),
            (None, False),
        ],
    )
    def test_in_the_handshake(self, guarded, said, welcome):
        with Poller(guarded.endpoint, ext={"authentication": said}) as poller:
            assert poller.greeting["successful"] is welcome
            if not welcome:
                assert poller.greeting["error"] == "403:wrong user or password:handshake_denied"
                assert poller.greeting["advice"] == {"reconnect": "none"}

    @pytest.mark.parametrize(
        ("header", "welcome"), [("Basic YW5uOndvcmQ=", True), ("Basic YW5uOnh4eHg=", False), ("Basic !", False)]
    )
    def test_in_a_header(self, guarded, header, welcome):
        with Poller(guarded.endpoint, handshake=False) as poller:
            poller.headers = {"Authorization": header}
            assert poller.handshake()["successful"] is welcome

    def test_a_token(self, start):
        """It is the password, where no user is asked for."""
        hub = start(password=Secret("word"))
        with Poller(hub.endpoint, handshake=False) as poller:
            assert not poller.handshake()["successful"]
            assert poller.handshake(ext={"authentication": {"token": "word"}})["successful"]
            poller.headers = {"Authorization": "Bearer word"}
            assert poller.handshake()["successful"]

    def test_over_a_socket(self, guarded):
        with Socket(guarded.endpoint) as sock:
            assert not sock.greeting["successful"]
        with Socket(guarded.endpoint, ext={"authentication": {"user": "ann", "password": "word"}}) as sock:
            assert sock.greeting["successful"]


def test_the_end_of_the_hub(start):
    """A connect that waits is answered, with what is there; sockets are closed as the hub goes away."""
    hub = start()
    with Poller(hub.endpoint) as poller, Socket(hub.endpoint) as sock:
        poller.subscribe("/a").connected()
        sock.connected()
        held = poller.hold()
        hub.until(lambda _: poller_waits(hub, poller))
        hub.thread.stop()
        assert held.get().messages[-1]["successful"]
        assert sock.closed() == (1001, "the hub was stopped")
        assert {closed.reason for closed in hub.events.of(SessionClosed)} == {"the hub was stopped"}
