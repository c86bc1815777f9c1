"""What `docs/brokers.md` says of STOMP over WebSocket at each broker, measured again with websocket-client."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import websocket

from mqctl.adapters.base import Connection
from mqctl.adapters.stomp import StompAdapter
from mqctl.model import Confirmation, Confirmed, Outgoing, Topic, Unknown
from mqctl.target import Endpoint, Secret, Target
from tests.brokers.fleet import Fleet
from tests.brokers.process import HOST, Broker
from tests.brokers.wire import QUIET_S, Wire

LIMIT_S = 10.0
TEXT, BINARY = websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY
NO_TEXT = b"a\xffb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One column of the document."""

    sends: int
    reads_binary: bool
    any_path: bool
    frame_of_64_kib: bool
    frames_in_one_message: int
    """Of two STOMP frames in one message, those that are read."""
    one_frame_in_two_messages: bool
    no_text_arrives: bytes


FACTS = {
    "classic": Facts(
        sends=TEXT,
        reads_binary=False,
        any_path=True,
        frame_of_64_kib=True,
        frames_in_one_message=1,
        one_frame_in_two_messages=False,
        no_text_arrives="a\ufffdb".encode(),
    ),
    "artemis": Facts(
        sends=BINARY,
        reads_binary=True,
        any_path=True,
        frame_of_64_kib=False,
        frames_in_one_message=2,
        one_frame_in_two_messages=True,
        no_text_arrives=NO_TEXT,
    ),
    "rabbitmq": Facts(
        sends=TEXT,
        reads_binary=True,
        any_path=False,
        frame_of_64_kib=True,
        frames_in_one_message=2,
        one_frame_in_two_messages=True,
        no_text_arrives=NO_TEXT,
    ),
}


@pytest.fixture
def facts(broker: Broker) -> Facts:
    return FACTS[broker.name]


@pytest.fixture
def destination() -> str:
    return f"/topic/open.{uuid.uuid4().hex[:12]}"


def hello(broker: Broker) -> bytes:
    return f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{broker.user}\npasscode:{broker.password}\n\n\0".encode()


@contextlib.contextmanager
def opened(broker: Broker, path: str | None = None) -> Iterator[websocket.WebSocket]:
    """A WebSocket on which STOMP has not begun."""
    url = broker.url("stomp+ws").removeprefix("stomp+")
    client = websocket.create_connection(
        url if path is None else url.removesuffix(broker.path) + path,
        timeout=LIMIT_S,
        subprotocols=["v12.stomp"],
        skip_utf8_validation=True,
    )
    with contextlib.closing(client.sock):
        yield client


@contextlib.contextmanager
def greeted(broker: Broker) -> Iterator[websocket.WebSocket]:
    """The same, logged in."""
    with opened(broker) as client:
        client.send(hello(broker))
        assert client.recv_data()[1].startswith(b"CONNECTED\n")
        yield client


def heard(client: websocket.WebSocket, limit_s: float = LIMIT_S) -> bytes | None:
    """The next message; None if none comes, or the broker ends it."""
    client.settimeout(limit_s)
    try:
        kind, data = client.recv_data()
    except (websocket.WebSocketException, OSError):
        return None
    return data if kind in (TEXT, BINARY) else None


def send_frame(destination: str, receipt: str, body: bytes = b"x") -> bytes:
    return f"SEND\ndestination:{destination}\nreceipt:{receipt}\n\n".encode() + body + b"\0"


def test_the_kind_of_message_that_it_sends(broker: Broker, facts: Facts):
    with opened(broker) as client:
        client.send(hello(broker), TEXT)
        assert client.recv_data()[0] == facts.sends
        assert client.subprotocol == "v12.stomp"


def test_whether_it_reads_binary_messages(broker: Broker, facts: Facts):
    with opened(broker) as client:
        client.send(hello(broker), BINARY)
        assert (heard(client, LIMIT_S if facts.reads_binary else QUIET_S) is not None) is facts.reads_binary


@pytest.mark.parametrize("path", ["/", "/any/path"])
def test_whether_any_path_will_do(broker: Broker, facts: Facts, path: str):
    """And `/ws`, ours where none is named, does at every broker."""
    with opened(broker, "/ws"):
        pass
    refused = contextlib.nullcontext() if facts.any_path else pytest.raises(websocket.WebSocketBadStatusException)
    with refused, opened(broker, path):
        pass


def test_whether_it_reads_a_frame_above_64_kib(broker: Broker, facts: Facts, destination: str):
    with greeted(broker) as client:
        client.send(send_frame(destination, "1", b"x" * 65_536))
        assert (heard(client) is not None) is facts.frame_of_64_kib


def test_how_many_stomp_frames_it_reads_of_one_message(broker: Broker, facts: Facts, destination: str):
    with greeted(broker) as client:
        client.send(send_frame(destination, "1") + send_frame(destination, "2"))
        assert b"receipt-id:1\n" in (heard(client) or b"")
        second = heard(client, LIMIT_S if facts.frames_in_one_message == 2 else QUIET_S)
        assert (second is not None) is (facts.frames_in_one_message == 2)


def test_whether_it_reads_one_stomp_frame_in_two_messages(broker: Broker, facts: Facts, destination: str):
    whole = send_frame(destination, "1")
    with greeted(broker) as client:
        client.send(whole[:20])
        client.send(whole[20:])
        assert (heard(client, LIMIT_S if facts.one_frame_in_two_messages else QUIET_S) is not None) is (
            facts.one_frame_in_two_messages
        )


def test_how_a_payload_that_is_no_text_arrives(broker: Broker, facts: Facts, destination: str):
    with greeted(broker) as client:
        client.send(f"SUBSCRIBE\nid:1\ndestination:{destination}\nreceipt:s\n\n\0".encode())
        assert heard(client)
        wire = Wire(broker.ports["stomp"])
        with contextlib.closing(wire.socket):
            wire.socket.sendall(hello(broker))
            wire.next()
            wire.send("SEND", {"destination": destination}, NO_TEXT, as_text=False)
            message = heard(client)
        assert message is not None
        assert f"content-length:{len(NO_TEXT)}\n".encode() in message
        assert message.rpartition(b"\n\n")[2].rstrip(b"\0\n") == facts.no_text_arrives


@contextlib.contextmanager
def connected(fleet: Fleet, *, limited: bool = False) -> Iterator[Connection]:
    broker = fleet.get("rabbitmq")
    credentials = broker.credentials
    target = Target(
        scheme="stomp+ws",
        endpoints=(Endpoint(HOST, broker.ports["stomp+ws"]),),
        path=broker.path,
        user=credentials.limited_user if limited else credentials.user,
        password=Secret(credentials.limited_password if limited else credentials.password),
    )
    with StompAdapter().connect(target, sink=lambda _events: None) as connection:
        yield connection


@pytest.mark.broker("rabbitmq")
def test_rabbitmq_keeps_back_what_it_refused(fleet: Fleet):
    with connected(fleet, limited=True) as connection:
        outcome = connection.submit(Outgoing(topic=Topic(levels=("forbidden", "x")), payload=b"x")).outcome(LIMIT_S)
    assert isinstance(outcome, Unknown)
    assert "it refused something" in outcome.reason


@pytest.mark.broker("rabbitmq")
def test_rabbitmq_that_holds_us_back_does_not_lose_us(fleet: Fleet):
    """It would in one burst of three, had heart-beats been promised."""
    for _ in range(8):
        with connected(fleet) as connection:
            message = Outgoing(topic=Topic(levels=("open", "burst")), payload=b"x")
            pending = [connection.submit(message) for _ in range(2000)]
            assert {each.outcome(LIMIT_S) for each in pending} == {Confirmed(Confirmation.BROKER)}
