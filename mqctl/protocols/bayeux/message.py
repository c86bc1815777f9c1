"""Bayeux messages: JSON in, values out, and back. What travels as `data` is never decoded here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from mqctl.protocols.bayeux.spec import Limits
from mqctl.protocols.bayeux.surrogates import mended
from mqctl.protocols.text import is_text

NO_DATA: Final = Raw()
"""What `Message.data` is where there is none; `null` is data."""

_LIMITS: Final = Limits()
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[{]}")))


class MessageError(Exception):
    """These bytes are no messages. `limit` is the field of `Limits` that they break, if it is that."""

    def __init__(self, message: str, *, limit: str | None = None) -> None:
        super().__init__(message)
        self.limit = limit


class Message(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A request, a reply or a delivery. What is `UNSET` is not there, and is not encoded.

    `data` is JSON as it came, over the bytes that it came in: copy what is to be kept.
    """

    id: str | int | float | UnsetType | None = UNSET
    channel: str | UnsetType = UNSET
    client_id: str | UnsetType | None = UNSET
    successful: bool | UnsetType = UNSET
    error: str | UnsetType = UNSET
    version: str | UnsetType | None = UNSET
    minimum_version: str | UnsetType | None = UNSET
    supported_connection_types: list[str] | UnsetType | None = UNSET
    connection_type: str | UnsetType | None = UNSET
    subscription: Any = UNSET
    advice: dict[str, Any] | UnsetType | None = UNSET
    data: Raw = NO_DATA
    ext: dict[str, Any] | UnsetType | None = UNSET
    timestamp: str | UnsetType | None = UNSET

    @property
    def has_data(self) -> bool:
        """Whether there is data, be it `null`."""
        return self.data is not NO_DATA

    @property
    def is_reply(self) -> bool:
        """Whether this answers a request: deliveries do not say whether they were successful."""
        return self.successful is not UNSET


_MANY: Final = msgspec.json.Decoder(list[Message])
_ONE: Final = msgspec.json.Decoder(Message)
_ENCODER: Final = msgspec.json.Encoder()


def decode(body: bytes, limits: Limits = _LIMITS) -> list[Message]:
    """Read an array of messages, or one alone, which Bayeux 1.0 lets receivers take too.

    Half a character in a text, which JavaScript may send, becomes U+FFFD; at CometD's server a question mark.

    Raises:
        MessageError: It is not JSON, not messages, or more than the limits allow.
    """
    if len(body) > limits.body_bytes:
        raise MessageError(f"more than {limits.body_bytes} bytes", limit="body_bytes")
    if not is_text(body):
        raise MessageError("not UTF-8")
    if too_deep(body, limits.depth):
        raise MessageError(f"more than {limits.depth} arrays and objects within each other", limit="depth")
    try:
        messages = [_ONE.decode(body)] if body.lstrip()[:1] == b"{" else _MANY.decode(body)
    except msgspec.DecodeError as error:
        whole = mended(body)
        if whole is not body:
            return decode(whole, limits)
        raise MessageError(f"not Bayeux messages in JSON: {error}") from error
    if len(messages) > limits.messages:
        raise MessageError(f"more than {limits.messages} messages", limit="messages")
    return messages


def encode(messages: Message | Sequence[Message]) -> bytes:
    """One message as an object, or several as an array."""
    return _ENCODER.encode(messages)


def batch(pieces: Iterable[bytes]) -> bytes:
    """An array of messages that are encoded already."""
    return b"[%b]" % b",".join(pieces)


def too_deep(body: bytes, depth: int) -> bool:
    """Whether more arrays and objects are within each other, in what may be JSON.

    Brackets are counted, those in strings only if it comes to that: most bodies have fewer than are allowed.
    """
    if body.count(b"[") + body.count(b"{") <= depth:
        return False
    steps = _STRING.sub(b"", body).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > depth
