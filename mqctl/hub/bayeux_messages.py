"""The hub's messages as Bayeux carries them, and back. Payloads that are JSON travel as they are, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

from msgspec import UNSET, Raw

from mqctl import topics
from mqctl.broker.values import Address, AddressKind, Message
from mqctl.protocols.bayeux import channel as channels
from mqctl.protocols.bayeux.extensions import BINARY_EXT, binary, timestamp
from mqctl.protocols.bayeux.message import Message as BayeuxMessage
from mqctl.protocols.bayeux.message import batch, encode
from mqctl.protocols.bayeux.payload import data_of, payload_of
from mqctl.protocols.bayeux.spec import Ext
from mqctl.protocols.stomp.spec import NOT_FORWARDED, Header

FRAME_BYTES: Final = 64 * 1024
"""Of messages pushed as one array; clients have limits of their own, and one message always fits."""

END: Final = b"}"
"""Of a piece, unless it says more."""
_PIECE: Final = "bayeux"
"""Under which a message keeps its encoding; empty where no client of Bayeux may have it."""
_DOT, _SLASH = ("%2E", "%2F")
"""What stands for a dot of a channel in the hub's names, and for a slash of these in channels."""
_UNSAID: Final = frozenset({Header.CONTENT_TYPE, Header.PERSISTENT, Header.EXPIRES, "priority"})
"""Headers that are not for the reader: what type it is, the data says."""
_UNSHARED: Final = frozenset({Ext.ACK, Ext.TIMESYNC, Ext.AUTHENTICATION})
"""Of the `ext` of a published message, what is between its sender and the hub."""
_JSON: Final = (Header.CONTENT_TYPE, "application/json")


@lru_cache(maxsize=4096)
def address_of(channel: str) -> Address:
    """Where in the hub a channel or pattern leads."""
    levels = channel.replace(".", _DOT).split("/")[1:]
    if levels[-1] == channels.SUBTREE and len(levels) > 1:
        # There it is one segment or more, here any number of levels.
        levels[-1:] = [topics.ONE_LEVEL, topics.SUBTREE]
    return Address(AddressKind.TOPIC, ".".join(levels))


@lru_cache(maxsize=4096)
def channel_of(address: Address) -> str | None:
    """The channel of a topic; None where clients would take its messages for answers to their requests."""
    channel = "/" + address.name.replace("/", _SLASH).replace(".", "/").replace(_DOT, ".")
    return channel if channels.kind_of(channel) is channels.Kind.BROADCAST else None


def piece(message: Message) -> bytes:
    """A message as an element of an array, encoded once; empty where it is none of Bayeux's."""
    found = message.wire.get(_PIECE)
    if found is None:
        channel = channel_of(message.address)
        found = message.wire[_PIECE] = encode(_delivery(channel, message)) if channel is not None else b""
    return cast("bytes", found)


def stamp(epoch_ms: int) -> bytes:
    """The end of a piece, if it is to say when it left (CometD's timestamp extension)."""
    return b',"timestamp":"%b"}' % timestamp(epoch_ms).encode()


def pieces_of(messages: Sequence[Message], end: bytes = END) -> Iterator[bytes]:
    """Messages as elements of an array, each with that end."""
    found = filter(None, map(piece, messages))
    return found if end is END else (each[: -len(END)] + end for each in found)


def frames(messages: Sequence[Message], end: bytes = END) -> list[bytes]:
    """Messages as arrays, none of which is much larger than need be."""
    arrays: list[bytes] = []
    pieces: list[bytes] = []
    size = 0
    for each in pieces_of(messages, end):
        if pieces and size + len(each) > FRAME_BYTES:
            arrays.append(batch(pieces))
            pieces, size = [], 0
        pieces.append(each)
        size += len(each)
    return [*arrays, batch(pieces)] if pieces else arrays


def _delivery(channel: str, message: Message) -> BayeuxMessage:
    data = data_of(message.payload)
    delivery = BayeuxMessage(channel=channel, data=data if data is not None else binary(message.payload))
    ext: dict[str, Any] = dict(BINARY_EXT) if data is None else {}
    if headers := {name: value for name, value in message.headers if name not in _UNSAID}:
        ext[Ext.HEADERS] = headers
    if ext:
        delivery.ext = ext
    return delivery


def published(message: BayeuxMessage, message_id: str) -> Message:
    """A message that a client of Bayeux publishes."""
    channel = cast("str", message.channel)
    data = bytes(message.data)
    payload = payload_of(message)
    headers = _headers(message)
    if payload == data and Header.CONTENT_TYPE not in headers:
        headers = dict([_JSON], **headers)
    made = Message(id=message_id, address=address_of(channel), payload=payload, headers=tuple(headers.items()))
    made.wire[_PIECE] = _as_it_came(channel, data, message)
    return made


def encoded(channel: str, wire: bytes, message_id: str) -> Message:
    """A message for clients of Bayeux alone, from what they are to be sent."""
    made = Message(id=message_id, address=address_of(channel), payload=wire)
    made.wire[_PIECE] = wire
    return made


def _as_it_came(channel: str, data: bytes, message: BayeuxMessage) -> bytes:
    """What other clients of Bayeux are sent: neither who sent it, nor what identifies that client."""
    if not message.ext and not message.timestamp:
        return b'{"channel":"%b","data":%b}' % (channel.encode(), data)
    ext = {name: value for name, value in (message.ext or {}).items() if name not in _UNSHARED}
    shared = BayeuxMessage(channel=channel, data=Raw(data), timestamp=message.timestamp or UNSET)
    if ext:
        shared.ext = ext
    return encode(shared)


def _headers(message: BayeuxMessage) -> dict[str, str]:
    said = message.ext.get(Ext.HEADERS) if message.ext else None
    if not isinstance(said, Mapping):
        return {}
    return {
        name: value for name, value in said.items() if name and name not in NOT_FORWARDED and isinstance(value, str)
    }
