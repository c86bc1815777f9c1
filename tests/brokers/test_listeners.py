"""Every listener of every broker answers CONNECT, over TLS to whoever trusts the throwaway authority."""

from __future__ import annotations

import contextlib
import ssl
import uuid
from queue import Queue
from urllib.parse import urlsplit

import pytest
import websocket
from paho.mqtt import client as paho
from paho.mqtt import publish

from tests.brokers.fleet import Fleet
from tests.brokers.launch import LISTENERS
from tests.brokers.process import HOST, Broker
from tests.brokers.wire import Wire, wire

LIMIT_S = 10.0


def listeners(protocol: str) -> pytest.MarkDecorator:
    """Each broker with each of its listeners for the protocol."""
    return pytest.mark.parametrize(
        ("name", "listener"),
        [
            pytest.param(name, listener, marks=pytest.mark.broker(name))
            for name, served in LISTENERS.items()
            for listener in served
            if listener.startswith(protocol)
        ],
    )


def trusting(broker: Broker, listener: str) -> ssl.SSLContext | None:
    secure = urlsplit(broker.url(listener)).scheme.endswith(("+ssl", "+wss"))
    return ssl.create_default_context(cafile=broker.ca_file) if secure else None


@listeners("stomp")
def test_stomp(fleet: Fleet, name: str, listener: str) -> None:
    """CONNECTED, with the version asked for."""
    broker = fleet.get(name)
    assert stomp_answer(broker, listener).startswith("CONNECTED\n")


def stomp_answer(broker: Broker, listener: str) -> str:
    opening = f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{broker.user}\npasscode:{broker.password}\n\n\0"
    tls = trusting(broker, listener)
    if "+ws" not in listener:
        with Wire(broker.ports[listener], tls).socket as peer:
            peer.sendall(opening.encode())
            return peer.recv(1 << 16).decode()
    with contextlib.closing(
        websocket.create_connection(
            broker.url(listener).removeprefix("stomp+"),
            timeout=LIMIT_S,
            subprotocols=["v12.stomp"],
            sslopt={"context": tls} if tls else None,
        )
    ) as peer:
        peer.send_text(opening)
        answer = peer.recv()
        return answer if isinstance(answer, str) else answer.decode()


@listeners("mqtt")
def test_mqtt(fleet: Fleet, name: str, listener: str) -> None:
    """CONNACK with success, and with a refusal or none at all for a wrong password."""
    broker = fleet.get(name)
    assert mqtt_answer(broker, listener, broker.password) == "Success"
    assert mqtt_answer(broker, listener, "wrong") != "Success"


def mqtt_answer(broker: Broker, listener: str, password: str) -> str:
    """The reason in CONNACK, or why there was none."""
    answers: Queue[str] = Queue()
    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2,
        client_id="listener",
        protocol=paho.MQTTv5 if listener.endswith("-v5") else paho.MQTTv311,
        transport="websockets" if "+ws" in listener else "tcp",
        reconnect_on_failure=False,
    )
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.put(str(reason))
    client.on_disconnect = lambda _client, _data, _flags, reason, _properties: answers.put(str(reason))
    client.username_pw_set(broker.user, password)
    client.ws_set_options(path=broker.path)
    if tls := trusting(broker, listener):
        client.tls_set_context(tls)
    client.connect(HOST, broker.ports[listener])
    client.loop_start()
    try:
        return answers.get(timeout=LIMIT_S)
    finally:
        client.disconnect()
        client.loop_stop()


def test_stomp_and_mqtt_meet(broker: Broker) -> None:
    """`/topic/a.b` is `a/b`: at Artemis only where the acceptor strips the prefix."""
    name = uuid.uuid4().hex[:12]
    listener = "stomp-prefixed" if "stomp-prefixed" in broker.ports else "stomp"
    with wire(broker, listener=listener) as reader:
        assert reader.ask("SUBSCRIBE", {"id": "1", "destination": f"/topic/open.{name}"}) is not None
        publish.single(
            f"open/{name}",
            b"met",
            qos=1,
            hostname=HOST,
            port=broker.ports["mqtt"],
            auth={"username": broker.user, "password": broker.password},
        )
        message = reader.next()
    assert message is not None
    assert message.body == b"met"
