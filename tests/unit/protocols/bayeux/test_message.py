"""Messages: what is read, what is refused, and that data stays as it came."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, Raw

from mqctl.protocols.bayeux.message import NO_DATA, Message, MessageError, batch, decode, encode
from mqctl.protocols.bayeux.spec import Limits


def test_an_array_and_one_alone():
    assert [message.channel for message in decode(b'[{"channel":"/a"},{"channel":"/b"}]')] == ["/a", "/b"]
    assert [message.channel for message in decode(b' \n{"channel":"/a"}')] == ["/a"]
    assert decode(b"[]") == []


def test_every_field():
    body = (
        b'[{"id":"1","channel":"/meta/handshake","clientId":"c","successful":true,"error":"402::x","version":"1.0",'
        b'"minimumVersion":"1.0","supportedConnectionTypes":["websocket"],"connectionType":"websocket",'
        b'"subscription":["/a"],"advice":{"timeout":0},"data":{"b": [1, 2]},"ext":{"ack":true},"timestamp":"now"}]'
    )
    (message,) = decode(body)
    assert message.client_id == "c"
    assert message.supported_connection_types == ["websocket"]
    assert message.advice == {"timeout": 0}
    assert encode([message]) == body
    assert message.is_reply


def test_data_is_kept_to_the_byte():
    for data in (
        b"null",
        b"1.50",
        b'{"a" : 1e999}',
        b'"\\u00e9"',
        '"é"'.encode(),
        b"[ ]",
        b"123456789012345678901234567890",
    ):
        (message,) = decode(b'[{"channel":"/a","data":' + data + b"}]")
        assert bytes(message.data) == data
        assert message.has_data
        assert not message.is_reply
    assert not decode(b'[{"channel":"/a"}]')[0].has_data


def test_a_null_is_as_good_as_nothing():
    (message,) = decode(b'[{"channel":"/a","id":null,"clientId":null,"ext":null,"advice":null}]')
    assert message.ext is None
    assert decode(b"[{}]")[0].ext is UNSET


def test_an_id_keeps_its_type():
    for text in (b'"7"', b"7", b"7.5"):
        assert encode(decode(b'[{"id":' + text + b"}]")) == b'[{"id":' + text + b"}]"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not Bayeux messages in JSON"),
        (b"x", "not Bayeux messages in JSON"),
        (b"5", "Expected `array`"),
        (b"[1]", r"Expected `object`, got `int` - at `\$\[0\]`"),
        (b'[{"channel":5}]', r"Expected `str`, got `int` - at `\$\[0\].channel`"),
        (b'[{"channel":"/a","data":NaN}]', "not Bayeux"),
        (b'[{"channel":"/a","data":"\\q"}]', "not Bayeux"),
        (b'[{"channel":"/a"}', "not Bayeux"),
        (b'[{"channel":"/a"}] x', "not Bayeux"),
        (b'[{"channel":"/a","data":"\xff"}]', "not UTF-8"),
        (b'[{"ext":[]}]', "Expected `object | null`"),
        (rb'[{"data":"\ud83d"]', "not Bayeux messages"),
    ],
)
def test_what_is_no_message(body, says):
    with pytest.raises(MessageError, match=says) as caught:
        decode(body)
    assert caught.value.limit is None


def test_half_a_character():
    (message,) = decode(rb'[{"channel":"/a","data":"x\ud83dy \ude00\ud83d \ud83d\ude00"}]')
    assert msgspec.json.decode(message.data) == "x\ufffdy \ufffd\ufffd \U0001f600"


def test_limits():
    """Each at its bound, and one beyond."""
    limits = Limits(body_bytes=100, messages=3, depth=4)
    body = b'[{"data":"' + b"x" * 87 + b'"}]'
    for fits, breaks, limit in (
        (body, body + b" ", "body_bytes"),
        (b"[{},{},{}]", b"[{},{},{},{}]", "messages"),
        (b'[{"data":[[]]}]', b'[{"data":[[[]]]}]', "depth"),
        (b'[{"data":[{}]}]', b'[{"data":[{"a":{}}]}]', "depth"),
    ):
        decode(fits, limits)
        with pytest.raises(MessageError) as caught:
            decode(breaks, limits)
        assert caught.value.limit == limit
        assert str(getattr(limits, limit)) in str(caught.value)


def test_depth_counts_no_brackets_of_strings():
    limits = Limits(depth=4)
    decode(b'[{"data":"[[[[[["},{"data":"\\"[[[[["},{"data":[1,[2]]},{"data":[[],[],[]]}]', limits)


def test_deep_nesting_is_refused_before_it_is_read():
    for opener in (b"[", b'{"a":'):
        with pytest.raises(MessageError) as caught:
            decode(opener * 100_000)
        assert caught.value.limit == "depth"


def test_depth_takes_time_in_proportion():
    """A megabyte of quotes that never close, which a careless pattern would try from each of them."""
    with pytest.raises(MessageError):
        decode(b'[{"data":"' + b'\\"' * 500_000 + b"[" * 100)


def test_a_batch():
    pieces = [encode(Message(channel="/a", data=Raw(b"1"))), encode(Message(channel="/b", data=Raw(b'"x"')))]
    assert batch(pieces) == b'[{"channel":"/a","data":1},{"channel":"/b","data":"x"}]'
    assert [bytes(message.data) for message in decode(batch(pieces))] == [b"1", b'"x"']
    assert Message().data is NO_DATA
    assert msgspec.json.decode(encode(Message())) == {}
