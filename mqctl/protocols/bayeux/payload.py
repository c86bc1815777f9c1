"""Payloads as the `data` of messages, and back. What is JSON travels as JSON, other text as a string, bytes in Z85.

The two directions undo each other exactly. A string is ambiguous: `"45"` may be the text 45, or a payload that is a
JSON string. So what is inside all the quotes decides: round JSON the quotes belong to the payload, round other text one
pair is ours.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from mqctl.protocols.bayeux.extensions import read_binary
from mqctl.protocols.bayeux.message import Message, too_deep
from mqctl.protocols.bayeux.spec import Limits

DEPTH_MAX: Final = Limits().depth - 2
"""Of data that goes as JSON, in an object in an array; what is deeper goes as a string, so that servers take it."""

_RAW: Final = msgspec.json.Decoder(Raw)
_STRING: Final = msgspec.json.Decoder(str)


def data_of(payload: bytes) -> Raw | None:
    """A payload as JSON; None if it is no text, and has to go in binary."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    return Raw(payload) if _means_json(payload) else Raw(msgspec.json.encode(text))


def payload_of(message: Message) -> bytes:
    """The payload that the data of a message stands for."""
    carried = read_binary(message)
    if carried is not None:
        return carried
    data = bytes(message.data)
    text = _inside(data)
    return data if text is None or _means_json(text) else text


def _means_json(payload: bytes) -> bool:
    """Whether it is JSON, and if that is a string whether there is JSON in it."""
    inside = _inside(payload)
    while inside is not None:
        payload, inside = inside, _inside(inside)
    return _is_json(payload)


def _inside(payload: bytes) -> bytes | None:
    """The text of a JSON string; None if it is none."""
    if not payload.startswith(b'"') or not payload.endswith(b'"'):
        return None
    try:
        return _STRING.decode(payload).encode()
    except msgspec.DecodeError:
        return None


def _is_json(payload: bytes) -> bool:
    """Whether it is, without white space around it, which readers drop. The reader would not survive any depth."""
    try:
        return not too_deep(payload, DEPTH_MAX) and len(_RAW.decode(payload)) == len(payload)
    except msgspec.DecodeError:
        return False
