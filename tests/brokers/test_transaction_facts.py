"""What `docs/brokers.md` says of transactions, measured again with frames by hand: `mqctl.adapters` stands on it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest

from mqctl.protocols.stomp.codec import Frame
from tests.brokers.process import Broker
from tests.brokers.test_facts import held, intent, publish, subscribe
from tests.brokers.wire import Wire, wire

THREE = (b"0", b"1", b"2")
ROOMY = {"consumer-window-size": "1000000"}
"""Artemis hands out one message at a time otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One column of the document."""

    receipts: list[str]
    """Those of BEGIN, three SENDs and COMMIT, in the order in which they come."""
    left_of_a_refused_part: list[bytes]
    """What comes of a transaction in whose middle a SEND is refused."""
    left: dict[tuple[str, str], list[bytes]]
    """Of three messages, the first two acknowledged or refused in a transaction: what is left after its end."""


PARTS = [f"part {each}" for each in range(3)]
FACTS = {
    "classic": Facts(
        receipts=["begin", *PARTS, "commit"],
        left_of_a_refused_part=[b"0", b"2"],
        left={
            ("ACK", "COMMIT"): [b"2"],
            ("ACK", "ABORT"): [*THREE],
            ("NACK", "COMMIT"): [*THREE],
            ("NACK", "ABORT"): [*THREE],
        },
    ),
    "artemis": Facts(
        receipts=["begin", *PARTS, "commit"],
        left_of_a_refused_part=[],
        left={(verb, end): [b"2"] for verb in ("ACK", "NACK") for end in ("COMMIT", "ABORT")},
    ),
    "rabbitmq": Facts(
        receipts=["begin", "commit", *PARTS],
        left_of_a_refused_part=[],
        left={
            ("ACK", "COMMIT"): [b"2"],
            ("ACK", "ABORT"): [*THREE],
            ("NACK", "COMMIT"): [*THREE],
            ("NACK", "ABORT"): [*THREE],
        },
    ),
}


@pytest.fixture
def facts(broker: Broker) -> Facts:
    return FACTS[broker.name]


@pytest.fixture
def queue() -> str:
    """Nobody else's."""
    return f"/queue/open.{uuid.uuid4().hex[:12]}"


def within(connection: Wire, verb: str, headers: dict[str, str], receipt: str, body: bytes = b"") -> None:
    connection.send(verb, {**headers, "transaction": "t", "receipt": receipt}, body)


def receipts(frames: list[Frame]) -> list[str]:
    return [frame.headers["receipt-id"] for frame in frames if frame.command == "RECEIPT"]


def test_what_is_confirmed_when(broker: Broker, facts: Facts, queue: str) -> None:
    """RabbitMQ confirms the COMMIT before what is in it, and nobody delivers anything before."""
    with wire(broker) as connection:
        within(connection, "BEGIN", {}, "begin")
        for number, body in enumerate(THREE):
            within(connection, "SEND", intent(queue, "SEND"), PARTS[number], body)
        early = receipts(connection.rest())
        assert held(broker, queue) == []
        within(connection, "COMMIT", {}, "commit")
        assert early + receipts(connection.rest()) == facts.receipts
    assert held(broker, queue) == [*THREE]


def test_a_refused_part(broker: Broker, facts: Facts, queue: str) -> None:
    """ActiveMQ Classic commits the rest."""
    with wire(broker, limited=True) as connection:
        within(connection, "BEGIN", {}, "begin")
        for body, where in zip(THREE, (queue, "/queue/forbidden.x", queue), strict=True):
            within(connection, "SEND", intent(where, "SEND"), "part", body)
        assert "ERROR" in {frame.command for frame in connection.rest()}
        if not connection.closed:
            within(connection, "COMMIT", {}, "commit")
            assert receipts(connection.rest()) == ["commit"]
    assert held(broker, queue) == facts.left_of_a_refused_part


@pytest.mark.parametrize("verb", ["ACK", "NACK"])
@pytest.mark.parametrize("end", ["COMMIT", "ABORT"])
def test_acknowledging(broker: Broker, facts: Facts, queue: str, verb: str, end: str) -> None:
    """Artemis looks at no transaction; what is aborted elsewhere comes again when the connection ends."""
    with wire(broker) as connection:
        publish(connection, queue, *THREE, persistent="true")
        messages = subscribe(connection, queue, "client-individual", headers=ROOMY)
        within(connection, "BEGIN", {}, "begin")
        for message in messages[:2]:
            within(connection, verb, {"id": message.headers["ack"]}, "part")
        connection.rest()
        within(connection, end, {}, "end")
        after = connection.rest()
    assert receipts(after) == ["end"]
    assert [frame.body for frame in after if frame.command == "MESSAGE"] == (
        [b"0", b"1"] if (broker.name, verb, end) == ("rabbitmq", "NACK", "COMMIT") else []
    )
    assert sorted(held(broker, queue)) == facts.left[verb, end]
