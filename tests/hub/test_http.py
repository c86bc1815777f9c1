"""The HTTP port: what it serves, what it refuses and in which words, and what it bears."""

from __future__ import annotations

import base64
import contextlib
import random
import re
import socket
import sys
import threading
import time

import pytest

from mqctl import __version__
from mqctl.broker import Limits
from mqctl.hub.http_port import HttpPort
from mqctl.hub.server import ASKING_MAX
from mqctl.protocols.stomp.spec import Limits as StompLimits
from mqctl.target import Endpoint, Secret
from tests.hub.bayeux import Poller, Socket
from tests.hub.client import PATIENCE_S
from tests.hub.raw_web import ask, handshake, upgrade

pytestmark = pytest.mark.parametrize("via", ["web-socket"], indirect=True)


def get(hub, path, headers="", method="GET", host=None):
    """Status, head and body of an answer after which the hub closes."""
    host = host or hub.endpoint
    request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
    return whole(*ask(hub.endpoint, request.encode()))


def whole(status, head, body, sock):
    with sock:
        while data := sock.recv(65_536):
            body += data
    return status, head.decode(), body.decode()


def values(page):
    return {name: float(value) for name, value in re.findall(r"^(mqctl_hub_\w+)(?:\{.*\})? (\S+)$", page, re.MULTILINE)}


def test_health(hub):
    status, head, body = get(hub, "/healthz")
    assert (status, body) == (200, "ok\n")
    assert "Content-Type: text/plain" in head
    assert get(hub, "/healthz", method="HEAD")[0] == 200


def test_metrics(hub):
    """Every number, against what was done."""
    reader, writer = hub.client(), hub.client(client_id="desk")
    reader.subscribe("/topic/a")
    reader.subscribe("/queue/r", "r", ack="client")
    writer.subscribe("/topic/b", "d", activemq__subscriptionName="kept")
    writer.publish("/topic/a", b"1", b"2")
    writer.publish("/queue/q", b"x" * 1000)
    writer.publish("/topic/a", b"late", expires="1")
    writer.publish("/queue/r", b"in flight")
    reader.bodies(3)
    status, head, page = get(hub, "/metrics")
    assert status == 200
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8" in head
    assert f'mqctl_hub_info{{version="{__version__}"}} 1\n' in page
    got = values(page)
    assert 0 < got.pop("mqctl_hub_uptime_seconds") < 60
    assert got.pop("mqctl_hub_held_bytes") > 1000
    assert {name.removeprefix("mqctl_hub_"): value for name, value in got.items()} == {
        "info": 1,
        "connections": 3,
        "sessions": 2,
        "subscriptions": 3,
        "queues": 2,
        "durable_subscriptions": 1,
        "held_publishers": 0,
        "waiting_messages": 1,
        "in_flight_messages": 1,
        "published_messages_total": 5,
        "delivered_messages_total": 3,
        "dropped_messages_total": 1,
        "dead_lettered_messages_total": 0,
        "listener_failures_total": 0,
        "bayeux_sessions": 0,
    }


def test_metrics_of_bayeux(hub):
    """Sessions by what their clients hear of them, and what waits for them."""
    with Poller(hub.endpoint) as away, Poller(hub.endpoint) as polls, Socket(hub.endpoint) as socket:
        away.subscribe("/a")
        polls.connected()
        socket.connected()
        polls.publish("/a", 1)
        page = get(hub, "/metrics")[2]
    found = dict(re.findall(r'^mqctl_hub_bayeux_sessions\{transport="(.*)"\} (\d+)$', page, re.MULTILINE))
    assert found == {"websocket": "1", "eventsource": "0", "long-polling": "1", "none": "1"}
    assert values(page)["mqctl_hub_waiting_messages"] == 1


def test_metrics_are_as_prometheus_reads_them(hub):
    """Each metric has its help, its kind and its value, in this order; counters end as counters do."""
    _, _, page = get(hub, "/metrics")
    lines = iter(page.splitlines())
    for help_line in lines:
        name = re.fullmatch(r"# HELP (mqctl_hub_[a-z_]+) [A-Z][^\\]*\.", help_line)[1]
        kind = re.fullmatch(rf"# TYPE {name} (gauge|counter)", next(lines))[1]
        for _ in range(4 if name == "mqctl_hub_bayeux_sessions" else 1):
            assert re.fullmatch(rf"{name}(\{{.*\}})? [0-9.]+", next(lines))
        assert name.endswith("_total") is (kind == "counter")
    assert page.endswith("\n")


def test_metrics_need_the_password_where_there_is_one(start):
    hub = start(user="ann", password=Secret("wörd"))
    status, head, body = get(hub, "/metrics")
    assert (status, body) == (401, "the metrics need the hub's password\n")
    assert 'WWW-Authenticate: Basic realm="hub"' in head
    for login, welcome in (("ann:wörd", True), ("ann:word", False), ("bob:wörd", False)):
        header = f"Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"
        assert get(hub, "/metrics", header)[0] == (200 if welcome else 401)
    for nonsense in ("Basic", "Basic !", "Bearer x", "Basic " + base64.b64encode(b"no-colon").decode()):
        assert get(hub, "/metrics", f"Authorization: {nonsense}\r\n")[0] == 401
    assert get(hub, "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        (
            "GET",
            "/nowhere",
            404,
            "nothing at /nowhere: there is a page at /, STOMP over WebSocket at /stomp and /ws, Bayeux at /bayeux and ",
        ),
        ("GET", "/stomp/", 404, "nothing at /stomp/: "),
        ("GET", "/../etc/passwd", 404, "nothing at "),
        ("POST", "/healthz", 405, "/healthz takes GET and HEAD"),
        ("POST", "/stomp", 405, "/stomp takes GET"),
        ("GET", "/stomp", 426, "this is for WebSocket, which speaks STOMP here"),
        ("GET", "/ws", 426, "this is for WebSocket"),
    ],
)
def test_what_is_not_served_is_said(hub, method, path, status, says):
    found, head, body = get(hub, path, method=method)
    assert found == status
    assert body.startswith(says)
    assert ("Upgrade: websocket" in head) is (status == 426)


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ({"Sec-WebSocket-Version": "8"}, 426, "WebSocket version 13 is spoken here"),
        ({"Sec-WebSocket-Version": None}, 426, "WebSocket version 13"),
        ({"Sec-WebSocket-Key": "short"}, 400, "Sec-WebSocket-Key is to be 16 bytes in base64"),
        ({"Sec-WebSocket-Key": None}, 400, "Sec-WebSocket-Key"),
        ({"Connection": "close"}, 426, "this is for WebSocket"),
        ({"Upgrade": "h2c"}, 426, "this is for WebSocket"),
        ({"Origin": "https://evil.example"}, 403, "pages from 'https://evil.example' may not connect"),
        ({"Origin": "null"}, 403, "--allow-origin null"),
        ({"Host": "evil.example:80"}, 403, "this hub is not 'evil.example:80'"),
        ({"Host": "127.0.0.1.evil.example"}, 403, "this hub is not"),
    ],
)
def test_an_upgrade_refused(hub, headers, status, says):
    """With a sentence in the body, and the connection is not a WebSocket."""
    request = handshake(hub.endpoint, {"Connection": "Upgrade, close", **headers})
    if "Upgrade" in headers or headers.get("Connection") == "close":
        request = request.replace(b"\r\n\r\n", b"\r\nX-End: 1\r\n\r\n")
    found, _, body, sock = ask(hub.endpoint, request)
    sock.close()
    assert found == status
    assert says in body.decode()


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080", "https://app.example", "HTTPS://APP.EXAMPLE"]
)  # fmt: skip
def test_pages_that_may_connect(start, origin):
    hub = start(allow_origins=("https://app.example",))
    with upgrade(hub.endpoint, {"Origin": origin}):
        pass


def test_the_host_of_an_allowed_page_leads_here_too(start):
    """As where a proxy with a certificate stands before the hub."""
    hub = start(allow_origins=("https://app.example",))
    assert get(hub, "/healthz", host="app.example")[0] == 200
    assert get(hub, "/healthz", host="localhost:1")[0] == 200
    assert get(hub, "/healthz", host="other.example")[0] == 403


def test_beyond_loopback_every_host_is_ours(start):
    """There the password keeps strangers out, and nobody knows all names of the machine."""
    hub = start(http=(Endpoint("0.0.0.0", 0),), password=Secret("word"))
    endpoint = Endpoint("127.0.0.1", hub.endpoint.port)
    with upgrade(endpoint, {"Host": "hub.example", "Origin": "http://hub.example"}):
        pass
    status, _, _, sock = ask(endpoint, handshake(endpoint, {"Host": "hub.example", "Origin": "http://x.example"}))
    sock.close()
    assert status == 403


def test_a_bug_costs_the_request(hub, monkeypatch):
    """It is reported, and the next request is answered."""
    monkeypatch.setattr("mqctl.hub.metrics.prometheus", lambda _: 1 / 0)
    assert get(hub, "/metrics")[::2] == (500, "a bug in the hub\n")
    assert [type(bug["exception"]) for bug in hub.bugs] == [ZeroDivisionError]
    hub.bugs.clear()
    assert get(hub, "/healthz")[0] == 200


def test_one_connection_answers_many_requests(hub):
    request = f"GET /healthz HTTP/1.1\r\nHost: {hub.endpoint}\r\n\r\n".encode()
    with socket.create_connection(tuple(hub.endpoint), PATIENCE_S) as sock:
        for _ in range(3):
            sock.sendall(request)
            got = b""
            while not got.endswith(b"ok\n"):
                got += sock.recv(1000)


def test_who_asks_nothing_is_closed(start):
    """After the time that a client of STOMP has for CONNECT, whether it said nothing or half a request."""
    hub = start(stomp_limits=StompLimits(connect_timeout_s=0.3))
    for begin in (b"", b"GET /stomp HTTP/1.1\r\nHo"):
        with socket.create_connection(tuple(hub.endpoint), PATIENCE_S) as sock:
            sock.sendall(begin)
            assert not sock.recv(1)


def test_headers_without_end_are_refused(hub):
    status, _, _, sock = ask(hub.endpoint, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000)
    sock.close()
    assert status == 400
    status, _, _, sock = ask(hub.endpoint, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 10_000)
    sock.close()
    assert status == 400


def test_random_bytes_on_the_port(hub, capfd):
    """Each connection ends alone; nothing is said on standard error, and a pair of clients loses nothing."""
    seed = random.randrange(2**32)
    print(f"seed {seed}", file=sys.__stderr__)
    chance = random.Random(seed)
    reader, writer = hub.client(), hub.client()
    reader.subscribe("/topic/a")
    capfd.readouterr()
    good = handshake(hub.endpoint)
    for n in range(200):
        bad = bytearray(good if n % 2 else chance.randbytes(chance.randrange(1, 300)))
        for _ in range(3):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        with socket.create_connection(tuple(hub.endpoint), PATIENCE_S) as sock:
            sock.sendall(bytes(bad))
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65_536):
                pass
        writer.publish("/topic/a", b"%d" % n)
    assert reader.bodies(200) == [b"%d" % n for n in range(200)]
    assert capfd.readouterr().err == ""


def test_a_thousand_idle_connections_are_bounded(start):
    """Beyond the limit and a few more, a connection is told and closed; those inside go on."""
    hub = start(broker_limits=Limits(connections=20), stomp_limits=StompLimits(connect_timeout_s=3.0))
    client = hub.client()
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(tuple(hub.endpoint), PATIENCE_S)) for _ in range(1000)]
        turned_away = sum(sock.recv(1000).startswith(b"HTTP/1.1 503 ") for sock in crowd)
        assert turned_away == 1 + 1000 - 20 - ASKING_MAX
        client.publish("/topic/a", b"unharmed")


def test_a_full_hub_still_tells_how_it_is(start):
    hub = start(broker_limits=Limits(connections=1))
    hub.client()
    assert values(get(hub, "/metrics")[2])["mqctl_hub_sessions"] == 1


def test_idle_connections_do_not_hold_up_the_stop(hub):
    """Nor does one that has half asked; nobody gets in any more."""
    socks = [socket.create_connection(tuple(hub.endpoint), PATIENCE_S) for _ in range(5)]
    socks[0].sendall(b"GET /hea")
    get(hub, "/healthz")
    begun = time.monotonic()
    hub.thread.stop()
    assert time.monotonic() - begun < 2
    for sock in socks:
        with sock:
            assert not sock.recv(1)
    with pytest.raises(ConnectionRefusedError):
        get(hub, "/healthz")


def test_while_upgrades_come_and_go(hub):
    """Connections that are being upgraded when the hub stops do not outlive it."""
    over = threading.Event()

    def come_and_go():
        while not over.is_set():
            try:
                ask(hub.endpoint, handshake(hub.endpoint))[3].close()
            except (OSError, AssertionError):
                return

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    hub.until(lambda _: hub.thread.ask(lambda it: it._serial) > 50)
    hub.thread.stop()
    over.set()
    for thread in threads:
        thread.join()
    assert not hub.thread.alive


def test_the_port_costs_nothing_where_nobody_asked_for_it(start, monkeypatch):
    """aiohttp is imported for it, which takes longer than all else of a hub."""
    monkeypatch.setattr(HttpPort, "__init__", lambda *_: pytest.fail("made"))
    start(stomp=(Endpoint("127.0.0.1", 0),), http=())
