"""What no client of Bayeux should send: a refusal in words, no bug, and nobody else harmed."""

from __future__ import annotations

import json
import random
import socket

import pytest

from mqctl.protocols.bayeux.session import Terms
from mqctl.protocols.bayeux.spec import Limits
from mqctl.protocols.stomp.spec import Limits as StompLimits
from mqctl.target import Secret
from tests.hub.bayeux import Poller, Socket
from tests.hub.raw_web import ask, frame, handshake

pytestmark = pytest.mark.parametrize("via", ["web-socket"], indirect=True)


@pytest.fixture
def bystander(hub):
    """Somebody else, who gets what is sent before and after."""
    with Socket(hub.endpoint) as sock:
        sock.subscribe("/safe").connected()
        yield sock
        hub.client().publish("/topic/safe", b"1")
        assert sock.data(1) == [1]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b'[{"channel":"/a"', 400, "not Bayeux messages in JSON"),
        (b"\xff\xfe", 400, "not UTF-8"),
        (b'[{"channel":"\xc3"}]', 400, "not UTF-8"),
        (b"[1,2]", 400, "Expected `object`"),
        (b"[[]]", 400, "Expected `object`"),
        (b'"text"', 400, "Expected `array`"),
        (b"[" + b"{}," * 1000 + b"{}]", 400, "more than 1000 messages"),
        (b'[{"channel":"/a","data":' + b"[" * 5000 + b"]" * 5000 + b"}]", 400, "more than 64 arrays and objects"),
        (b"[" + b" " * 70_000 + b"]", 413, "more than 65536 bytes"),
    ],
    ids=lambda value: None if not isinstance(value, bytes) else value[:20].decode(errors="replace"),
)
def test_what_is_no_request(hub, bystander, body, status, says):
    with Poller(hub.endpoint, handshake=False) as poller:
        reply = poller.post(body)
    assert reply.status == status
    assert says in reply.body.decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Authorization: Bearer \xff", 200),
        (b"Authorization: \xff \xff", 200),
        (b"Authorization: Basic \xff", 200),
        (b"Origin: http://\xff", 403),
        (b"Cookie: BAYEUX_BROWSER=\xff", 200),
        (b"X-Forwarded-For: \xff", 200),
        (b"X-Forwarded-Proto: \xff", 200),
        (b"Content-Encoding: gzip", 400),
    ],
)
def test_headers_that_are_no_text(start, header, status):
    """Nor what else a header may say that is not so."""
    hub = start(behind_proxy=True, password=Secret("p"))
    body = b'[{"channel":"/meta/handshake"}]'
    head = f"POST /bayeux HTTP/1.1\r\nHost: {hub.endpoint}\r\nContent-Length: {len(body)}\r\n".encode()
    found, _, said, sock = ask(hub.endpoint, head + header + b"\r\n\r\n" + body)
    sock.close()
    assert found == status
    if found == 200:
        assert json.loads(said)[0]["error"].endswith("handshake_denied")


def test_who_is_known_may_send_more_but_not_too_much(start):
    hub = start(bayeux_limits=Limits(body_bytes=200_000))
    with Poller(hub.endpoint) as poller, Socket(hub.endpoint) as sock:
        assert poller.publish("/a", "x" * 100_000)[0]["successful"]
        assert poller.post(json.dumps([poller.message("/a", data="x" * 200_000)]).encode()).status == 413
        assert sock.publish("/a", "x" * 100_000)[0]["successful"]
        sock.web.send(json.dumps([{"channel": "/a", "data": "x" * 200_000}]))
        assert sock.closed()[0] == 1009


def test_a_request_that_never_ends(start):
    hub = start(stomp_limits=StompLimits(frame_timeout_s=0.2))
    head = f"POST /bayeux HTTP/1.1\r\nHost: {hub.endpoint}\r\nContent-Length: 100\r\n\r\n[".encode()
    status, _, body, sock = ask(hub.endpoint, head)
    sock.close()
    assert (status, body) == (408, b"the rest of the request did not come in time\n")


def test_pages_from_elsewhere(hub):
    """No page of another site may ask, whatever it knows; and no name that somebody let point here."""
    with Poller(hub.endpoint) as poller:
        poller.subscribe("/a")
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
            poller.headers = headers
            assert poller.post(json.dumps([poller.message("/a", data=1)]).encode()).status == 403


def test_a_page_that_is_allowed(start):
    hub = start(allow_origins=("https://app.example",))
    with Poller(hub.endpoint, handshake=False) as poller:
        poller.headers = {"Origin": "https://app.example"}
        reply = poller.post(b'[{"channel":"/meta/handshake"}]')
    assert reply.messages[0]["successful"]
    assert reply.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    assert reply.headers["Vary"] == "Origin"


APP = {"Origin": "https://app.example"}
BY_TLS = {"X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("believed", "headers", "terms"),
    [
        (True, {}, "SameSite=Lax"),
        (True, APP, "SameSite=Lax"),
        (True, BY_TLS, "SameSite=Lax; Secure"),
        (True, APP | BY_TLS, "SameSite=None; Secure"),
        (True, APP | {"X-Forwarded-Proto": "https, http"}, "SameSite=Lax"),
        (False, APP | BY_TLS, "SameSite=Lax"),
    ],
)
def test_cookies_of_pages_of_other_sites(start, believed, headers, terms):
    """Only by HTTPS, which only a proxy that is believed can have spoken."""
    hub = start(allow_origins=("https://app.example",), behind_proxy=believed)
    with Poller(hub.endpoint, handshake=False) as poller:
        poller.headers = headers
        found = poller.post(b'[{"channel":"/meta/handshake"}]').headers["Set-Cookie"].split("; ")
    assert sorted(found[1:]) == sorted(["HttpOnly", "Path=/", *terms.split("; ")])


@pytest.mark.parametrize("believed", [True, False])
def test_whose_sessions_a_proxy_brings(start, believed):
    """Each client has its own number of them, and none by what it says of itself."""
    hub = start(bayeux_terms=Terms(sessions_per_address=1), behind_proxy=believed)
    greetings = []
    for said in ("8.8.8.8, 1.1.1.1", "9.9.9.9, 1.1.1.1", "1.1.1.1, 2.2.2.2"):
        with Poller(hub.endpoint, handshake=False) as poller:
            poller.headers = {"X-Forwarded-For": said}
            greetings.append(poller.handshake()["successful"])
    assert greetings == [True, False, believed]


def test_an_event_stream_for_a_page_of_another_site(start):
    """It may read it, as it may read answers."""
    hub = start(allow_origins=("https://app.example",))
    with Poller(hub.endpoint) as poller:
        head = f"GET /bayeux/{poller.client_id} HTTP/1.1\r\nHost: {hub.endpoint}\r\nCookie: {poller.cookie}\r\n"
        more = "Origin: https://app.example\r\nAccept: text/event-stream\r\n\r\n"
        status, head, _, sock = ask(hub.endpoint, (head + more).encode())
        sock.close()
    assert status == 200
    assert b"Access-Control-Allow-Origin: https://app.example\r\n" in head
    assert b"Access-Control-Allow-Credentials: true\r\n" in head


@pytest.mark.parametrize(("origin", "status"), [("https://app.example", 204), ("https://evil.example", 403)])
def test_a_page_asks_whether_it_may(start, origin, status):
    hub = start(allow_origins=("https://app.example",))
    request = f"OPTIONS /cometd/handshake HTTP/1.1\r\nHost: {hub.endpoint}\r\nOrigin: {origin}\r\n\r\n"
    found, head, _, sock = ask(hub.endpoint, request.encode())
    sock.close()
    assert found == status
    assert (b"Access-Control-Allow-Headers: Content-Type" in head) is (status == 204)
    assert (b"Access-Control-Allow-Origin: https://app.example" in head) is (status == 204)


def test_many_connects_of_one_session(hub, bystander):
    """One after the other takes the place of the last; then all is as before."""
    with Poller(hub.endpoint) as poller:
        poller.subscribe("/a").connected()
        held = [poller.hold() for _ in range(20)]
        statuses = []
        poller.say("/meta/disconnect")
        statuses = [each.get().status for each in held]
        assert set(statuses) <= {200, 500}


def test_half_open_connections(hub, bystander):
    """Upgrades that never say who they are, and requests that never come."""
    socks = []
    for number in range(200):
        sock = socket.create_connection(hub.endpoint)
        sock.sendall(handshake(hub.endpoint, path="/bayeux") if number % 2 else b"POST /bayeux HTTP/1.1\r\n")
        socks.append(sock)
    with Poller(hub.endpoint) as poller:
        assert poller.publish("/a")[0]["successful"]
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("seed", range(3))
def test_mutated_messages(hub, bystander, seed):
    """Thousands of them, over requests and sockets."""
    rng = random.Random(seed)
    with Poller(hub.endpoint) as poller:
        for _ in range(10):
            with Socket(hub.endpoint) as sock:
                sock.web.sock.settimeout(5)
                good = json.dumps(
                    [{"id": "1", "channel": "/a", "data": {"x": [1]}, "clientId": sock.client_id}] * 3
                ).encode()
                for _ in range(60):
                    at, size = rng.randrange(len(good)), rng.randrange(3)
                    bad = (
                        good[:at] + bytes(rng.choices(b'{}[]",:\\0ae\xff\x00', k=rng.randrange(3))) + good[at + size :]
                    )
                    try:
                        sock._socket.sendall(frame(bad, 1))
                    except OSError:  # the hub has closed it
                        break
                    if rng.random() < 0.3:
                        assert poller.post(bad).status in (200, 400)
    assert hub.stats.sessions >= 1
