"""WebSocket through a proxy that the environment names, and each way in which that does not work."""

from __future__ import annotations

import os
import ssl

import pytest
import trustme

from mqctl.adapters import proxy as proxies
from mqctl.adapters import wire
from mqctl.adapters.stomp import StompAdapter
from mqctl.errors import ConfigError, ConnectError, MqctlError, ProtocolError, RefusedError
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Target, TlsOptions
from tests.connect_proxy import ConnectProxy, proxied
from tests.unit.adapters.fake import FakeBroker

FAR = "broker.test"
"""A name that no resolver knows (RFC 6761, 6.2): only a proxy leads there."""


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def hub():
    with HubThread(HubConfig(stomp=(), http=(Endpoint("127.0.0.1", 0),), allow_origins=(f"http://{FAR}",))) as thread:
        yield thread.endpoint


def connect(host: str = FAR, port: int = 80, scheme: str = "stomp+ws", **changes: object) -> str:
    """Connect and close again; who greeted us."""
    target = Target(scheme=scheme, endpoints=(Endpoint(host, port),), connect_timeout_s=5.0, **changes)
    with StompAdapter().connect(target, sink=lambda _events: None) as connection:
        return connection.greeting.server


def failure(**changes: object) -> MqctlError:
    with pytest.raises(MqctlError) as caught:
        connect(**changes)
    return caught.value


class TestThrough:
    @pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
    def test_the_proxy_looks_the_host_up_and_passes_all_on(self, monkeypatch, hub, variable):
        with proxied(FAR, to=hub) as proxy:
            monkeypatch.setenv(variable, f"http://{proxy.endpoint}")
            assert connect().startswith("mqctl-hub")
            assert proxy.asked == [FAR]

    def test_its_consent_has_no_body_to_wait_for(self, monkeypatch, hub):
        """RFC 9110, 9.3.6: what follows is the broker's."""
        monkeypatch.setattr(wire, "_BODY_WAIT_S", 60.0)
        with proxied(FAR, to=hub) as proxy:
            monkeypatch.setenv("http_proxy", f"http://{proxy.endpoint}")
            assert connect()

    def test_an_address_without_http_is_one_too(self, monkeypatch, hub):
        with proxied(FAR, to=hub) as proxy:
            monkeypatch.setenv("http_proxy", str(proxy.endpoint))
            assert connect()

    def test_user_and_password_of_its_url_let_us_in(self, monkeypatch, hub):
        with proxied(FAR, to=hub, login="me:a b@c") as proxy:
            monkeypatch.setenv("http_proxy", f"http://me:a%20b%40c@{proxy.endpoint}")
            assert connect()

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_this_machine_is_reached_without(self, monkeypatch, hub, host):
        with proxied(FAR, to=hub) as proxy:
            monkeypatch.setenv("all_proxy", f"http://{proxy.endpoint}")
            assert connect(host, hub.port)
            assert proxy.asked == []

    def test_encryption_reaches_to_the_broker(self, monkeypatch, tmp_path):
        """And its certificate is held against the broker's name, not the proxy's. `https_proxy` is for TLS."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        tls = TlsOptions(ca_file=str(tmp_path / "ca.pem"))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(FAR).configure_cert(context)
        with (
            FakeBroker(context=context, greeting=b"HTTP/1.1 403 Not you\r\n\r\n") as broker,
            proxied(FAR, "other.test", to=broker.endpoint) as proxy,
        ):
            monkeypatch.setenv("https_proxy", f"http://{proxy.endpoint}")
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
            assert isinstance(failure(scheme="stomp+wss", tls=tls), RefusedError)
            assert "is for broker.test" in str(failure(host="other.test", scheme="stomp+wss", tls=tls))
            assert set(proxy.asked) == {FAR, "other.test"}


class TestNames:
    """Over the wire a host has its name in ASCII (RFC 5890)."""

    def test_the_proxy_and_the_broker_are_told_it_so(self, monkeypatch, hub):
        with proxied("xn--mnchen-3ya.test", to=hub) as proxy:
            monkeypatch.setenv("http_proxy", f"http://{proxy.endpoint}")
            assert "is not 'xn--mnchen-3ya.test'" in str(failure(host="münchen.test"))
            assert proxy.asked == ["xn--mnchen-3ya.test"]

    def test_what_is_no_name_of_a_host_is_told(self, monkeypatch):
        with ConnectProxy() as proxy:
            monkeypatch.setenv("http_proxy", f"http://{proxy.endpoint}")
            error = failure(host="ü" * 70)
            assert proxy.asked == []
        assert isinstance(error, ConnectError)
        assert "no such host: 'üüü" in str(error)

    @pytest.mark.parametrize(
        ("host", "named"),
        [("broker.test.", "broker.test"), ("a.broker.test", "*.broker.test"), ("münchen.test", "xn--mnchen-3ya.test")],
    )
    def test_a_certificate_is_held_against_it(self, monkeypatch, tmp_path, host, named):
        """A dot at the end is no part of it (RFC 6066, 3), and a `*` stands for one label (RFC 6125, 6.4.3)."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(named).configure_cert(context)
        asked_for: list[str] = []
        context.sni_callback = lambda _connection, name, _context: asked_for.append(name)
        with FakeBroker(context=context, greeting=b"HTTP/1.1 403 Not you\r\n\r\n") as broker:
            name = wire.http_host(host)
            with proxied(name, to=broker.endpoint) as proxy:
                monkeypatch.setenv("https_proxy", f"http://{proxy.endpoint}")
                error = failure(host=host, scheme="stomp+wss", tls=TlsOptions(ca_file=str(tmp_path / "ca.pem")))
        assert isinstance(error, RefusedError)
        assert asked_for == [name.removesuffix(".")]


class TestWhich:
    @pytest.mark.parametrize(
        ("host", "listed", "direct"),
        [
            ("a.example", "a.example", True),
            ("a.example", "other, .example", True),
            ("a.example", "*", True),
            ("A.Example", "a.example", True),
            ("a.example", "xa.example", False),
            ("a.example", "", False),
            ("a.example", "*.example", True),
            ("example", "*.example", True),
            ("aexample", "*.example", False),
            ("a.example.", "a.example", True),
            ("a.example", "a.example:80", True),
            ("a.example", ".example:80", True),
            ("a.example", "a.example:8080", False),
            ("10.1.2.3", "10.1.2.3", True),
            ("10.1.2.3", "192.168.0.0/16, 10.0.0.0/8", True),
            ("10.1.2.3", "10.1.2.9/24", True),
            ("10.1.2.3", "10.2.0.0/16", False),
            ("10.1.2.3", "10.1.2.3:80", True),
            ("10.1.2.3", "10.1.2.3:81", False),
            ("10.1.2.3", "fd00::/8", False),
            ("a.example", "10.0.0.0/8", False),
            ("fd00::1", "fd00::/8", True),
            ("fd00::1", "[fd00::1]:80", True),
            ("fd00::1", "[fd00::1]", True),
            ("fd00::1", "[fd00::1]:81", False),
            ("fd00::1", "fd00::2", False),
        ],
    )
    def test_what_no_proxy_lists_is_reached_without(self, monkeypatch, host, listed, direct):
        monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
        monkeypatch.setenv("no_proxy", listed)
        assert (proxies.proxy_for(Endpoint(host, 80), "stomp+ws") is None) is direct

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST."])
    def test_loopback_needs_no_listing(self, monkeypatch, host):
        monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
        assert proxies.proxy_for(Endpoint(host, 80), "stomp+ws") is None

    def test_the_variable_of_the_scheme_goes_before_that_of_all(self, monkeypatch):
        monkeypatch.setenv("all_proxy", "http://all.example")
        monkeypatch.setenv("https_proxy", "http://tls.example:8080")
        assert (
            str(proxies.proxy_for(Endpoint("a.example", 80), "mqtt+wss")) == "the proxy tls.example:8080 (https_proxy)"
        )
        assert str(proxies.proxy_for(Endpoint("a.example", 80), "mqtt+ws")) == "the proxy all.example:80 (all_proxy)"

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("socks5://user:hunter2@proxy.example:1080", "spoken to in socks5"),
            ("https://user:hunter2@proxy.example", "spoken to in https"),
            ("http://user:hunter2@:80", "no URL of a proxy"),
            ("http://user:hunter2@proxy.example:port", "no URL of a proxy"),
        ],
    )
    def test_what_is_no_http_proxy_is_a_wrong_configuration(self, monkeypatch, url, words):
        monkeypatch.setenv("http_proxy", url)
        error = failure()
        assert isinstance(error, ConfigError)
        assert words in str(error)
        assert "http_proxy" in str(error)
        assert "hunter2" not in f"{error} {error.hint}"


class TestRefused:
    def test_a_proxy_that_wants_a_login_says_so_and_the_hint_how(self, monkeypatch):
        with ConnectProxy(login="me:hunter2") as proxy:
            monkeypatch.setenv("http_proxy", f"http://{proxy.endpoint}")
            error = failure()
            assert isinstance(error, RefusedError)
            assert str(error) == (
                f"the proxy {proxy.endpoint} (http_proxy) refused us: 407 Proxy Authentication Required: Who's?"
            )
            assert error.hint == f"it wants user and password: http_proxy=http://USER:PASSWORD@{proxy.endpoint}"
            monkeypatch.setenv("http_proxy", f"http://me:wrong-one@{proxy.endpoint}")
            error = failure()
            assert error.hint == "check user and password in http_proxy"
            assert "wrong-one" not in f"{error} {error.hint}"

    @pytest.mark.parametrize(
        ("status", "kind", "words"),
        [
            (b"403 Forbidden", RefusedError, "refused to connect to broker.test:80: 403 Forbidden: why"),
            (b"502 Bad Gateway", ConnectError, "does not reach broker.test:80: 502 Bad Gateway: why"),
            (b"101 Odd", RefusedError, "refused to connect"),
        ],
    )
    def test_its_status_and_words_are_told(self, monkeypatch, status, kind, words):
        with ConnectProxy(answer=b"HTTP/1.1 " + status + b"\r\n\r\nwhy") as proxy:
            monkeypatch.setenv("http_proxy", f"http://{proxy.endpoint}")
            error = failure()
        assert type(error) is kind
        assert words in str(error)

    @pytest.mark.parametrize(
        ("answer", "kind", "words"),
        [
            (b"SSH-2.0-x\r\n", ProtocolError, "does not speak HTTP"),
            (b"HTTP/1.1 soon\r\n\r\n", ProtocolError, "does not speak HTTP"),
            (b"", ConnectError, "hung up without an answer"),
        ],
    )
    def test_what_is_no_proxy_is_named(self, monkeypatch, answer, kind, words):
        with ConnectProxy(answer=answer) as proxy:
            monkeypatch.setenv("http_proxy", f"http://{proxy.endpoint}")
            error = failure()
        assert type(error) is kind
        assert f"the proxy {proxy.endpoint} (http_proxy) {words}" in str(error)

    def test_a_proxy_that_is_not_there_is_named(self, monkeypatch):
        with ConnectProxy() as gone:
            pass
        monkeypatch.setenv("http_proxy", f"http://{gone.endpoint}")
        error = failure()
        assert type(error) is ConnectError
        assert f"no way through the proxy {gone.endpoint} (http_proxy)" in str(error)
        assert not isinstance(error.__cause__, ConnectionRefusedError), "nobody should host a hub for that"
