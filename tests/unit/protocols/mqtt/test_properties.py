"""The properties of a PUBLISH as bytes and as headers; paho-mqtt's own codec is the second opinion."""

from __future__ import annotations

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqctl.errors import ProtocolError, UsageError
from mqctl.model import Outgoing, Topic
from mqctl.protocols.mqtt.properties import decode, encode, read_varint, varint

TOPIC = Topic(levels=("a",))


def message(**fields):
    return Outgoing(topic=TOPIC, payload=b"", **fields)


def as_paho_reads(data):
    properties = Properties(PacketTypes.PUBLISH)
    assert properties.unpack(data)[1] == len(data)
    return properties.json()


def packed(**properties):
    made = Properties(PacketTypes.PUBLISH)
    for name, value in properties.items():
        setattr(made, name, value)
    return made.pack()


def test_a_bare_message_has_no_properties():
    assert encode(message()) == b"\0"
    assert decode(b"\0payload", 0) == ({}, 1)


def test_each_field_becomes_its_property():
    data = encode(
        message(headers={"a": "1", "ü": ""}, content_type="t/x", reply_to="r/1", expires_ms=1001, as_text=True)
    )
    assert as_paho_reads(data) == {
        "PayloadFormatIndicator": 1,
        "MessageExpiryInterval": 2,
        "ContentType": "t/x",
        "ResponseTopic": "r/1",
        "UserProperty": [("a", "1"), ("ü", "")],
    }


def test_headers_named_as_what_was_received_become_those_properties_again():
    headers = {"content-type": "t", "reply-to": "r", "message-expiry": "7", "correlation-data": "c", "mine": "m"}
    data = encode(message(headers=headers))
    assert as_paho_reads(data) == {
        "MessageExpiryInterval": 7,
        "ContentType": "t",
        "ResponseTopic": "r",
        "CorrelationData": b"c".hex(),
        "UserProperty": [("mine", "m")],
    }
    assert decode(data, 0) == (headers, len(data))


def test_an_option_counts_more_than_a_header():
    data = encode(message(headers={"content-type": "old"}, content_type="new"))
    assert decode(data, 0)[0] == {"content-type": "new"}


def test_correlation_data_that_is_no_text_travels_as_base64():
    data = packed(CorrelationData=b"\xff\0")
    assert decode(data, 0)[0] == {"correlation-data-b64": "/wA="}
    assert encode(message(headers={"correlation-data-b64": "/wA="})) == data


def test_of_headers_with_one_name_the_first_counts():
    assert decode(packed(UserProperty=[("a", "1"), ("a", "2")]), 0)[0] == {"a": "1"}


def test_properties_that_say_nothing_to_a_reader_are_skipped():
    data = packed(PayloadFormatIndicator=1, SubscriptionIdentifier=300, ContentType="t")
    assert decode(data, 0) == ({"content-type": "t"}, len(data))


def test_a_topic_alias_was_not_allowed():
    with pytest.raises(ProtocolError, match="a topic alias"):
        decode(packed(TopicAlias=3), 0)


def test_a_byte_order_mark_is_a_character_like_others():
    data = encode(message(headers={"bom": "\ufeffx"}))
    assert decode(data, 0)[0] == {"bom": "\ufeffx"}


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"a": "\0"}, "no control characters in a: '\\\\x00'"),
        ({"a\n": ""}, "no control characters in a header's name"),
        ({"a": "\ud800"}, "not valid Unicode"),
        ({"a": "x" * 65_536}, "at most 65,535 bytes in a, and this is 65,536"),
        ({"message-expiry": "soon"}, "a number of seconds"),
        ({"message-expiry": "4294967296"}, "at most 4294967295"),
        ({"correlation-data-b64": "?"}, "not base64"),
    ],
)
def test_what_no_property_can_carry_is_refused_in_a_sentence(headers, says):
    with pytest.raises(UsageError, match=says):
        encode(message(headers=headers))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02\x03",  # shorter than it says
        b"\x01\x03",  # a text without its length
        b"\x05\x03\0\x09t",  # a text longer than all properties
        b"\x04\x03\0\x01\xff",  # no UTF-8
        b"\x02\x63\0",  # no such property
        b"\x02\x24\2",  # one of CONNACK
        b"\x03\x02\0\0",  # a number cut short
        b"\xff\xff\xff\xff\x01",
        b"\x05\x0b\xff\xff\xff\xff",
    ],
)
def test_what_is_no_property_is_a_protocol_error(data):
    with pytest.raises(ProtocolError):
        decode(data, 0)


@pytest.mark.parametrize("number", [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455])
def test_a_length_is_written_in_as_few_digits_as_it_needs(number):
    assert read_varint(varint(number), 0) == (number, len(varint(number)))
    assert len(varint(number)) == 1 + (number > 127) + (number > 16_383) + (number > 2_097_151)
