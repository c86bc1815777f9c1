"""WebSocket's frames from the server's side (RFC 6455): bytes in, payload and control frames out, and back. No IO."""

from __future__ import annotations

import base64
import codecs
import enum
import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from mqctl.protocols.text import is_text

VERSION: Final = "13"
"""The only one there is (RFC 6455, 4.1)."""

CONTROL_BYTES: Final = 125
"""Payload of a control frame (RFC 6455, 5.5)."""

_KEY_BYTES: Final = 16
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FIN, _RESERVED, _OPCODE = 0x80, 0x70, 0x0F
_MASKED, _LENGTH = 0x80, 0x7F
_MASK_BYTES: Final = 4
_EXTENDED: Final = {126: 2, 127: 8}
"""Bytes of the length where the first byte of it says so (RFC 6455, 5.2)."""
_SHORTEST: Final = {0: 0, 2: 126, 8: 65_536}
"""The least that needs so many bytes of length."""


class Opcode(enum.IntEnum):
    """What a frame is."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_CONTROL: Final = (Opcode.CLOSE, Opcode.PING, Opcode.PONG)


class CloseCode(enum.IntEnum):
    """Why a connection is closed (RFC 6455, 7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_TEXT = 1007
    POLICY = 1008
    TOO_BIG = 1009


_CLOSE_CODES: Final = {*range(1000, 1004), *range(1007, 1015)}
"""What may be said of those below 3000; 1004 to 1006 and 1015 never travel."""


class WebSocketError(Exception):
    """The client broke the protocol or a limit. `parts` is what came before that."""

    def __init__(self, code: CloseCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.parts: list[Part] = []


class Part(NamedTuple):
    """A piece of a message, as much as came of it, or a whole control frame."""

    opcode: Opcode
    payload: bytes


class Receiver:
    """Turns what a client sends, however it is cut, into parts. Messages are not put together: nothing is kept of them.

    Args:
        message_bytes: Payload of a message, over all its frames.
    """

    def __init__(self, message_bytes: int) -> None:
        self.message_bytes = message_bytes
        self._held = b""
        # The message that has begun: its kind, what came of it, and the frame of it whose payload is coming.
        self._message: Opcode | None = None
        self._size = self._missing = 0
        self._last = False
        self._mask = b""
        self._text = codecs.getincrementaldecoder("utf-8")()

    def receive(self, data: bytes) -> list[Part]:
        """Take what was received and return the parts that it holds.

        Raises:
            WebSocketError: After it, nothing more can be read.
        """
        parts: list[Part] = []
        try:
            parts.extend(part for part in self.parts(data) if part.payload or part.opcode in _CONTROL)
        except WebSocketError as error:
            error.parts = parts
            raise
        return parts

    @property
    def between_messages(self) -> bool:
        """Whether what `parts` gave last was the end of a message."""
        return self._message is None

    def parts(self, data: bytes) -> Iterator[Part]:
        """The same one by one, and the ends of messages where nothing else comes with them."""
        buffer = self._held + data if self._held else data
        at, size = 0, len(buffer)
        while at < size:
            if not self._missing:
                if self._message is None and (plain := _plain(buffer, at, self.message_bytes)) is not None:
                    at, part = plain
                    yield part
                    continue
                head = _head(buffer, at)
                if head is None or (head.opcode in _CONTROL and head.end + head.size > size):
                    break
                at = head.end
                if head.opcode in _CONTROL:
                    yield Part(head.opcode, masked(buffer[at : at + head.size], head.mask))
                    at += head.size
                    continue
                self._begin(head)
            piece = buffer[at : at + self._missing]
            at += len(piece)
            part = self._take(piece)
            if part.payload or self._message is None:
                yield part
        self._held = buffer[at:]

    def _begin(self, head: _Head) -> None:
        """A frame of a message begins."""
        first = head.opcode is not Opcode.CONTINUATION
        if first is (self._message is not None):
            says = "a message began before the last one ended" if first else "a message is continued that never began"
            raise WebSocketError(CloseCode.PROTOCOL_ERROR, says)  # RFC 6455, 5.4
        if first:
            self._message, self._size = head.opcode, 0
        self._size += head.size
        if self._size > self.message_bytes:
            raise WebSocketError(
                CloseCode.TOO_BIG, f"WebSocket message larger than {self.message_bytes} bytes (limit: frame)"
            )
        self._missing, self._mask, self._last = head.size, head.mask, head.final

    def _take(self, piece: bytes) -> Part:
        """A piece of the frame that has begun."""
        assert self._message is not None
        payload = masked(piece, self._mask)
        self._missing -= len(piece)
        turn = len(piece) % _MASK_BYTES
        self._mask = self._mask[turn:] + self._mask[:turn]
        ended = self._last and not self._missing
        if self._message is Opcode.TEXT:
            self._check(payload, ended=ended)
        part = Part(self._message, payload)
        if ended:
            self._message = None
        return part

    def _check(self, text: bytes, *, ended: bool) -> None:
        """Text is UTF-8 (RFC 6455, 8.1), though a character may be cut in two."""
        if text.isascii() and not self._text.getstate()[0]:
            return
        try:
            self._text.decode(text, final=ended)
        except UnicodeDecodeError:
            raise WebSocketError(CloseCode.INVALID_TEXT, "a text message that is not UTF-8") from None


class MessageReceiver:
    """Turns what a client sends into whole messages and control frames.

    `message_bytes` may be raised while it works, for a client that is known by then.
    """

    def __init__(self, message_bytes: int) -> None:
        self._receiver = Receiver(message_bytes)
        self._pieces: list[bytes] = []

    def allow(self, message_bytes: int) -> None:
        """Take messages of that size from now on."""
        self._receiver.message_bytes = message_bytes

    def receive(self, data: bytes) -> list[Part]:
        """Take what was received and return what is whole by now.

        Raises:
            WebSocketError: After it, nothing more can be read.
        """
        whole: list[Part] = []
        try:
            for part in self._receiver.parts(data):
                if part.opcode in _CONTROL:
                    whole.append(part)
                    continue
                self._pieces.append(part.payload)
                if self._receiver.between_messages:
                    whole.append(Part(part.opcode, b"".join(self._pieces)))
                    self._pieces = []
        except WebSocketError as error:
            error.parts = whole
            raise
        return whole


def _plain(buffer: bytes, at: int, message_bytes: int) -> tuple[int, Part] | None:
    """The hot path of `Receiver`: a short message in one frame that is all there, and where it ends; or None."""
    body = at + 2 + _MASK_BYTES
    if len(buffer) <= body or (opcode := _WHOLE.get(buffer[at])) is None:
        return None
    size = buffer[at + 1] - _MASKED
    if size > CONTROL_BYTES:
        if size == 127:
            return None
        size = buffer[at + 2] << 8 | buffer[at + 3]
        body += 2
        if size <= CONTROL_BYTES:
            return None
    end = body + size
    if not 0 < size <= message_bytes or end > len(buffer):
        return None
    mask = buffer[body - _MASK_BYTES : body] * (size + 3 >> 2)
    payload = (int.from_bytes(buffer[body:end]) ^ int.from_bytes(mask[:size])).to_bytes(size)
    if opcode is Opcode.TEXT and not payload.isascii():
        return None
    return end, Part(opcode, payload)


class _Head(NamedTuple):
    opcode: Opcode
    final: bool
    mask: bytes
    size: int
    end: int


def _head(buffer: bytes, at: int) -> _Head | None:
    """The head of the frame that begins there; None if it is not whole."""
    if len(buffer) < at + 2:
        return None
    first, second = buffer[at], buffer[at + 1]
    _check_head(first, second)
    size, more = second & _LENGTH, _EXTENDED.get(second & _LENGTH, 0)
    mask_at = at + 2 + more
    end = mask_at + _MASK_BYTES
    if len(buffer) < end:
        return None
    if more:
        size = int.from_bytes(buffer[at + 2 : mask_at])
        if size < _SHORTEST[more] or size >> 63:
            raise WebSocketError(CloseCode.PROTOCOL_ERROR, "a length that is not written as short as it can be")
    return _Head(_OPCODES[first & _OPCODE], first >= _FIN, buffer[mask_at:end], size, end)


def _check_head(first: int, second: int) -> None:
    """Refuse what is wrong with the first two bytes of a frame (RFC 6455, 5.1, 5.2 and 5.5)."""
    if first & _RESERVED:
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed")
    if not second & _MASKED:
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, "a frame without a mask")
    opcode = first & _OPCODE
    if opcode not in _OPCODES:
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, f"no such kind of frame: {opcode}")
    if _OPCODES[opcode] in _CONTROL and (not first & _FIN or second & _LENGTH > CONTROL_BYTES):
        raise WebSocketError(CloseCode.PROTOCOL_ERROR, "a control frame in pieces, or longer than 125 bytes")


_OPCODES: Final = {int(opcode): opcode for opcode in Opcode}
_WHOLE: Final = {_FIN | opcode: opcode for opcode in (Opcode.TEXT, Opcode.BINARY)}
"""The first byte of a message that is one frame."""


def masked(data: bytes, mask: bytes) -> bytes:
    """The data with the mask put on, or taken off (RFC 6455, 5.3), as one number: a byte at a time is slow."""
    size = len(data)
    mask *= -(-size // _MASK_BYTES)
    return (int.from_bytes(data) ^ int.from_bytes(mask[:size])).to_bytes(size)


def encode(opcode: Opcode, payload: bytes) -> bytes:
    """One frame as a server sends it: whole, and without a mask."""
    first, size = _FIN | opcode, len(payload)
    if size <= CONTROL_BYTES:
        return bytes((first, size)) + payload
    if size < _SHORTEST[8]:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


def message(payload: bytes) -> bytes:
    """A message in one frame: text if it is that, because some clients read nothing else, and else binary."""
    return encode(Opcode.TEXT if is_text(payload) else Opcode.BINARY, payload)


def close(code: int, reason: str = "") -> bytes:
    """The last frame, with as much of the reason as fits."""
    text = reason.encode(errors="replace")[: CONTROL_BYTES - 2]
    return encode(Opcode.CLOSE, code.to_bytes(2) + text.decode(errors="ignore").encode())


def is_close_code(code: int) -> bool:
    """Whether a close frame may say so: those of the protocol, registered ones, private ones (RFC 6455, 7.4)."""
    return code in _CLOSE_CODES or 3000 <= code < 5000


def accept_key(key: str) -> str | None:
    """The answer to `Sec-WebSocket-Key` (RFC 6455, 4.2.2); None where that is not 16 bytes in base64."""
    try:
        if len(base64.b64decode(key, validate=True)) != _KEY_BYTES:
            return None
    except ValueError:
        return None
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
