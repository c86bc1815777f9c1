"""Messages between the hub and Bayeux: names, payloads, headers, both ways and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.broker.values import Address, AddressKind, Message
from mqctl.hub import bayeux_messages
from mqctl.hub.bayeux_messages import address_of, channel_of, frames, piece, published
from mqctl.protocols.bayeux.message import decode


def topic(name: str) -> Address:
    return Address(AddressKind.TOPIC, name)


def message(payload: bytes, name: str = "a", **headers: str) -> Message:
    return Message(id="1", address=topic(name), payload=payload, headers=tuple(headers.items()))


@pytest.mark.parametrize(
    ("channel", "name"), [("/a", "a"), ("/a/b", "a.b"), ("/a.b/c", "a%2Eb.c"), ("/a b", "a b"), ("/x%2Fy", "x/y")]
)
def test_names(channel, name):
    if "%" not in channel:
        assert address_of(channel) == topic(name)
    assert channel_of(topic(name)) == channel


@pytest.mark.parametrize(("channel", "name"), [("/**", "**"), ("/a/**", "a.*.**"), ("/a/*", "a.*"), ("/*", "*")])
def test_patterns(channel, name):
    """A subtree of Bayeux begins one level below, ours where it stands."""
    assert address_of(channel) == topic(name)


@pytest.mark.parametrize("name", ["meta.connect", "meta.x.y", "service.x"])
def test_what_is_nobodys(name):
    assert channel_of(topic(name)) is None
    assert piece(message(b"1", name)) == b""
    assert frames([message(b"1", name)]) == []


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        (b"45", {"data": 45}),
        (b"text", {"data": "text"}),
        (b"", {"data": ""}),
        (b'{"a": 1}', {"data": {"a": 1}}),
        (b"\xff", {"data": {"data": "@@", "last": True}, "ext": {"binary": {}}}),
        (b"[" * 100 + b"]" * 100, {"data": "[" * 100 + "]" * 100}),
    ],
)
def test_payloads(payload, sent):
    assert json.loads(piece(message(payload))) == {"channel": "/a", **sent}


@given(st.binary(max_size=60) | st.from_regex(rb'["\[\]{}:,0-9a\\ ]{0,12}', fullmatch=True))
def test_payloads_there_and_back(payload):
    """What leaves over Bayeux and comes back is what it was."""
    (came,) = decode(piece(message(payload)))
    assert published(came, "2").payload == payload


def test_headers():
    """Those of other protocols have a place, but for what the data shows and how the message was to be kept."""
    (sent,) = decode(piece(message(b"1", **{"content-type": "text/plain", "persistent": "true", "color": "red"})))
    assert sent.ext == {"headers": {"color": "red"}}
    back = published(sent, "2")
    assert back.headers == (("content-type", "application/json"), ("color", "red"))
    assert piece(back) == piece(message(b"1", color="red"))


def test_headers_that_are_none():
    said = b'{"":"x","a":5,"receipt":"r","ok":"1"}'
    one, other = decode(b'[{"channel":"/a","data":"x","ext":{"headers":' + said + b'}},{"channel":"/a","data":1}]')
    assert published(one, "1").headers == (("ok", "1"),)
    assert published(other, "1").headers == (("content-type", "application/json"),)
    one.ext = {"headers": [], "ack": 1}
    assert published(one, "1").headers == ()


def test_what_is_between_the_sender_and_the_hub():
    (came,) = decode(b'[{"channel":"/a","data":1,"clientId":"secret","id":"7","ext":{"ack":1,"authentication":{}}}]')
    assert piece(published(came, "1")) == b'{"channel":"/a","data":1}'


def test_when_the_sender_says_it_was():
    """As CometD hands it on, with or without more; null is nothing."""
    one, other, nothing = decode(
        b'[{"channel":"/a","data":1,"timestamp":"T"},{"channel":"/a","data":1,"timestamp":"T","ext":{"x":1}},'
        b'{"channel":"/a","data":1,"timestamp":null}]'
    )
    assert piece(published(one, "1")) == b'{"channel":"/a","data":1,"timestamp":"T"}'
    assert json.loads(piece(published(other, "1")))["timestamp"] == "T"
    assert piece(published(nothing, "1")) == b'{"channel":"/a","data":1}'


def test_frames_are_no_larger_than_need_be(monkeypatch):
    monkeypatch.setattr(bayeux_messages, "FRAME_BYTES", 70)
    sizes = [
        len(json.loads(frame)) for frame in frames([message(b"1"), message(b"2"), message(b"3" * 90), message(b"4")])
    ]
    assert sizes == [2, 1, 1]
