"""What `docs/brokers.md` says of each broker, measured again: the adapters stand on it."""

from __future__ import annotations

import socket
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mqctl.protocols.stomp.codec import Frame
from mqctl.protocols.stomp.dialects import dialect_of
from tests.brokers.fleet import Fleet
from tests.brokers.process import HOST, Broker
from tests.brokers.wire import QUIET_S, Wire, wire

MARK = b"mark"
FIRST = b"-1"
DOCUMENT = Path(__file__).parents[2] / "docs" / "brokers.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One column of the document."""

    subtree: str
    prefetch: dict[str, str]
    """Asks for one message at a time."""
    text_has_length: bool
    bad_utf8: bytes
    """What two bytes that are no UTF-8 arrive as, sent as text."""
    after_nack: list[bytes]
    """Of three messages, the second refused alone: what is delivered again later."""
    after_nack_cumulative: list[bytes]
    dead_letters: str | None
    ack_reaches_other_subscriptions: bool
    refused_send_names_receipt: bool
    refused_subscribe: list[tuple[str, bool]]
    """The frames that answer, and whether each names the receipt asked for."""
    closes_after_refusal: bool
    answers_tls_on_plain_port: bool
    selects: bool


FACTS = {
    "classic": Facts(
        subtree=">",
        prefetch={"activemq.prefetchSize": "1"},
        text_has_length=False,
        bad_utf8=b"\xff\xfe",
        after_nack=[b"0", b"2"],
        after_nack_cumulative=[b"0", b"2"],
        dead_letters="/queue/ActiveMQ.DLQ",
        ack_reaches_other_subscriptions=False,
        refused_send_names_receipt=True,
        refused_subscribe=[("ERROR", True)],
        closes_after_refusal=False,
        answers_tls_on_plain_port=False,
        selects=True,
    ),
    "artemis": Facts(
        subtree="#",
        prefetch={"consumer-window-size": "0"},
        text_has_length=True,
        bad_utf8="\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}".encode(),
        after_nack=[b"0", b"2"],
        after_nack_cumulative=[b"2"],
        dead_letters="DLQ",
        ack_reaches_other_subscriptions=False,
        refused_send_names_receipt=True,
        refused_subscribe=[("ERROR", False)],
        closes_after_refusal=True,
        answers_tls_on_plain_port=False,
        selects=True,
    ),
    "rabbitmq": Facts(
        subtree="#",
        prefetch={"prefetch-count": "1"},
        text_has_length=True,
        bad_utf8=b"\xff\xfe",
        after_nack=[b"0", b"1", b"2"],
        after_nack_cumulative=[b"0", b"1", b"2"],
        dead_letters=None,
        ack_reaches_other_subscriptions=True,
        refused_send_names_receipt=False,
        refused_subscribe=[("ERROR", False), ("RECEIPT", True)],
        closes_after_refusal=True,
        answers_tls_on_plain_port=True,
        selects=False,
    ),
}


@pytest.fixture
def facts(broker: Broker) -> Facts:
    return FACTS[broker.name]


@pytest.fixture
def name() -> str:
    """Nobody else's destination."""
    return f"open.{uuid.uuid4().hex[:12]}"


@pytest.fixture
def sender(broker: Broker) -> Iterator[Wire]:
    with wire(broker) as connection:
        yield connection


def intent(destination: str, verb: str) -> dict[str, str]:
    """Artemis needs it, the others pass over it."""
    kind = "MULTICAST" if destination.startswith("/topic/") else "ANYCAST"
    return {"destination": destination, f"{'destination' if verb == 'SEND' else 'subscription'}-type": kind}


def publish(connection: Wire, destination: str, *bodies: bytes, **headers: str) -> None:
    for body in bodies:
        answer = connection.ask("SEND", intent(destination, "SEND") | headers, body)
        assert answer is not None
        assert answer.command == "RECEIPT", answer


def subscribe(
    connection: Wire, destination: str, ack: str = "auto", *, number: str = "1", headers: dict[str, str] | None = None
) -> list[Frame]:
    """Subscribe; what is there already."""
    wish = intent(destination, "SUBSCRIBE") | {"id": number, "ack": ack, "receipt": "subscribed"} | (headers or {})
    connection.send("SUBSCRIBE", wish)
    messages = []
    while (frame := connection.next()) is not None and frame.command != "RECEIPT":
        messages.append(frame)
    assert frame is not None, "not confirmed"
    return messages + connection.rest()


def held(broker: Broker, destination: str) -> list[bytes]:
    """Take what a queue holds: all that comes before and shortly after a mark sent now."""
    with wire(broker) as connection:
        publish(connection, destination, MARK)
        messages = subscribe(connection, destination)
        while MARK not in (bodies := [message.body for message in messages]):
            message = connection.next()
            assert message is not None, f"the mark did not come, only {bodies}"
            messages += [message, *connection.rest()]
    return [body for body in bodies if body != MARK]


def dead(broker: Broker, destination: str) -> list[bytes]:
    """What of the messages of these tests is among the dead letters, where those of others are too."""
    return [body for body in held(broker, destination) if body in (b"0", b"1", b"2")]


def settle(broker: Broker, queue: str) -> None:
    """Make a queue with `FIRST` in it, and see it on disk: RabbitMQ, killed, may forget a very young one."""
    with wire(broker) as connection:
        publish(connection, queue, FIRST, persistent="true")
    broker.restart()


def test_the_tested_version_is_the_documented_one(broker: Broker) -> None:
    """The document names the version that these tests run against."""
    row = next(line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| version |"))
    assert broker.version in row


def test_the_greeting_tells_the_dialect(broker: Broker) -> None:
    """CONNECTED names a server that we recognise."""
    with Wire(broker.ports["stomp"]).socket as peer:
        peer.sendall(
            f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{broker.user}\npasscode:{broker.password}\n\n\0".encode()
        )
        lines = peer.recv(1 << 16).decode().split("\n")
    server = next(line.partition(":")[2] for line in lines if line.startswith("server:"))
    assert dialect_of(server) == broker.name
    assert broker.version in server


def test_text_and_bytes(broker: Broker, facts: Facts, sender: Wire, name: str) -> None:
    """Without content-length a message is text, and only Artemis spoils one that is no UTF-8."""
    destination = f"/topic/{name}"
    with wire(broker) as reader:
        subscribe(reader, destination)
        for body in (b"text", b"\xff\xfe"):
            sender.send("SEND", intent(destination, "SEND"), body)
        sender.send("SEND", intent(destination, "SEND"), b"\xff\0\xfe", as_text=False)
        text, bad, exact = reader.rest()
    assert ("content-length" in text.headers) == facts.text_has_length
    assert (text.body, bad.body, exact.body) == (b"text", facts.bad_utf8, b"\xff\0\xfe")


def test_wildcards(broker: Broker, facts: Facts, sender: Wire, name: str) -> None:
    """A star is one level; the subtree holds its root."""
    with wire(broker) as reader:
        subscribe(reader, f"/topic/{name}.*.c", number="star")
        subscribe(reader, f"/topic/{name}.{facts.subtree}", number="tree")
        for levels in ("", ".a.c", ".a.b.c"):
            publish(sender, f"/topic/{name}{levels}", levels.encode())
        got = {(message.headers["subscription"], message.body) for message in reader.rest()}
    assert got == {("star", b".a.c"), ("tree", b""), ("tree", b".a.c"), ("tree", b".a.b.c")}


def test_prefetch_of_one(broker: Broker, facts: Facts, sender: Wire, name: str) -> None:
    """The second message comes when the first is acknowledged."""
    publish(sender, f"/queue/{name}", b"0", b"1", b"2")
    with wire(broker) as reader:
        (first,) = subscribe(reader, f"/queue/{name}", "client-individual", headers=facts.prefetch)
        reader.send("ACK", {"id": first.headers["ack"]})
        (second,) = reader.rest()
    assert (first.body, second.body) == (b"0", b"1")


def test_nack_of_one(broker: Broker, facts: Facts, sender: Wire, name: str) -> None:
    """Dead-lettered by Classic, lost by Artemis, back in the queue of RabbitMQ; all others come again, marked."""
    publish(sender, f"/queue/{name}", b"0", b"1", b"2", persistent="true")
    with wire(broker) as reader:
        second = subscribe(reader, f"/queue/{name}", "client-individual")[1]
        reader.ask("NACK", {"id": second.headers["ack"]})
        reader.rest()
    with wire(broker) as reader:
        again = subscribe(reader, f"/queue/{name}")
    assert [message.body for message in again] == facts.after_nack
    assert {message.headers["redelivered"] for message in again} == {"true"}
    if facts.dead_letters:
        assert dead(broker, facts.dead_letters) == ([b"1"] if broker.name == "classic" else [])


def test_nack_in_client_mode(broker: Broker, facts: Facts, sender: Wire, name: str) -> None:
    """NACK of the second of three: Artemis forgets the first with it."""
    publish(sender, f"/queue/{name}", b"0", b"1", b"2")
    with wire(broker) as reader:
        second = subscribe(reader, f"/queue/{name}", "client")[1]
        reader.ask("NACK", {"id": second.headers["ack"]})
        reader.rest()
    assert held(broker, f"/queue/{name}") == facts.after_nack_cumulative
    if facts.dead_letters:
        assert dead(broker, facts.dead_letters) == [], "what is not persistent is not dead-lettered"


def test_reach_of_a_cumulative_ack(broker: Broker, facts: Facts, sender: Wire, name: str) -> None:
    """RabbitMQ acknowledges the messages of the connection's other subscriptions too."""
    publish(sender, f"/queue/{name}.a", b"a")
    publish(sender, f"/queue/{name}.b", b"b")
    with wire(broker) as reader:
        subscribe(reader, f"/queue/{name}.a", "client", number="a")
        (later,) = subscribe(reader, f"/queue/{name}.b", "client", number="b")
        reader.ask("ACK", {"id": later.headers["ack"]})
    assert held(broker, f"/queue/{name}.a") == ([] if facts.ack_reaches_other_subscriptions else [b"a"])


@pytest.mark.parametrize("kind", ["queue", "topic"])
def test_refused_send(broker: Broker, facts: Facts, kind: str) -> None:
    """An ERROR, which need not name the receipt."""
    with wire(broker, limited=True) as connection:
        error = connection.ask("SEND", intent(f"/{kind}/forbidden.x", "SEND"), b"no")
        assert error is not None
        connection.next(QUIET_S)
        assert connection.closed == facts.closes_after_refusal
    assert error.command == "ERROR"
    assert ("receipt-id" in error.headers) == facts.refused_send_names_receipt


@pytest.mark.parametrize("kind", ["queue", "topic"])
def test_refused_subscribe(broker: Broker, facts: Facts, kind: str) -> None:
    """RabbitMQ confirms even a subscription that it has just refused."""
    with wire(broker, limited=True) as connection:
        connection.send("SUBSCRIBE", intent(f"/{kind}/forbidden.x", "SUBSCRIBE") | {"id": "1", "receipt": "mine"})
        answers = connection.rest()
        assert connection.closed == facts.closes_after_refusal
    assert [(answer.command, "receipt-id" in answer.headers) for answer in answers] == facts.refused_subscribe


def test_the_limited_user_has_a_realm(broker: Broker, name: str) -> None:
    """Below `open.` both kinds of destination are served: the refusals above are about the name."""
    for kind in ("queue", "topic"):
        with wire(broker, limited=True) as connection:
            subscribe(connection, f"/{kind}/{name}")
            connection.send("SEND", intent(f"/{kind}/{name}", "SEND"), b"yes")
            (message,) = connection.rest()
            assert message.body == b"yes"


def test_selector(broker: Broker, facts: Facts, sender: Wire, name: str) -> None:
    """RabbitMQ passes over a selector without a word."""
    with wire(broker) as reader:
        subscribe(reader, f"/topic/{name}", headers={"selector": "colour = 'red'"})
        publish(sender, f"/topic/{name}", b"blue", colour="blue")
        publish(sender, f"/topic/{name}", b"red", colour="red")
        got = [message.body for message in reader.rest()]
    assert got == ([b"red"] if facts.selects else [b"blue", b"red"])


def test_tls_client_on_the_plain_port(broker: Broker, facts: Facts, trusting: ssl.SSLContext) -> None:
    """RabbitMQ hangs up; the others wait for the rest of what they take for a frame."""
    with (
        socket.create_connection((HOST, broker.ports["stomp"]), timeout=2.0) as peer,
        pytest.raises((ssl.SSLError, ConnectionError, TimeoutError)) as caught,
    ):
        trusting.wrap_socket(peer, server_hostname="localhost")
    assert isinstance(caught.value, TimeoutError) != facts.answers_tls_on_plain_port


def test_plain_client_on_the_tls_port(broker: Broker) -> None:
    """Every broker hangs up."""
    connection = Wire(broker.ports["stomp+ssl"])
    with connection.socket:
        connection.socket.sendall(b"CONNECT\naccept-version:1.2\nhost:/\n\n\0")
        connection.socket.settimeout(5.0)
        assert connection.socket.recv(1 << 16)[:1] in {b"", b"\x15"}, "nothing, or a TLS alert"


def test_confirmed_and_persistent_survives_kill(broker: Broker, name: str) -> None:
    """A RECEIPT for a persistent message to a queue that stands means that it is on disk."""
    settle(broker, f"/queue/{name}")
    with wire(broker) as sender:
        publish(sender, f"/queue/{name}", *(b"%d" % number for number in range(20)), persistent="true")
        broker.kill()
    broker.restart()
    assert held(broker, f"/queue/{name}") == [FIRST, *(b"%d" % number for number in range(20))]


@pytest.mark.broker("artemis")
def test_artemis_takes_a_queue_for_a_topic(fleet: Fleet, name: str) -> None:
    """Without the header that says ANYCAST, a confirmed message to a queue nobody reads is gone."""
    artemis = fleet.get("artemis")
    with wire(artemis) as connection:
        answer = connection.ask("SEND", {"destination": f"/queue/{name}"}, b"gone")
        assert answer is not None
        assert answer.command == "RECEIPT"
    assert held(artemis, f"/queue/{name}") == []


@pytest.mark.broker("rabbitmq")
def test_rabbitmq_reads_persistent_false_as_a_wish_about_the_queue(fleet: Fleet, name: str) -> None:
    """The queue is then its session's own, and goes with it and with the confirmed message."""
    rabbitmq, queue = fleet.get("rabbitmq"), f"/queue/{name}"
    with wire(rabbitmq) as connection:
        publish(connection, queue, b"gone", persistent="false")
        assert answer_to_send(rabbitmq, queue) == "resource_locked"
    # The queue goes a moment after its session.
    answers = (answer_to_send(rabbitmq, queue) for _ in range(100))
    assert "RECEIPT" in answers
    assert held(rabbitmq, queue) == [b"new"]


def answer_to_send(broker: Broker, queue: str) -> str:
    """RECEIPT, or the error's words, for a message `new` from a session of its own."""
    with wire(broker) as connection:
        answer = connection.ask("SEND", intent(queue, "SEND"), b"new")
        assert answer is not None
        return answer.headers.get("message", answer.command)
