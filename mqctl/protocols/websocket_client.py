"""WebSocket's frames from the client's side (RFC 6455): messages into frames, and a server's bytes into what it says.

Own code, because websocket-client takes ten times as long for a frame that comes, and three times for one that goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from mqctl.protocols.text import is_text
from mqctl.protocols.websocket import CONTROL_BYTES, CloseCode, Opcode, masked

FRAME_BYTES: Final = 64 * 1024 - 1
"""Most payload of one frame that we send. Artemis closes the connection at 64 KiB, but joins smaller ones."""

_FIN, _RESERVED, _OPCODE, _MASKED = 0x80, 0x70, 0x0F, 0x80
_TWO_BYTES, _EIGHT_BYTES = 126, 127
_WHOLE: Final = (_FIN | Opcode.TEXT, _FIN | Opcode.BINARY)
_KNOWN: Final = frozenset(Opcode)
_CONTROL: Final = frozenset({Opcode.CLOSE, Opcode.PING, Opcode.PONG})

_CLOSE_WORDS: Final = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "kind of data not accepted",
    1007: "text that is not UTF-8",
    1008: "against the server's policy",
    1009: "message too big",
    1011: "error in the server",
    1012: "the server restarts",
    1013: "try again later",
}
"""RFC 6455, 7.4.1, and what IANA added."""


class Control(NamedTuple):
    """A close, ping or pong frame."""

    opcode: Opcode
    payload: bytes


class Received(NamedTuple):
    """What some bytes held: the payload of messages, one after the other, and the control frames between them.

    `fault` says how the server broke the protocol after that; nothing more can be read then.
    """

    payload: bytes
    controls: list[Control]
    fault: str = ""


class Reader:
    """Turns what a server sends, however it is cut, into what it says. Of messages, nothing is kept.

    Where one message ends is told only by `end`, because STOMP and MQTT find their own ends (MQTT 3.1.1, 6.0). Nor is
    text checked to be UTF-8: RabbitMQ sends any payload as text.

    Args:
        end: Put behind the payload of each message.
    """

    def __init__(self, end: bytes = b"") -> None:
        self._end = end
        self._held = b""
        # Payload to come of the frame that has begun; whether a message has begun that this frame does not end.
        self._missing = 0
        self._unfinished = False
        self._fault = ""
        self._closed = False

    def feed(self, data: bytes) -> Received:
        """Take what was received. Nothing counts after a close frame (RFC 6455, 5.5.1) or a fault."""
        buffer = self._held + data if self._held else data
        parts: list[bytes] = []
        controls: list[Control] = []
        at = self._rest(buffer, 0, parts)
        while not (self._missing or self._closed or self._fault):
            if not self._unfinished:
                at = _whole_messages(buffer, at, parts, self._end)
            after = self._frame(buffer, at, parts, controls)
            if after is None:
                break
            at = after
        self._held = buffer[at:]
        return Received(b"".join(parts), controls, self._fault)

    def _rest(self, buffer: bytes, at: int, parts: list[bytes]) -> int:
        """Payload of the frame that has begun."""
        if self._missing:
            part = buffer[at : at + self._missing]
            parts.append(part)
            self._missing -= len(part)
            at += len(part)
            self._ended(parts)
        return at

    def _ended(self, parts: list[bytes]) -> None:
        if self._end and not (self._missing or self._unfinished):
            parts.append(self._end)

    def _frame(self, buffer: bytes, at: int, parts: list[bytes], controls: list[Control]) -> int | None:
        """Take the frame that begins there, or what came of it; None if its head, or a control frame, is not whole."""
        if len(buffer) < at + 2:
            return None
        first, second = buffer[at], buffer[at + 1]
        self._fault = _wrong(first, second) or self._out_of_turn(first)
        if self._fault:
            return None
        size, start = second, at + 2
        if size >= _TWO_BYTES:
            start += 2 if size == _TWO_BYTES else 8
            size = int.from_bytes(buffer[at + 2 : start])
        if size >> 63:
            self._fault = "a length of more than 63 bits"  # RFC 6455, 5.2
        if self._fault or len(buffer) < start:
            return None
        opcode = Opcode(first & _OPCODE)
        if opcode not in _CONTROL:
            self._unfinished = not first & _FIN
            self._missing = size
            if not size:
                self._ended(parts)
            return self._rest(buffer, start, parts)
        if len(buffer) < start + size:
            return None
        controls.append(Control(opcode, buffer[start : start + size]))
        self._closed = opcode is Opcode.CLOSE
        return start + size

    def _out_of_turn(self, first: int) -> str:
        opcode = first & _OPCODE
        if opcode == Opcode.CONTINUATION and not self._unfinished:
            return "a message is continued that never began"  # RFC 6455, 5.4
        if opcode in (Opcode.TEXT, Opcode.BINARY) and self._unfinished:
            return "a message began before the last one ended"
        return ""


def _whole_messages(buffer: bytes, at: int, parts: list[bytes], mark: bytes) -> int:
    """Take the messages that are one whole frame each, up to 64 KiB: nearly all are."""
    end = len(buffer)
    while at + 4 <= end and buffer[at] in _WHOLE:
        size, start = buffer[at + 1], at + 2
        if size == _TWO_BYTES:
            size, start = buffer[at + 2] << 8 | buffer[at + 3], at + 4
        elif size > _TWO_BYTES:
            break
        if start + size > end:
            break
        at = start + size
        parts.append(buffer[start:at])
        if mark:
            parts.append(mark)
    return at


def _wrong(first: int, second: int) -> str:
    """What is wrong with the first two bytes of a frame from a server (RFC 6455, 5.1, 5.2 and 5.5)."""
    opcode = first & _OPCODE
    if first & _RESERVED:
        return "a reserved bit is set, and no extension was agreed"
    if second & _MASKED:
        return "a frame with a mask"
    if opcode not in _KNOWN:
        return f"no such kind of frame: {opcode}"
    if opcode in _CONTROL and (not first & _FIN or second > CONTROL_BYTES):
        return "a control frame in pieces, or longer than 125 bytes"
    return ""


def message(payload: bytes, new_mask: Callable[[], bytes], *, text: bool) -> bytes:
    """A message as a client sends it, in as many frames as it needs.

    Args:
        payload: The whole of it.
        new_mask: Gives four bytes that nobody can guess, for each frame (RFC 6455, 10.3).
        text: Whether to send it as text if it is UTF-8; what is not goes as binary in any case.
    """
    opcode = Opcode.TEXT if text and is_text(payload) else Opcode.BINARY
    if len(payload) <= FRAME_BYTES:
        return frame(opcode, payload, new_mask())
    frames = []
    for at in range(0, len(payload), FRAME_BYTES):
        last = at + FRAME_BYTES >= len(payload)
        frames.append(frame(opcode, payload[at : at + FRAME_BYTES], new_mask(), final=last))
        opcode = Opcode.CONTINUATION
    return b"".join(frames)


def frame(opcode: Opcode, payload: bytes, mask: bytes, *, final: bool = True) -> bytes:
    """One frame as a client sends it: with a mask of four bytes (RFC 6455, 5.3)."""
    first, size = opcode | _FIN if final else opcode, len(payload)
    if size <= CONTROL_BYTES:
        head = bytes((first, _MASKED | size))
    else:
        head = bytes((first, _MASKED | _TWO_BYTES)) + size.to_bytes(2)
    return head + mask + masked(payload, mask)


def close(code: CloseCode, mask: bytes) -> bytes:
    """The last frame."""
    return frame(Opcode.CLOSE, code.to_bytes(2), mask)


def farewell(payload: bytes) -> str:
    """What a server's close frame says, for people."""
    if len(payload) < 2:
        return "WebSocket closed without a reason"
    # In one line, so that it cannot look like the next one of ours.
    code, reason = int.from_bytes(payload[:2]), " ".join(payload[2:].decode(errors="backslashreplace").split())
    words = _CLOSE_WORDS.get(code)
    known = f" ({words})" if words else ""
    return f"WebSocket closed with {code}{known}" + (f": {reason}" if reason else "")
