"""The MQTT transport, over TCP, TLS and WebSocket, to ActiveMQ, Amazon MQ, RabbitMQ, Mosquitto and others."""

from __future__ import annotations

import contextlib
import math
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final, NamedTuple

from mqctl import topics
from mqctl.adapters import tls
from mqctl.adapters.base import AdapterInfo, Connection, EventSink
from mqctl.adapters.dialing import Dialer, encrypted_scheme, try_each
from mqctl.adapters.features import Refusals
from mqctl.adapters.heartbeat import HeartBeat
from mqctl.adapters.mqtt_acks import Ledger
from mqctl.adapters.mqtt_client import Client, Connack
from mqctl.adapters.mqtt_connection import MqttConnection, Terms
from mqctl.adapters.mqtt_messages import Messages
from mqctl.adapters.mqtt_transport import Transport
from mqctl.adapters.stream import RulesError
from mqctl.errors import ConfigError, ConnectError, MqctlError, ProtocolError, RefusedError, TlsError, UsageError
from mqctl.model import AckMode, Confirmation, Connected, Dialect
from mqctl.protocols.mqtt.dialects import OFFERS, offer_of
from mqctl.protocols.mqtt.properties import sized, string
from mqctl.protocols.mqtt.reasons import refusal
from mqctl.target import MQTT_3_1, MQTT_3_1_1, MQTT_5, Endpoint, Target, is_clean, is_encrypted, is_web_socket

SUBPROTOCOLS: Final = ("mqtt",)
"""What WebSocket offers (MQTT 3.1.1, 6)."""

KEEP_ALIVE_MAX_S: Final = 65_535

_SINCE_5: Final = frozenset({"headers", "content-type", "reply-to", "expires"})
_CONNACK: Final = 0x20
_NEW: Final = "new"
"""A session that the broker did not know before."""

_UNAUTHENTICATED: Final = "unauthenticated"
"""Why RabbitMQ closes a WebSocket, where over TCP it sends a CONNACK."""

_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
_FIRST_BYTES: Final = 64


class MqttAdapter:
    """See `mqctl.adapters.base.Adapter`. `info` is of MQTT 5; earlier versions have less, and so have some brokers."""

    info: ClassVar[AdapterInfo] = AdapterInfo(
        name="MQTT 5",
        schemes=frozenset({"mqtt", "mqtt+ssl", "mqtt+ws", "mqtt+wss"}),
        ack_modes=frozenset(AckMode),
        confirmation=Confirmation.BROKER,
        features=frozenset({"persistent", "qos", "retain", "wildcards", "shared", "session"}) | _SINCE_5,
    )

    def connect(self, target: Target, *, sink: EventSink) -> Connection:
        """See `Adapter.connect`.

        Raises:
            ConfigError: The dialect is of somebody who does not speak MQTT.
            UsageError: A session without a name, or something that this version of MQTT does not have.
        """
        if target.dialect is Dialect.HUB:
            raise ConfigError("the hub speaks STOMP, not MQTT", hint="use its stomp:// address, or another --dialect")
        who = _identify(target)
        dialer = Dialer(target, subprotocols=SUBPROTOCOLS)

        def attempt(endpoint: Endpoint, deadline: float) -> Connection:
            transport = Transport(dialer.dial(endpoint, deadline), str(endpoint))
            return _connect(transport, target, who, deadline, sink)

        return try_each(target, attempt)


_REFUSALS: Final = {
    version: Refusals(replace(MqttAdapter.info, name=f"MQTT {version}", features=MqttAdapter.info.features - lacking))
    for version, lacking in ((MQTT_3_1, _SINCE_5), (MQTT_3_1_1, _SINCE_5), (MQTT_5, frozenset()))
}


class _Identity(NamedTuple):
    """Under which id we connect, and whether the broker forgets us when we leave."""

    client_id: str
    clean: bool


def _identify(target: Target) -> _Identity:
    options = target.mqtt
    if options.session_expiry_s is not None and options.version != MQTT_5:
        raise UsageError(
            f"MQTT {options.version} has no --session-expiry: there the broker decides", hint="use --mqtt-version 5"
        )
    if target.client_id is None and (options.clean is False or options.session_expiry_s):
        raise UsageError("a session is kept under a name", hint="choose one with --client-id")
    _refuse_odd_texts(target)
    _refuse_will(target)
    clean = is_clean(options.clean, target.client_id)
    # Not left to the broker: some take no empty id, and the log of those that do is hard to read.
    return _Identity(target.client_id or f"mqctl-{secrets.token_hex(8)}", clean)


def _refuse_odd_texts(target: Target) -> None:
    """What CONNECT cannot carry (MQTT 3.1.1, 3.1.3)."""
    for name, text in (("a client id", target.client_id), ("a user's name", _user(target))):
        string(name, text or "")
    sized("a password", _password(target) or b"")
    sized("a last will", _bytes(target.mqtt.will_payload))


def _refuse_will(target: Target) -> None:
    options = target.mqtt
    if options.will_topic is None and (options.will_payload or options.will_qos or options.will_retain):
        raise UsageError("a last will needs a topic", hint="name it with --will-topic")
    OFFERS[target.dialect].refuse_publish(options.will_qos, 0, retain=options.will_retain, option="--will-qos")


def _user(target: Target) -> str | None:
    # RabbitMQ takes the virtual host from there.
    if target.user and target.vhost and target.dialect is Dialect.RABBITMQ:
        return f"{target.vhost}:{target.user}"
    return target.user


def _password(target: Target) -> bytes | None:
    return None if target.password is None else _bytes(target.password.reveal())


def _bytes(text: str) -> bytes:
    """What was typed, be it UTF-8 or not."""
    return text.encode("utf-8", "surrogateescape")


def _connect(transport: Transport, target: Target, who: _Identity, deadline: float, sink: EventSink) -> MqttConnection:
    messages = Messages(target.dialect, Ledger(), properties=target.mqtt.version == MQTT_5, hold=not who.clean)
    try:
        client = Client(target.mqtt, who.client_id, clean=who.clean, take_publish=messages.take)
        answer = _login(transport, client, messages, target, deadline)
        terms = _terms(answer, target, who)
        greeting = _greeting(answer, target, who, transport.peer)
        client.outbox.release_first = greeting.detail["session"] != _NEW
        return MqttConnection(transport, client, messages, greeting=greeting, sink=sink, terms=terms)
    except BaseException:
        transport.kill("refused")
        transport.join(0.0)
        raise


def _login(transport: Transport, client: Client, messages: Messages, target: Target, deadline: float) -> Connack:
    """CONNECT, and the CONNACK that accepts it."""
    first = b""
    try:
        # Who hangs up early may have said why.
        with contextlib.suppress(ConnectionError):
            transport.write(_connect_packet(client, target), deadline)
        while client.connack is None:
            data = transport.read(deadline)
            if not data:
                raise EOFError(transport.parting)
            first = (first + data[:_FIRST_BYTES])[:_FIRST_BYTES]
            if first[0] != _CONNACK:
                raise _no_mqtt(transport.peer, first, target.scheme)
            # What a session kept may come in the same packet as CONNACK.
            messages.now_ns = time.monotonic_ns()
            client.feed(data)
    except (OSError, EOFError) as error:
        raise _no_answer(transport.peer, error, target) from error
    if client.connack.code:
        raise refusal(
            transport.peer,
            client.connack.code,
            client.connack.words,
            version=target.mqtt.version,
            user=target.user,
            elsewhere=client.connack.properties.get("ServerReference"),
        )
    return client.connack


def _connect_packet(client: Client, target: Target) -> bytes:
    options = target.mqtt
    if target.user is not None:
        client.username_pw_set(_user(target), _password(target))  # type: ignore[arg-type]  # bytes go as they are
    if options.will_topic is not None:
        topic = topics.to_mqtt(topics.parse(options.will_topic), target.dialect)
        client.will_set(topic, _bytes(options.will_payload), options.will_qos, options.will_retain)
    return client.compose_connect(_keep_alive_s(target))


def _keep_alive_s(target: Target) -> int:
    return min(math.ceil(target.heart_beat_s), KEEP_ALIVE_MAX_S)


def _terms(answer: Connack, target: Target, who: _Identity) -> Terms:
    # The broker's word counts where it says one (MQTT 5, 3.2.2.3.14).
    every_s = answer.properties.get("ServerKeepAlive", _keep_alive_s(target))
    return Terms(
        _REFUSALS[target.mqtt.version],
        offer_of(target.dialect, answer.properties),
        HeartBeat(send_s=every_s, receive_s=every_s),
        properties=target.mqtt.version == MQTT_5,
        remembered=not who.clean,
        named=target.client_id is not None,
    )


def _greeting(answer: Connack, target: Target, who: _Identity, peer: str) -> Connected:
    return Connected(
        at_ns=time.monotonic_ns(),
        peer=peer,
        server=None,
        dialect=target.dialect,
        detail={
            "version": target.mqtt.version,
            "client-id": answer.properties.get("AssignedClientIdentifier", who.client_id),
            "session": _session(answer, target, who),
            **_told(answer.properties),
        },
    )


def _session(answer: Connack, target: Target, who: _Identity) -> str:
    """Whether the broker knows us from before (MQTT 3.1.1, 3.2.2.2)."""
    if answer.session_present:
        return "resumed"
    tells = target.mqtt.version != MQTT_3_1 and OFFERS[target.dialect].tells_session
    return _NEW if tells or who.clean else "not told"


def _told(properties: Mapping[str, object]) -> dict[str, str]:
    """What CONNACK says of the broker, by the names of the specification (MQTT 5, 3.2.2.3)."""
    return {name: str(value) for name, value in properties.items() if name != "UserProperty"}


def _no_mqtt(peer: str, first: bytes, scheme: str) -> MqctlError:
    if first.startswith(_TLS_RECORDS):
        return TlsError(
            f"{peer} speaks TLS, and this was a plain connection", hint=f"use the scheme {encrypted_scheme(scheme)}"
        )
    if first.startswith(b"HTTP/"):
        return ProtocolError(f"{peer} speaks HTTP, not MQTT", hint="name the broker's MQTT port, often 1883")
    if first.startswith((b"ERROR\n", b"CONNECTED\n", b"ERROR\r", b"CONNECTED\r")):
        return ProtocolError(f"{peer} speaks STOMP, not MQTT", hint="use the scheme stomp, or the MQTT port")
    shown = first[:24].decode("ascii", "backslashreplace")
    return ProtocolError(f"{peer} does not speak MQTT: it says {shown!r}")


def _no_answer(peer: str, error: Exception, target: Target) -> MqctlError:
    match error:
        case ssl.SSLError():
            return tls.ended(peer, error)
        case RulesError():
            return ProtocolError(f"{peer}: {error}")
        case TimeoutError():
            return ConnectError(
                f"{peer} accepted the connection but did not answer in time",
                hint=f"{_version_hint(target)}{_tls_hint(target)}",
            )
        case EOFError() if _UNAUTHENTICATED in str(error):
            return RefusedError(f"{peer} refused the connection: {error}")
        case _:
            parting = f" ({error})" if isinstance(error, EOFError) and str(error) else ""
            return ConnectError(
                f"{peer} accepted the connection and hung up without an answer{parting}",
                hint=f"{_version_hint(target)}, or take this user or password{_tls_hint(target)}",
            )


def _version_hint(target: Target) -> str:
    version = target.mqtt.version
    other = MQTT_3_1_1 if version == MQTT_5 else MQTT_5
    return f"the broker may not speak MQTT {version} (try --mqtt-version {other})"


def _tls_hint(target: Target) -> str:
    """What else silence may mean, where it cannot be excluded."""
    if is_encrypted(target.scheme):
        return "; or it wants a client certificate"
    if is_web_socket(target.scheme):
        return ""
    return f"; or it speaks TLS: use the scheme {encrypted_scheme(target.scheme)}"
