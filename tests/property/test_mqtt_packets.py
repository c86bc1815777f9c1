"""Whatever a broker sends: it is read, or refused as no MQTT; nothing else comes out."""

from __future__ import annotations

import contextlib

from hypothesis import example, given
from hypothesis import strategies as st

from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.mqtt_acks import Ledger
from mqctl.adapters.mqtt_client import Client
from mqctl.adapters.mqtt_messages import Messages
from mqctl.errors import ProtocolError
from mqctl.model import Topic
from mqctl.protocols.mqtt.properties import varint
from mqctl.target import MqttOptions

SPEC = SubscribeSpec(topic=Topic(levels=("t",)))
FIRST = (0x20, 0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0)

REASON = b"\x1f\0\1r"
BODIES = (b"", b"\0\1", b"\0\0\0", b"\0\2\1", b"\0\1\x87\4" + REASON, b"\0\2\4" + REASON + b"\x87", b"\0\1t\0\1\0x")
"""What such packets look like."""

DAMAGED = st.one_of(
    st.binary(max_size=12),
    st.tuples(st.sampled_from(BODIES), st.integers(0, 12), st.binary(max_size=3)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
    ),
)
PACKET = st.tuples(st.one_of(st.sampled_from(FIRST), st.integers(0, 255)), DAMAGED).map(
    lambda parts: bytes((parts[0],)) + varint(len(parts[1])) + parts[1]
)
STREAM = st.lists(st.one_of(PACKET, st.binary(max_size=6)), max_size=6).map(b"".join)


def busy(version: str, *, connected: bool) -> tuple[Client, Messages]:
    """A client that has asked for all sorts of things."""
    messages = Messages(None, Ledger(), properties=version == "5", hold=False)
    client = Client(MqttOptions(version=version), "c", clean=True, take_publish=messages.take)
    client.compose_connect(10)
    if connected:
        client.feed(b"\x20\3\0\0\0" if version == "5" else b"\x20\2\0\0")
    messages.begin("t", SPEC)
    for qos in (1, 2):
        client.outbox.compose(b"\0\1t", b"x", qos, b"", retain=False)
    client.compose_subscribe("t", 1, skip_retained=False, headers={})
    client.compose_unsubscribe("t")
    return client, messages


@given(version=st.sampled_from(("3.1.1", "5")), connected=st.booleans(), data=STREAM, at=st.integers(0, 40))
@example(version="5", connected=True, data=b"\x40\6\0\1\x87\3\x21\0", at=0)
@example(version="5", connected=False, data=b"\x20\5\0\0\3\x21\0", at=0)
def test_nothing_but_a_refusal_comes_out_of_damaged_packets(version, connected, data, at):
    client, messages = busy(version, connected=connected)
    with contextlib.suppress(ProtocolError):
        for piece in (data[:at], data[at:]):
            client.feed(piece)
    client.verdicts()
    client.composed()
    messages.ledger.settle(messages.done)
