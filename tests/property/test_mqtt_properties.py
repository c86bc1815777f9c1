"""What holds for all properties of a message."""

from hypothesis import given
from hypothesis import strategies as st

from mqctl.errors import ProtocolError
from mqctl.model import Outgoing, Topic
from mqctl.protocols.mqtt.properties import decode, encode, read_varint, varint

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
TOPIC = Topic(levels=("a",))


@given(st.dictionaries(texts, texts, max_size=6), st.none() | texts, st.none() | texts, st.binary(max_size=9))
def test_headers_come_back_as_they_were_sent(headers, content_type, reply_to, payload):
    data = encode(Outgoing(topic=TOPIC, payload=b"", headers=headers, content_type=content_type, reply_to=reply_to))
    named = {"content-type": content_type, "reply-to": reply_to}
    expected = headers | {name: value for name, value in named.items() if value is not None}
    assert decode(data + payload, 0) == (expected, len(data))


@given(st.binary(max_size=40))
def test_no_bytes_end_in_anything_but_headers_or_a_protocol_error(data):
    try:
        _, end = decode(data, 0)
    except ProtocolError:
        return
    assert end <= len(data)


@given(st.integers(0, 268_435_455), st.binary(max_size=3))
def test_a_length_comes_back(number, rest):
    assert read_varint(varint(number) + rest, 0) == (number, len(varint(number)))
