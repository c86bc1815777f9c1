"""The properties of an MQTT 5 PUBLISH as bytes, and as the headers that mqctl shows (MQTT 5, 2.2.2 and 3.3.2.3).

paho-mqtt has such a codec, which takes ten times as long for a message as all the rest of reading it, and refuses
texts with U+FEFF, which are allowed (MQTT 5, 1.5.4).
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
import struct
from collections.abc import Iterator
from typing import Final

from mqctl.errors import ProtocolError, UsageError
from mqctl.model import Outgoing

CONTENT_TYPE: Final = "content-type"
REPLY_TO: Final = "reply-to"
EXPIRY: Final = "message-expiry"
CORRELATION: Final = "correlation-data"
CORRELATION_BASE64: Final = "correlation-data-b64"
"""Headers that stand for properties. Correlation data that is no text goes by the last."""

STRING_MAX: Final = 65_535
SECONDS_MAX: Final = 0xFFFF_FFFF


class Property(enum.IntEnum):
    """Identifiers (MQTT 5, 2.2.2.2)."""

    PAYLOAD_FORMAT = 1
    MESSAGE_EXPIRY = 2
    CONTENT_TYPE = 3
    RESPONSE_TOPIC = 8
    CORRELATION_DATA = 9
    SUBSCRIPTION_IDENTIFIER = 11
    TOPIC_ALIAS = 35
    USER_PROPERTY = 38


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""What a text must not (NUL) or should not contain (MQTT 5, 1.5.4). Mosquitto hangs up on all of them."""

_WIDTHS: Final = {Property.PAYLOAD_FORMAT: 1, Property.MESSAGE_EXPIRY: 4}
_TEXTS: Final = {Property.CONTENT_TYPE: CONTENT_TYPE, Property.RESPONSE_TOPIC: REPLY_TO}
_IDENTIFIERS: Final = {header: identifier for identifier, header in _TEXTS.items()}


def encode(message: Outgoing) -> bytes:
    """The properties of a message, with their length in front.

    Raises:
        UsageError: A header that no property can carry.
    """
    packed = b"".join(_encoded(message))
    return varint(len(packed)) + packed


def _encoded(message: Outgoing) -> Iterator[bytes]:
    expires_s = None if message.expires_ms is None else str(-(-message.expires_ms // 1000))
    fields = {CONTENT_TYPE: message.content_type, REPLY_TO: message.reply_to, EXPIRY: expires_s}
    headers = {**message.headers, **{name: value for name, value in fields.items() if value is not None}}
    expiry = headers.pop(EXPIRY, None)
    if message.as_text:
        yield bytes((Property.PAYLOAD_FORMAT, 1))
    if expiry is not None:
        yield bytes((Property.MESSAGE_EXPIRY,)) + struct.pack("!L", _seconds(expiry))
    for name, value in headers.items():
        yield _header(name, value)


def _header(name: str, value: str) -> bytes:
    if name in _IDENTIFIERS:
        return bytes((_IDENTIFIERS[name],)) + string(name, value)
    if name == CORRELATION:
        return bytes((Property.CORRELATION_DATA,)) + string(name, value)
    if name == CORRELATION_BASE64:
        return bytes((Property.CORRELATION_DATA,)) + sized(name, _unbase64(value))
    return bytes((Property.USER_PROPERTY,)) + string("a header's name", name) + string(name, value)


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= SECONDS_MAX):
        raise UsageError(f"{EXPIRY} is a number of seconds, at most {SECONDS_MAX}, not {text!r}")
    return int(text)


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise UsageError(f"{CORRELATION_BASE64} is not base64: {error}") from None


def string(name: str, text: str) -> bytes:
    """UTF-8 with its length in front. Control characters, which a receiver may take as an attack, are not sent.

    Raises:
        UsageError: It is no such text; `name` says what it is.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{name} is not valid Unicode: {error.reason}") from None
    if _CONTROL.search(text):
        raise UsageError(f"MQTT carries no control characters in {name}: {text!r}")
    return sized(name, encoded)


def sized(name: str, data: bytes) -> bytes:
    """Bytes with their length in front.

    Raises:
        UsageError: They are too many; `name` says what they are.
    """
    if len(data) > STRING_MAX:
        raise UsageError(f"MQTT carries at most {STRING_MAX:,} bytes in {name}, and this is {len(data):,}")
    return len(data).to_bytes(2, "big") + data


def varint(number: int) -> bytes:
    """A Variable Byte Integer (MQTT 5, 1.5.5)."""
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A Variable Byte Integer, and where it ends.

    Raises:
        ProtocolError: It does not end after four bytes.
        IndexError: The data ends first.
    """
    number = 0
    for shift in (0, 7, 14, 21):
        digit = data[at]
        at += 1
        number |= (digit & 0x7F) << shift
        if digit < 0x80:
            return number, at
    raise ProtocolError("a length has more than four digits")


def decode(data: bytes, at: int) -> tuple[dict[str, str], int]:
    """The headers in the properties that begin at `at`, and where these end. Of two with one name the first counts.

    Raises:
        ProtocolError: These are no properties of a PUBLISH.
    """
    headers: dict[str, str] = {}
    try:
        length, at = read_varint(data, at)
        end = at + length
        while at < end:
            at = _read(data, at, headers)
    except (IndexError, ValueError) as error:
        raise ProtocolError(f"properties of a message cannot be read: {error}") from None
    if at != end or end > len(data):
        raise ProtocolError("properties of a message do not end where they say")
    return headers, at


def _read(data: bytes, at: int, headers: dict[str, str]) -> int:
    """Read one property; return where it ends."""
    identifier = data[at]
    at += 1
    if identifier == Property.USER_PROPERTY:
        name, at = _read_string(data, at)
        value, at = _read_string(data, at)
        headers.setdefault(name.decode(), value.decode())
    elif identifier in _TEXTS:
        value, at = _read_string(data, at)
        headers[_TEXTS[Property(identifier)]] = value.decode()
    elif identifier == Property.CORRELATION_DATA:
        value, at = _read_string(data, at)
        headers.update((_correlation(value),))
    elif identifier == Property.SUBSCRIPTION_IDENTIFIER:
        _, at = read_varint(data, at)
    elif identifier == Property.TOPIC_ALIAS:
        # Our CONNECT allows none, and its topic would be lost (MQTT 5, 3.3.2.3.4).
        raise ProtocolError("the broker sent a topic alias, which it was not allowed")
    else:
        at, width = at + _WIDTHS[Property(identifier)], _WIDTHS[Property(identifier)]
        if identifier == Property.MESSAGE_EXPIRY:
            headers[EXPIRY] = str(int.from_bytes(data[at - width : at], "big"))
    return at


def _read_string(data: bytes, at: int) -> tuple[bytes, int]:
    start = at + 2
    end = start + (data[at] << 8 | data[at + 1])
    return data[start:end], end


def _correlation(value: bytes) -> tuple[str, str]:
    try:
        return CORRELATION, value.decode()
    except UnicodeDecodeError:
        return CORRELATION_BASE64, base64.b64encode(value).decode()
