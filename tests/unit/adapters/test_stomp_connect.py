"""Logging in, and each way in which it goes wrong."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import threading
import time
import warnings

import pytest
import trustme

from mqctl.adapters.stomp import StompAdapter
from mqctl.errors import ConnectError, MqctlError, ProtocolError, RefusedError, TlsError, UsageError
from mqctl.model import Dialect
from mqctl.target import Endpoint, Secret, TlsOptions
from tests.unit.adapters.fake import ARTEMIS, CLASSIC, RABBITMQ, FakeBroker, session, target

PASSWORD = "hunter2:\\n"


def failure(*brokers: FakeBroker, **changes: object) -> MqctlError:
    with pytest.raises(MqctlError) as caught:
        StompAdapter().connect(target(*brokers, **changes), sink=lambda _events: None)
    return caught.value


class TestLogin:
    def test_connect_says_who_we_are_and_what_we_speak(self):
        with (
            FakeBroker() as broker,
            session(broker, user="u", password=Secret(PASSWORD), client_id="c", heart_beat_s=7) as (_, peer, _),
        ):
            assert peer.next("CONNECT").headers == {
                "accept-version": "1.0,1.1,1.2",
                "host": "/",
                "login": "u",
                "passcode": PASSWORD,
                "client-id": "c",
                "heart-beat": "7000,7000",
            }

    def test_the_virtual_host_travels_as_host(self):
        with FakeBroker() as broker, session(broker, vhost="mine") as (_, peer, _):
            assert peer.next("CONNECT").headers["host"] == "mine"

    @pytest.mark.parametrize(
        ("server", "dialect"),
        [
            (CLASSIC, Dialect.CLASSIC),
            (ARTEMIS, Dialect.ARTEMIS),
            (RABBITMQ, Dialect.RABBITMQ),
            ("mqctl-hub/0.1.0", Dialect.HUB),
            ("SomethingElse/1", None),
        ],
    )
    def test_the_greeting_tells_the_broker(self, server, dialect):
        with FakeBroker({"server": server}) as broker, session(broker) as (connection, _, _):
            assert connection.greeting.dialect is dialect
            assert connection.greeting.server == server
            assert connection.greeting.peer == str(broker.endpoint)

    def test_the_targets_dialect_wins_over_the_greetings(self):
        with FakeBroker({"server": RABBITMQ}) as broker, session(broker, dialect=Dialect.HUB) as (connection, _, _):
            assert connection.greeting.dialect is Dialect.HUB

    def test_a_line_break_in_a_password_cannot_smuggle_in_headers(self):
        with FakeBroker() as broker:
            error = failure(broker, password=Secret("x\nhost:evil"))
            assert isinstance(error, UsageError)
            assert "evil" not in str(error)

    def test_importing_the_transport_keeps_stomp_py_from_asking_the_dns(self):
        assert os.environ["STOMP_SKIP_HOSTNAME_SCAN"]

    def test_the_password_is_in_no_log_at_debug_level(self, caplog):
        caplog.set_level(logging.DEBUG)
        logging.getLogger("stomp.py").setLevel(logging.DEBUG)
        with FakeBroker() as broker, session(broker, user="u", password=Secret("hunter2")) as (connection, _, _):
            assert "hunter2" not in repr(connection.greeting)
        assert "hunter2" not in caplog.text


class TestRefusal:
    def test_the_broker_says_why(self):
        with FakeBroker(greeting=b"ERROR\nmessage:Bad CONNECT\n\nAccess refused for user 'u'\n\0") as broker:
            error = failure(broker, user="u")
        assert isinstance(error, RefusedError)
        assert "Bad CONNECT: Access refused for user 'u'" in str(error)

    def test_a_stack_trace_in_the_body_is_left_out(self):
        trace = b"java.lang.SecurityException: User name [u] is invalid.\n\tat org.apache.Broker.java:1\n"
        with FakeBroker(greeting=b"ERROR\nmessage:User name [u] is invalid.\n\n" + trace + b"\0") as broker:
            assert str(failure(broker)).endswith("refused the connection: User name [u] is invalid.")

    def test_what_artemis_escapes_too_early_is_read_and_said_once(self):
        words = b"Security Error occurred: User name [u] is invalid"
        escaped = words.replace(b":", b"\\c")
        with FakeBroker(greeting=b"ERROR\nmessage:" + escaped + b"\n\n" + words + b"\0") as broker:
            assert str(failure(broker)).endswith("refused the connection: " + words.decode())

    def test_a_backslash_in_the_password_is_explained(self):
        with FakeBroker(greeting=b"ERROR\nmessage:no\n\n\0") as broker:
            assert "backslash" in (failure(broker, user="u", password=Secret("a\\cb")).hint or "")

    def test_an_anonymous_try_is_explained(self):
        with FakeBroker(greeting=b"ERROR\nmessage:no\n\n\0") as broker:
            assert failure(broker).hint == "no user was given"

    def test_no_other_endpoint_is_tried_after_a_refusal(self):
        with FakeBroker(greeting=b"ERROR\nmessage:no\n\n\0") as broker, FakeBroker() as other:
            assert isinstance(failure(broker, other), RefusedError)
            assert other.accepted == 0


class TestNoStomp:
    @pytest.mark.parametrize(
        ("answer", "kind", "words"),
        [
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", ProtocolError, "speaks HTTP"),
            (b"\x15\x03\x01\x00\x02\x02\x46", TlsError, "speaks TLS"),
            (b"SSH-2.0-OpenSSH\r\n", ProtocolError, "SSH-2.0"),
            (b"\x00\x00\x01\x3c\x01ActiveMQ", ProtocolError, "does not speak STOMP"),
            (b"RECEIPT\nreceipt-id:1\n\n\0", ProtocolError, "answered CONNECT with RECEIPT"),
            (b"CONNECTED\nversion:1.2\nheart-beat:soon\n\n\0", ProtocolError, "heart-beat"),
            (b"CONNECTED\nversion:9\n\n\0", ProtocolError, "version"),
        ],
    )
    def test_what_answers_is_named(self, answer, kind, words):
        with FakeBroker(greeting=answer) as broker:
            error = failure(broker)
        assert type(error) is kind
        assert words in str(error)

    def test_a_silent_peer_costs_no_more_than_the_connect_timeout(self):
        with FakeBroker(greeting=b"") as broker:
            before = time.monotonic()
            error = failure(broker, connect_timeout_s=0.2)
            assert time.monotonic() - before < 2
        assert type(error) is ConnectError
        assert "did not answer in time" in str(error)
        assert "stomp+ssl" in (error.hint or "")

    def test_half_an_answer_is_none(self):
        with FakeBroker(greeting=b"CONNECTED\nversion:1.2\n") as broker:
            assert "did not answer in time" in str(failure(broker, connect_timeout_s=0.2))

    def test_hanging_up_without_a_word_hints_at_tls(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = Endpoint(*listener.getsockname())
            listener.settimeout(5)

            def hang_up():
                listener.accept()[0].close()

            thread = threading.Thread(target=hang_up)
            thread.start()
            error = failure(endpoints=(endpoint,))
            thread.join()
        assert type(error) is ConnectError
        assert "hung up" in str(error)
        assert "stomp+ssl" in (error.hint or "")


class TestNobodyThere:
    def test_a_refused_port_hints_at_brokers_that_open_only_openwire(self):
        with FakeBroker() as broker:
            gone = broker.endpoint
        error = failure(endpoints=(gone,))
        assert type(error) is ConnectError
        assert "OpenWire" in (error.hint or "")

    def test_an_unknown_host_is_named(self):
        error = failure(endpoints=(Endpoint("no-such-host.invalid", 1),))
        assert type(error) is ConnectError
        assert "no-such-host.invalid" in str(error)

    def test_a_host_name_that_is_none_is_an_error_and_no_crash(self):
        assert type(failure(endpoints=(Endpoint("a" * 70 + ".example", 1),))) is ConnectError

    def test_a_slow_resolver_is_left_behind(self, monkeypatch):
        answered = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [answered.wait(5)])
        error = failure(endpoints=(Endpoint("slow.example", 1),), connect_timeout_s=0.1)
        answered.set()
        assert "took too long" in str(error)

    def test_the_next_endpoint_is_tried(self):
        with FakeBroker() as dead:
            pass
        with FakeBroker() as alive, session(alive, endpoints=(dead.endpoint, alive.endpoint)) as (connection, _, _):
            assert connection.greeting.peer == str(alive.endpoint)

    def test_a_silent_endpoint_leaves_time_for_the_next(self):
        with (
            FakeBroker(greeting=b"") as silent,
            FakeBroker() as alive,
            session(alive, endpoints=(silent.endpoint, alive.endpoint), connect_timeout_s=0.6) as (connection, _, _),
        ):
            assert connection.greeting.peer == str(alive.endpoint)

    def test_a_dead_address_of_a_host_leaves_time_for_its_next(self, monkeypatch):
        def answer(*addresses):
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]

        with contextlib.ExitStack() as held, FakeBroker() as alive:
            full = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            with contextlib.suppress(TimeoutError):
                # Its queue is full when it does not answer any more.
                for _ in range(20):
                    held.enter_context(socket.create_connection(full.getsockname(), 0.2))
            addresses = answer(full.getsockname(), (alive.endpoint.host, alive.endpoint.port))
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
            with session(alive, endpoints=(Endpoint("two.example", 1),), connect_timeout_s=1.0) as (_, peer, _):
                assert peer.next("CONNECT")

    def test_all_failures_are_told(self):
        with FakeBroker() as one, FakeBroker(greeting=b"") as other:
            pass
        error = failure(one, other)
        assert str(one.endpoint) in str(error)
        assert str(other.endpoint) in str(error)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def serving(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


class TestTls:
    def test_a_certificate_of_a_known_authority_is_good(self, authority, ca_file):
        with (
            FakeBroker(context=serving(authority, "127.0.0.1")) as broker,
            session(broker, scheme="stomp+ssl", tls=TlsOptions(ca_file=ca_file)) as (_, peer, _),
        ):
            assert peer.next("CONNECT")

    def test_any_other_is_good_when_none_is_to_be_verified(self, authority):
        with (
            FakeBroker(context=serving(authority, "elsewhere.example")) as broker,
            session(broker, scheme="stomp+ssl", tls=TlsOptions(verify=False)) as (_, peer, _),
        ):
            assert peer.next("CONNECT")

    def test_there_is_no_falling_back_to_plain(self):
        with FakeBroker(greeting=b"ERROR\nmessage:what?\n\n\0") as broker:
            error = failure(broker, scheme="stomp+ssl", password=Secret("hunter2"))
            sent = broker.peer().raw
        assert type(error) is TlsError
        assert "does not speak TLS" in str(error)
        assert b"hunter2" not in sent
        assert b"CONNECT" not in sent

    def test_a_plain_port_that_stays_silent_costs_the_connect_timeout(self):
        with FakeBroker(greeting=b"") as broker:
            error = failure(broker, scheme="stomp+ssl", connect_timeout_s=0.2)
        assert type(error) is TlsError
        assert "did not answer in TLS" in str(error)

    def test_versions_before_1_2_are_not_spoken(self, authority, ca_file):
        old = serving(authority, "127.0.0.1")
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with FakeBroker(context=old) as broker:
            error = failure(broker, scheme="stomp+ssl", tls=TlsOptions(ca_file=ca_file))
        assert type(error) is TlsError

    def test_a_demanded_client_certificate_is_shown(self, authority, ca_file, tmp_path):
        context = serving(authority, "127.0.0.1")
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
        mine = authority.issue_cert("me")
        mine.private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
        options = TlsOptions(ca_file=ca_file, cert_file=str(tmp_path / "me.pem"))
        with FakeBroker(context=context) as broker:
            with session(broker, scheme="stomp+ssl", tls=options) as (_, peer, _):
                assert peer.next("CONNECT")
            error = failure(broker, scheme="stomp+ssl", tls=TlsOptions(ca_file=ca_file))
        # The alert that says so may be overtaken by the reset of the connection.
        assert isinstance(error, ConnectError)
        assert "client certificate" in f"{error} {error.hint}"
