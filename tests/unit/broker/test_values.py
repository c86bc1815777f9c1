from __future__ import annotations

from mqctl.broker.values import MESSAGE_OVERHEAD_BYTES, Address, AddressKind, Message


def test_address_is_written_as_stomp_writes_it() -> None:
    """The text of an address tells its kind: dead letters carry it to another reader."""
    assert str(Address(AddressKind.TOPIC, "a.b")) == "/topic/a.b"
    assert str(Address(AddressKind.QUEUE, "orders")) == "/queue/orders"


def test_cost_counts_payload_headers_and_overhead() -> None:
    """The cost does not change while the message is held, or the memory account would drift."""
    message = Message(id="1", address=Address(AddressKind.TOPIC, "a"), payload=b"1234", headers=(("k", "value"),))
    assert message.cost_bytes == MESSAGE_OVERHEAD_BYTES + 4 + 6
    message.wire["stomp"] = b"long" * 100
    assert message.cost_bytes == MESSAGE_OVERHEAD_BYTES + 4 + 6


def test_message_expires_at_its_instant() -> None:
    """A message may be delivered before its expiry and not at it."""
    message = Message(id="1", address=Address(AddressKind.TOPIC, "a"), payload=b"", expires_at_ns=10)
    assert not message.expired(9)
    assert message.expired(10)


def test_message_without_expiry_lasts() -> None:
    assert not Message(id="1", address=Address(AddressKind.TOPIC, "a"), payload=b"").expired(2**63)
