"""STOMP over WebSocket through the installed command: it works, and what is in the way is named."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.protocols.websocket import Opcode, encode
from mqctl.target import Endpoint
from tests.cli.fake_server import fake_server, refusing
from tests.connect_proxy import ConnectProxy, proxied
from tests.unit.adapters.fake_web import WebPeer

FAR = "broker.test"


@pytest.fixture(scope="module")
def hub() -> Iterator[Endpoint]:
    """A hub's HTTP port."""
    config = HubConfig(stomp=(), http=(Endpoint("127.0.0.1", 0),), allow_origins=(f"http://{FAR}",))
    with HubThread(config) as thread:
        yield thread.endpoint


@pytest.fixture
def broker(hub: Endpoint) -> str:
    """Its URL, where nothing else is asked for."""
    return f"stomp+ws://{hub}"


@contextlib.contextmanager
def saying(answer: bytes) -> Iterator[Endpoint]:
    """A server that gives one answer to whatever comes first, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Endpoint(*listener.getsockname())
        thread.join()


@contextlib.contextmanager
def agreeing(early: bytes) -> Iterator[Endpoint]:
    """A server that agrees to WebSocket, sends some bytes, and hangs up when the client does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock, contextlib.suppress(OSError):
                WebPeer(sock, early=early)
                while sock.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield Endpoint(*listener.getsockname())
        thread.join()


def test_what_is_published_arrives(mqctl, start):
    """Over two connections, any bytes, and more of them than fit into one frame."""
    tail = start("tail", "a.b", "--format", "%p\n", "--count", "3")
    tail.said("a.b")
    big = "값" * 50_000
    code, out, err = mqctl("publish", "a.b", "--lines", data=f"one\n{big}\n".encode() + b"\xffthree\n")
    assert (code, out, err) == (ExitCode.OK, b"", "mqctl: attempted 3, confirmed 3, rejected 0, unknown 0\n")
    code, out, _ = tail.end()
    assert (code, out) == (ExitCode.OK, f"one\n{big}\n".encode() + b"\xffthree\n")


@pytest.mark.parametrize("path", ["", "/ws", "/stomp"])
def test_where_the_url_names_no_path_the_usual_one_is_taken(mqctl, broker, path):
    assert mqctl("publish", "x", "1", "--url", broker + path).code == ExitCode.OK


def test_a_bare_ws_url_works_with_the_protocol(mqctl, hub):
    assert mqctl("publish", "x", "1", "--url", f"ws://{hub}/ws", "--protocol", "stomp").code == ExitCode.OK


def publish_to(mqctl, url: str) -> tuple[int, str]:
    code, out, err = mqctl("publish", "x", "1", "--url", url)
    assert out == b""
    return code, err


def test_a_wrong_path_is_told_with_the_right_one(mqctl, broker):
    code, err = publish_to(mqctl, f"{broker}/nope")
    assert code == ExitCode.REFUSED
    assert "refused WebSocket at /nope: 404 Not Found" in err
    assert "hint: name the path in the URL: RabbitMQ and mqctl's hub serve /ws" in err


def test_a_gateway_without_its_broker_is_no_connection(mqctl):
    with saying(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nlater") as endpoint:
        code, err = publish_to(mqctl, f"stomp+ws://{endpoint}")
    assert code == ExitCode.CONNECTION
    assert err == (
        f"mqctl: {endpoint} refused WebSocket at /ws: 503 Service Unavailable: later\n"
        "  hint: a gateway answers, but not the broker behind it\n"
    )


def test_the_port_of_plain_stomp_is_recognised(mqctl):
    with saying(b"ERROR\nmessage:what?\n\n\0") as endpoint:
        code, err = publish_to(mqctl, f"stomp+ws://{endpoint}")
    assert code == ExitCode.PROTOCOL
    assert err == f"mqctl: {endpoint} speaks STOMP without WebSocket\n  hint: use the scheme stomp\n"


def test_a_port_of_tls_is_recognised(mqctl):
    with saying(b"\x15\x03\x01\x00\x02\x02\x46") as endpoint:
        code, err = publish_to(mqctl, f"stomp+ws://{endpoint}")
    assert code == ExitCode.CONNECTION
    assert "speaks TLS" in err
    assert "hint: use the scheme stomp+wss" in err


def test_a_plain_port_is_recognised_where_tls_is_spoken(mqctl, hub):
    code, err = publish_to(mqctl, f"stomp+wss://{hub}")
    assert code == ExitCode.CONNECTION
    assert f"{hub} does not speak TLS" in err
    assert "+ws" in err


def test_nobody_there_is_told_with_the_usual_ports(mqctl):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = Endpoint(*listener.getsockname())
    code, err = publish_to(mqctl, f"stomp+ws://{gone}")
    assert code == ExitCode.CONNECTION
    assert f"nobody listens at {gone}" in err
    assert "RabbitMQ 15674" in err


def requests(proxy: ConnectProxy) -> list[bytes]:
    """What went through it asked for."""
    return re.findall(rb"(?:GET|POST) (\S+) HTTP/1.1\r\n", proxy.passed_on)


class TestQuery:
    """Gateways of clouds want a token there."""

    @pytest.mark.parametrize("scheme", ["stomp+ws", "bayeux+ws", "bayeux+http", "bayeux+sse"])
    def test_it_is_a_part_of_every_request(self, mqctl, hub, home, scheme):
        path = "/ws" if scheme == "stomp+ws" else "/bayeux"
        url = f"{scheme}://{FAR}{path}?token=a%2Fb&x=é y"
        with proxied(FAR, to=hub) as proxy:
            env = {**home, "http_proxy": f"http://{proxy.endpoint}"}
            assert mqctl("publish", "x", "1", "--url", url, env=env).code == ExitCode.OK
        assert requests(proxy)
        assert {target.partition(b"?")[2] for target in requests(proxy)} == {b"token=a%2Fb&x=%C3%A9%20y"}

    def test_it_goes_behind_the_usual_path_too(self, mqctl, hub, home):
        with proxied(FAR, to=hub) as proxy:
            env = {**home, "http_proxy": f"http://{proxy.endpoint}"}
            assert mqctl("publish", "x", "1", "--url", f"stomp+ws://{FAR}?token=abc", env=env).code == ExitCode.OK
        assert requests(proxy) == [b"/ws?token=abc"]

    def test_it_is_not_told(self, mqctl):
        with saying(b"HTTP/1.1 403 No\r\nContent-Length: 22\r\n\r\n/ws?token=abcd is wrong") as endpoint:
            code, err = publish_to(mqctl, f"stomp+ws://{endpoint}/ws?token=abcd")
        assert code == ExitCode.REFUSED
        assert err.startswith(f"mqctl: {endpoint} refused WebSocket at /ws: 403 No: /ws?*** is wron\n")

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("stomp://h?token=abcd", "stomp:// has no '?': 'stomp://h?***'"),
            ("mqtt+ssl://h:1/?token=abcd", "mqtt+ssl:// has no '?': 'mqtt+ssl://h:1/?***'"),
            ("stomp://h#abcd", "a broker URL has no '#': 'stomp://h#***'"),
            ("stomp+ws://h?a=b#abcd", "a broker URL has no '#': 'stomp+ws://h?***'"),
            ("stomp+ssl://h/abcd", "stomp+ssl:// has no path"),
        ],
    )
    def test_what_nobody_would_hear_is_refused(self, mqctl, url, says):
        code, err = publish_to(mqctl, url)
        assert code == ExitCode.USAGE
        assert err.startswith(f"mqctl: --url: {says};")

    def test_no_profile_keeps_one(self, mqctl, tmp_path):
        (tmp_path / "p.toml").write_text('url = "wss://h/ws?token=abcd"\n')
        for command in (("profile", "check", "p"), ("profile", "add", "q", "--url", "wss://h/ws?token=abcd")):
            code, out, err = mqctl(*command)
            assert code == ExitCode.USAGE
            assert b"abcd" not in out
            assert "a query may hold a token and does not stand in a file" in err


def test_what_a_server_says_cannot_steer_the_terminal_nor_look_like_ours(mqctl):
    reason = b"\x03\xf0\x1b[31mno\x07\nmqctl: attempted 1, confirmed 1"
    with agreeing(encode(Opcode.CLOSE, reason)) as endpoint:
        code, err = publish_to(mqctl, f"stomp+ws://{endpoint}")
    assert code == ExitCode.CONNECTION
    assert err.splitlines()[0].endswith(
        r"WebSocket closed with 1008 (against the server's policy): \x1b[31mno\x07 mqctl: attempted 1, confirmed 1"
    )


@pytest.mark.parametrize("scheme", ["stomp+ws", "mqtt+ws", "bayeux+ws"])
class TestNoAnswer:
    """WebSocket is agreed on, and then the protocol over it gets none."""

    def test_why_a_server_closed_is_told(self, mqctl, scheme):
        with agreeing(encode(Opcode.CLOSE, b"\x03\xf0not you")) as endpoint:
            code, err = publish_to(mqctl, f"{scheme}://{endpoint}")
        assert code == ExitCode.CONNECTION
        assert "WebSocket closed with 1008 (against the server's policy): not you" in err

    def test_how_it_broke_the_rules_is_told(self, mqctl, scheme):
        with agreeing(b"\x83\0") as endpoint:
            code, err = publish_to(mqctl, f"{scheme}://{endpoint}")
        assert code == ExitCode.PROTOCOL
        assert err == f"mqctl: {endpoint}: the server broke WebSocket's rules: no such kind of frame: 3\n"


def test_what_a_broker_says_is_one_line_too(mqctl):
    with fake_server(refusing("\x1b[2Jno\nmqctl: attempted 1, confirmed 1")) as url:
        code, out, err = mqctl("publish", "x", "1", "--url", url)
    assert (code, out) == (ExitCode.REFUSED, b"")
    assert r"\x1b[2Jno mqctl: attempted 1, confirmed 1" in err
    assert not [line for line in err.splitlines() if line.startswith("mqctl: attempted 1, confirmed 1")]


class TestProxy:
    def test_the_one_of_the_environment_is_used(self, mqctl, hub, home):
        with proxied(FAR, to=hub, login="me:secret") as proxy:
            env = {**home, "http_proxy": f"http://me:secret@{proxy.endpoint}"}
            code, _, err = mqctl("publish", "x", "1", "--url", f"stomp+ws://{FAR}", env=env)
        assert (code, err) == (ExitCode.OK, "mqctl: attempted 1, confirmed 1, rejected 0, unknown 0\n")

    def test_a_login_that_it_wants_is_asked_for_and_none_is_printed(self, mqctl, home):
        with ConnectProxy(login="me:secret") as proxy:
            env = {**home, "HTTP_PROXY": f"http://me:hunter2@{proxy.endpoint}"}
            code, _, err = mqctl("publish", "x", "1", "--url", f"stomp+ws://{FAR}", env=env)
        assert code == ExitCode.REFUSED
        assert f"the proxy {proxy.endpoint} (http_proxy) refused us: 407 Proxy Authentication Required" in err
        assert "hint: check user and password in http_proxy" in err
        assert "hunter2" not in err

    def test_socks_is_refused_in_a_sentence(self, mqctl, home):
        env = {**home, "all_proxy": "socks5://127.0.0.1:1080"}
        code, _, err = mqctl("publish", "x", "1", "--url", f"stomp+wss://{FAR}", env=env)
        assert code == ExitCode.USAGE
        assert "all_proxy names a proxy that is spoken to in socks5, and only http:// is supported" in err

    def test_plain_stomp_takes_no_notice_of_it(self, mqctl, home):
        """It is for the web; STOMP's own ports are seldom let through."""
        with ConnectProxy() as proxy:
            env = {**home, "all_proxy": f"http://{proxy.endpoint}"}
            code, _, err = mqctl("publish", "x", "1", "--url", f"stomp://{FAR}", env=env)
            assert proxy.asked == []
        assert code == ExitCode.CONNECTION
        assert "no such host" in err
