"""Logging in over MQTT, and each way in which it goes wrong."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from mqctl.adapters.mqtt import KEEP_ALIVE_MAX_S, MqttAdapter
from mqctl.errors import (
    ConfigError,
    ConnectError,
    MqctlError,
    ProtocolError,
    RefusedError,
    TlsError,
    UnsupportedError,
    UsageError,
)
from mqctl.model import Dialect
from mqctl.target import Endpoint, MqttOptions, Secret
from mqctl.testing.link import Link
from tests.unit.adapters.fake_mqtt import FakeBroker, packet, session, target, text

PASSWORD = "hunter2:\\n"


def failure(*brokers: FakeBroker, **changes: object) -> MqctlError:
    with pytest.raises(MqctlError) as caught:
        MqttAdapter().connect(target(*brokers, **changes), sink=lambda _events: None)
    return caught.value


class TestConnect:
    """CONNECT (MQTT 3.1.1, 3.1; MQTT 5, 3.1)."""

    def test_it_says_who_we_are_and_what_we_speak(self):
        who = {"user": "ü", "password": Secret(PASSWORD), "client_id": "c", "heart_beat_s": 6.5}
        with FakeBroker() as broker, session(broker, **who) as (_, peer, _):
            head = text("MQTT") + b"\x04" + bytes((0b1100_0000,)) + (7).to_bytes(2, "big")
            assert peer.next("CONNECT").body == head + text("c") + text("ü") + text(PASSWORD)

    @pytest.mark.parametrize(
        ("version", "name", "level"), [("3.1", "MQIsdp", 3), ("3.1.1", "MQTT", 4), ("5", "MQTT", 5)]
    )
    def test_the_version_is_the_one_asked_for(self, version, name, level):
        spoken = {"mqtt": MqttOptions(version=version)}
        with FakeBroker(five=version == "5") as broker, session(broker, **spoken) as (connection, peer, _):
            assert peer.next("CONNECT").body.startswith(text(name) + bytes((level,)))
            assert connection.greeting.detail["version"] == version

    def test_a_client_without_a_name_gets_one_and_a_clean_session(self):
        names = set()
        for _ in range(2):
            with FakeBroker() as broker, session(broker) as (connection, peer, _):
                body = peer.next("CONNECT").body
                assert body[7] == 0b10
                names.add(connection.greeting.detail["client-id"])
                assert body.endswith(text(connection.greeting.detail["client-id"]))
        assert len(names) == 2
        assert all(len(name) <= 23 for name in names), "MQTT 3.1 allows no more"

    @pytest.mark.parametrize(("clean", "flags"), [(None, 0), (False, 0), (True, 0b10)])
    def test_a_client_with_a_name_is_remembered_unless_it_says_otherwise(self, clean, flags):
        who = {"client_id": "c", "mqtt": MqttOptions(clean=clean)}
        with FakeBroker() as broker, session(broker, **who) as (_, peer, _):
            assert peer.next("CONNECT").body[7] == flags

    @pytest.mark.parametrize(
        ("options", "expiry"),
        [
            ({}, b"\x11\xff\xff\xff\xff"),
            ({"session_expiry_s": 90.0}, b"\x11\0\0\0\x5a"),
            ({"session_expiry_s": 1e12}, b"\x11\xff\xff\xff\xff"),
            ({"clean": True}, b""),
            ({"clean": True, "session_expiry_s": 5.0}, b"\x11\0\0\0\5"),
        ],
    )
    def test_mqtt_5_tells_how_long_to_be_remembered(self, options, expiry):
        who = {"client_id": "c", "mqtt": MqttOptions(version="5", **options)}
        with FakeBroker(five=True) as broker, session(broker, **who) as (_, peer, _):
            receive_maximum = b"\x21\x03\xe8"
            properties = expiry + receive_maximum
            assert peer.next("CONNECT").body[10:] == bytes((len(properties),)) + properties + text("c")

    def test_a_last_will_is_left_with_the_broker(self):
        will = MqttOptions(will_topic="a.b", will_payload="값", will_qos=1, will_retain=True)
        with FakeBroker() as broker, session(broker, client_id="c", mqtt=will) as (_, peer, _):
            body = peer.next("CONNECT").body
            assert body[7] == 0b0010_1100
            assert body.endswith(text("c") + text("a/b") + text("값"))

    def test_rabbitmq_takes_the_virtual_host_from_the_user(self):
        who = {"user": "u", "vhost": "v", "client_id": "c", "dialect": Dialect.RABBITMQ}
        with FakeBroker() as broker, session(broker, **who) as (_, peer, _):
            assert peer.next("CONNECT").body.endswith(text("c") + text("v:u"))

    def test_no_keep_alive_is_longer_than_it_can_be(self):
        with FakeBroker() as broker, session(broker, heart_beat_s=1e9) as (_, peer, _):
            assert peer.next("CONNECT").body[8:10] == KEEP_ALIVE_MAX_S.to_bytes(2, "big")

    def test_the_password_is_in_no_log_at_debug_level(self, caplog):
        caplog.set_level(logging.DEBUG)
        with FakeBroker() as broker, session(broker, user="u", password=Secret(PASSWORD)):
            pass
        assert PASSWORD not in caplog.text


class TestUsage:
    """What makes no sense is refused before anybody is asked."""

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"mqtt": MqttOptions(session_expiry_s=1.0), "client_id": "c"}, "3.1.1 has no --session-expiry"),
            ({"mqtt": MqttOptions(clean=False)}, "kept under a name"),
            ({"mqtt": MqttOptions(version="5", session_expiry_s=1.0)}, "kept under a name"),
        ],
    )
    def test_a_session_needs_a_name_and_its_end_mqtt_5(self, changes, says):
        error = failure(endpoints=(Endpoint("127.0.0.1", 1),), **changes)
        assert isinstance(error, UsageError)
        assert says in str(error)
        assert error.hint

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"client_id": "x" * 65_536}, "at most 65,535 bytes in a client id"),
            ({"client_id": "a\nb"}, "no control characters in a client id"),
            ({"client_id": "a\udcff"}, "a client id is not valid Unicode"),
            ({"user": "\udcff"}, "a user's name is not valid Unicode"),
            ({"user": "u" * 65_535, "vhost": "v", "dialect": Dialect.RABBITMQ}, "bytes in a user's name"),
            ({"user": "u", "password": Secret("x" * 65_536)}, "at most 65,535 bytes in a password"),
            ({"mqtt": MqttOptions(will_topic="t", will_payload="x" * 65_536)}, "at most 65,535 bytes in a last will"),
            ({"mqtt": MqttOptions(will_payload="x")}, "a last will needs a topic"),
            ({"mqtt": MqttOptions(will_qos=1)}, "a last will needs a topic"),
            ({"mqtt": MqttOptions(will_retain=True)}, "a last will needs a topic"),
        ],
    )
    def test_what_connect_cannot_carry(self, changes, says):
        error = failure(endpoints=(Endpoint("127.0.0.1", 1),), **changes)
        assert isinstance(error, UsageError)
        assert says in str(error)

    def test_a_will_that_the_broker_does_not_take(self):
        will = MqttOptions(will_topic="t", will_qos=2)
        error = failure(endpoints=(Endpoint("127.0.0.1", 1),), mqtt=will, dialect=Dialect.RABBITMQ)
        assert isinstance(error, UnsupportedError)
        assert error.hint == "use --will-qos 1"

    def test_a_password_and_a_will_may_be_any_bytes(self):
        who = {"user": "u", "password": Secret("\udcff"), "client_id": "c"}
        will = MqttOptions(will_topic="t", will_payload="\udcfe")
        with FakeBroker() as broker, session(broker, mqtt=will, **who) as (_, peer, _):
            assert peer.next("CONNECT").body.endswith(text("t") + text(b"\xfe") + text("u") + text(b"\xff"))

    def test_the_hub_speaks_no_mqtt(self):
        error = failure(endpoints=(Endpoint("127.0.0.1", 1),), dialect=Dialect.HUB)
        assert isinstance(error, ConfigError)
        assert error.hint


class TestConnack:
    """CONNACK (MQTT 3.1.1, 3.2; MQTT 5, 3.2)."""

    @pytest.mark.parametrize(
        ("code", "kind", "says"),
        [
            (1, UnsupportedError, "does not speak MQTT 3.1.1"),
            (2, RefusedError, "client identifier not valid"),
            (3, ConnectError, "takes no connections now: server unavailable"),
            (4, RefusedError, "bad user name or password"),
            (5, RefusedError, "not authorized"),
            (99, RefusedError, "reason code 99"),
        ],
    )
    def test_a_refusal_is_told_in_words(self, code, kind, says):
        with FakeBroker(bytes((0, code))) as broker:
            error = failure(broker)
        assert type(error) is kind
        assert says in str(error)

    def test_mqtt_5_gives_its_reason(self):
        with FakeBroker(b"\0\x87\x09\x1f" + text("no way"), five=True) as broker:
            error = failure(broker, user="u")
        assert isinstance(error, RefusedError)
        assert str(error).endswith("refused the connection: not authorized: no way")

    def test_mqtt_5_may_name_another_server(self):
        with FakeBroker(b"\0\x9c\x06\x1c" + text("h:1"), five=True) as broker:
            assert failure(broker).hint == "it names another server: h:1"

    def test_a_broker_that_knows_no_mqtt_5_answers_in_its_own_way(self):
        with FakeBroker(first=packet("CONNACK", b"\0\1"), five=True) as broker:
            error = failure(broker)
        assert isinstance(error, UnsupportedError)
        assert error.hint == "use --mqtt-version 3.1.1"

    @pytest.mark.parametrize(
        ("flags", "changes", "told"),
        [
            (0, {}, "new"),
            (1, {"client_id": "c"}, "resumed"),
            (0, {"client_id": "c"}, "new"),
            (0, {"client_id": "c", "dialect": Dialect.CLASSIC}, "not told"),
            (0, {"client_id": "c", "mqtt": MqttOptions(version="3.1")}, "not told"),
            (0, {"dialect": Dialect.CLASSIC}, "new"),
        ],
    )
    def test_the_greeting_tells_whether_the_broker_remembers_us(self, flags, changes, told):
        with FakeBroker(bytes((flags, 0))) as broker, session(broker, **changes) as (connection, _, _):
            assert connection.greeting.detail["session"] == told
            assert connection.greeting.server is None

    def test_the_greeting_tells_what_the_broker_says_of_itself(self):
        said = b"\x24\x01" + b"\x12" + text("given")
        connack = b"\0\0" + bytes((len(said),)) + said
        with FakeBroker(connack, five=True) as broker, session(broker) as (connection, _, _):
            assert connection.greeting.detail["client-id"] == "given"
            assert connection.greeting.detail["MaximumQoS"] == "1"

    def test_a_limit_above_that_of_any_packet_is_none(self):
        with FakeBroker(b"\0\0\5\x27\xff\xff\xff\xff", five=True) as broker, session(broker) as (connection, _, _):
            assert connection.greeting.detail["MaximumPacketSize"] == "268435455"


class TestNonsense:
    """What answers is something else."""

    @pytest.mark.parametrize(
        ("first", "kind", "says"),
        [
            (b"\x15\x03\x03\0\x02\x02\x28", TlsError, "speaks TLS"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", ProtocolError, "speaks HTTP"),
            (b"ERROR\nmessage:what?\n\n\0", ProtocolError, "speaks STOMP"),
            (b"AMQP\0\0\x09\1", ProtocolError, "it says 'AMQP"),
            (b"\x20\xff\xff\xff\xff\xff", ProtocolError, "more than four digits"),
            (b"\x20\1\0", ProtocolError, "no MQTT"),
            (b"\x20\x02\0\0\x90\0", ProtocolError, "no MQTT"),
            (b"", ConnectError, "hung up without an answer"),
            (b"\x20\2", ConnectError, "hung up without an answer"),
        ],
    )
    def test_it_is_told_in_a_sentence(self, first, kind, says):
        with FakeBroker(first=first) as broker:
            error = failure(broker)
        assert isinstance(error, kind)
        assert says in str(error)

    @pytest.mark.parametrize("said", [b"\x21\0", b"\x27\0\0", b"\x1f\0", b"\x26\0\1a", b"\xff", b"\x21\0\0"])
    def test_properties_that_are_cut_short_are_told_too(self, said):
        with FakeBroker(b"\0\0" + bytes((len(said),)) + said, five=True) as broker:
            error = failure(broker)
        assert isinstance(error, ProtocolError)
        assert "no MQTT" in str(error)

    def test_whoever_is_silent_is_left(self):
        with FakeBroker() as broker, Link(broker.endpoint) as link:
            link.stall()
            error = failure(broker, endpoints=(link.endpoint,), connect_timeout_s=0.2)
        assert isinstance(error, ConnectError)
        assert "did not answer in time" in str(error)
        assert "mqtt+ssl" in (error.hint or "")

    def test_a_failed_login_leaves_no_thread_behind(self):
        before = set(threading.enumerate())
        with FakeBroker(b"\0\5") as broker:
            failure(broker)
        assert not [thread for thread in set(threading.enumerate()) - before if "mqctl.mqtt" in thread.name]


def test_importing_the_transport_leaves_out_what_paho_needs_for_proxies():
    """`publish` pays for it at each start."""
    code = "import mqctl.adapters.mqtt, sys; sys.exit('http.client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
