"""Payloads as data, and back: to the byte, and what JavaScript publishes comes out as it would write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, json

from mqctl.protocols.bayeux.extensions import BINARY_EXT, binary
from mqctl.protocols.bayeux.message import Message, decode, encode
from mqctl.protocols.bayeux.payload import DEPTH_MAX, data_of, payload_of


def travelled(data: Raw, **more: object) -> Message:
    return decode(encode([Message(channel="/a", data=data, **more)]))[0]


def quoted(text: str) -> bytes:
    return json.encode(text)


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        (b"45", b"45"),
        (b'{"a" : 1.50}', b'{"a" : 1.50}'),
        (b"null", b"null"),
        (b"hello", b'"hello"'),
        (b"", b'""'),
        (b"45\n", b'"45\\n"'),
        (b"NaN", b'"NaN"'),
        (b'"45"', b'"45"'),
        (b'"hello"', b'"\\"hello\\""'),
        (b'"', b'"\\""'),
        (b'"\\q"', b'"\\"\\\\q\\""'),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), quoted("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1))),
    ],
)
def test_what_is_json_goes_as_it_is_and_other_text_as_a_string(payload, data):
    made = data_of(payload)
    assert made is not None
    assert bytes(made) == data
    assert payload_of(travelled(made)) == payload


@pytest.mark.parametrize(
    ("data", "payload"),
    [(b'"hello"', b"hello"), (b'"45"', b'"45"'), (b"[1, 2]", b"[1, 2]"), (b"null", b"null")],
)
def test_what_others_publish(data, payload):
    assert payload_of(travelled(Raw(data))) == payload


def test_no_depth_is_too_much():
    """Neither of what is JSON nor of what only begins so: other protocols carry both."""
    for payload in (b"[" * 200_000, b"[" * 200_000 + b"]" * 200_000, b'"' + b'{"a":' * 200_000):
        made = data_of(payload)
        assert made is not None
        assert payload_of(travelled(made)) == payload


def test_bytes_go_in_binary():
    payload = bytes(range(256))
    assert data_of(payload) is None
    assert payload_of(travelled(binary(payload), ext=BINARY_EXT)) == payload


TEXTS = st.recursive(
    st.text(max_size=8) | st.sampled_from(["45", "null", "{}", "[1]", '"', "\\"]),
    lambda inner: inner.map(lambda text: quoted(text).decode()),
    max_leaves=4,
)


@given(TEXTS)
def test_any_text_comes_back(text):
    made = data_of(text.encode())
    assert made is not None
    assert payload_of(travelled(made)) == text.encode()


@given(TEXTS.map(quoted) | st.sampled_from([b"1", b"{}", b"[null]"]))
def test_what_was_taken_apart_is_put_together_as_it_was(data):
    made = data_of(payload_of(travelled(Raw(data))))
    assert made is not None
    assert json.decode(made) == json.decode(data)
