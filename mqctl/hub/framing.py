"""How STOMP's bytes travel in those of a connection: as they are over TCP, in messages over WebSocket."""

from __future__ import annotations

from typing import NamedTuple, Protocol, assert_never

from mqctl.protocols.websocket import (
    CloseCode,
    Opcode,
    Part,
    Receiver,
    WebSocketError,
    close,
    encode,
    is_close_code,
    message,
)


class Ended(NamedTuple):
    """Why nothing more is read from a client."""

    reason: str
    fault: bool
    """Whether the client did something wrong, or only said good-bye."""


class Framing(Protocol):
    """One connection's."""

    via: str
    """What is told of it, after the name of the protocol."""
    tag: bytes
    """Equal where equal frames are equal bytes on the wire."""
    ended: Ended | None
    """Set when what was last unwrapped is the last there is."""

    def wrap(self, frame: bytes) -> bytes:
        """A STOMP frame, or a heart-beat, as it is sent."""
        ...

    def unwrap(self, data: bytes) -> bytes:
        """What a read holds of STOMP; never raises, but sets `ended`."""
        ...

    def take_replies(self) -> bytes:
        """What the transport itself has to answer."""
        ...

    def farewell(self, reason: str | None, *, refused: bool) -> bytes:
        """The last that is sent; `reason` None when the hub ends."""
        ...


class Plain:
    """STOMP alone, as over TCP."""

    via = ""
    tag = b""

    def __init__(self) -> None:
        self.ended: Ended | None = None

    def wrap(self, frame: bytes) -> bytes:
        """The same."""
        return frame

    def unwrap(self, data: bytes) -> bytes:
        """The same."""
        return data

    def take_replies(self) -> bytes:
        """Nothing."""
        return b""

    def farewell(self, reason: str | None, *, refused: bool) -> bytes:  # noqa: ARG002 - an ERROR has said it
        """Nothing."""
        return b""


class WebSocket:
    """A STOMP frame in each message to the client; from the client, however its messages cut them.

    Args:
        message_bytes: The largest message taken.
    """

    via = " over WebSocket"
    tag = b"ws "

    def __init__(self, message_bytes: int) -> None:
        self.ended: Ended | None = None
        self._receiver = Receiver(message_bytes)
        self._replies: list[bytes] = []
        self._code: int | None = None

    def wrap(self, frame: bytes) -> bytes:
        """A message of its own."""
        return message(frame)

    def unwrap(self, data: bytes) -> bytes:
        """The payload of the messages, and of pieces of them."""
        if self.ended:
            return b""
        failure: WebSocketError | None = None
        try:
            parts = self._receiver.receive(data)
        except WebSocketError as error:
            parts, failure = error.parts, error
        payload = b"".join([part.payload for part in parts if self._is_payload(part)])
        if failure is not None and not self.ended:
            self._end(failure.code, str(failure), fault=True)
        return payload

    def take_replies(self) -> bytes:
        """Pongs."""
        replies = b"".join(self._replies)
        self._replies.clear()
        return replies

    def farewell(self, reason: str | None, *, refused: bool) -> bytes:
        """A close frame: the client's code where it closes (RFC 6455, 5.5.1), and why where we do."""
        if self.ended and not self.ended.fault:
            return close(self._code or CloseCode.NORMAL)
        code = CloseCode.POLICY if refused else CloseCode.NORMAL if reason else CloseCode.GOING_AWAY
        return close(self._code or code, reason or "the hub was stopped")

    def _is_payload(self, part: Part) -> bool:
        """Whether a part is STOMP's; what is the transport's is obeyed."""
        if self.ended:
            return False
        match part.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONTINUATION:
                return True
            case Opcode.PING:
                self._replies.append(encode(Opcode.PONG, part.payload))
            case Opcode.CLOSE:
                self._hang_up(part.payload)
            case Opcode.PONG:
                pass
            case _:
                assert_never(part.opcode)
        return False

    def _hang_up(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2])
        if payload and not is_close_code(code):
            self._end(CloseCode.PROTOCOL_ERROR, "closed with a code that does not exist", fault=True)
        else:
            self._end(code or None, "the client hung up", fault=False)

    def _end(self, code: int | None, reason: str, *, fault: bool) -> None:
        self.ended, self._code = Ended(reason, fault), code
