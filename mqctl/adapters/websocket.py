"""A stream over WebSocket: websocket-client agrees on it by HTTP, and what is read and written are messages."""

from __future__ import annotations

import contextlib
import os
import ssl
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

import websocket

from mqctl.adapters import tls
from mqctl.adapters.dialing import encrypted_scheme
from mqctl.adapters.stream import RulesError, Stream
from mqctl.adapters.wire import OK, Answer, Wire, answer, discreet, http_host
from mqctl.errors import ConnectError, MqctlError, ProtocolError, RefusedError, TlsError
from mqctl.protocols.websocket import CloseCode, Opcode
from mqctl.protocols.websocket_client import Control, Reader, close, farewell, frame, message
from mqctl.target import DEFAULT_PORTS, Endpoint, is_encrypted

USUAL_PATH: Final = "/ws"
"""Where a URL names none. RabbitMQ and mqctl's hub serve this one, ActiveMQ and Mosquitto any."""

_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
_STOMP_ANSWERS: Final = (b"ERROR", b"CONNECTED", b"RECEIPT")

_SWITCHING: Final = 101
_REDIRECTS: Final = range(300, 400)
_FAILED_BEHIND: Final = range(500, 600)
_HINTS: Final = {
    400: "the server may not serve WebSocket at this path",
    401: "whatever stands in front of the broker wants credentials of its own",
    403: "the broker, or what stands in front of it, lets only some addresses or origins in",
    404: f"name the path in the URL: RabbitMQ and mqctl's hub serve {USUAL_PATH}",
    426: "the server wants another version of WebSocket or of HTTP",
    502: "a gateway answers, but not the broker behind it",
    503: "a gateway answers, but not the broker behind it",
    504: "a gateway answers, but not the broker behind it",
}
_NO_WEB_SOCKET_HINT: Final = "is this the port of WebSocket?"


class Offer(NamedTuple):
    """What we ask a server for.

    `target` is the path and the query; `text` says whether what is UTF-8 goes as text, or all as binary; `end` is what
    to read at the end of each message; `headers` go with the request; `secrets` are not to be repeated.
    """

    scheme: str
    target: str
    subprotocols: tuple[str, ...]
    text: bool
    end: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    secrets: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """What may be told of the target."""
        return self.target.partition("?")[0]


def agreed(stream: Stream, endpoint: Endpoint, offer: Offer, deadline: float) -> Stream:
    """Agree on WebSocket over a connected stream (RFC 6455, 4.1). A failure closes the stream.

    Args:
        stream: Connected, and encrypted where it is to be.
        endpoint: Of the server.
        offer: What we ask it for.
        deadline: On the clock of time.monotonic.

    Raises:
        ConnectError: The server does not answer, or cannot serve now.
        TlsError: It hung up because of the certificate, or speaks TLS on what we took for a plain port.
        RefusedError: It does not let us in, or not at this path.
        ProtocolError: It does not speak HTTP, or not WebSocket.
    """
    wire = Wire(stream, deadline)
    try:
        headers = _shake_hands(wire, endpoint, offer)
    except BaseException:
        stream.abort()
        stream.close()
        raise
    stream.read_timeout(None)
    return _WebSocketStream(stream, wire.rest, offer, headers.get("server", ""))


def _shake_hands(wire: Wire, endpoint: Endpoint, offer: Offer) -> Mapping[str, str]:
    """The headers of the server's answer, their names in small letters."""
    client = websocket.WebSocket()
    # As a header of our own: given as `subprotocols`, a server that names none would be refused.
    offered = {"Sec-WebSocket-Protocol": ", ".join(offer.subprotocols)} if offer.subprotocols else {}
    host = http_host(str(endpoint))
    try:
        client.connect(  # type: ignore[no-untyped-call]  # half of websocket-client has types
            f"{'wss' if is_encrypted(offer.scheme) else 'ws'}://{host}{offer.target}",
            socket=wire,
            host=host.removesuffix(f":{DEFAULT_PORTS.get(offer.scheme)}"),
            header={**offered, **offer.headers},
            suppress_origin=True,
            redirect_limit=0,
        )
    except (websocket.WebSocketException, OSError, ValueError) as error:
        # What the library says holds all that the server said.
        raise _explained(wire, endpoint, offer, error) from None if offer.secrets else error
    headers: Mapping[str, str] = client.headers
    if unasked := _unasked(headers, offer):
        raise ProtocolError(
            f"{endpoint} chose the WebSocket {unasked}, which was not offered",
            hint="something else than the broker may answer at this path",
        )
    return headers


def _unasked(headers: Mapping[str, str], offer: Offer) -> str:
    """What the server agreed to though nobody asked, at which the connection is to be failed (RFC 6455, 4.1)."""
    chosen = headers.get("sec-websocket-protocol")
    if chosen is not None and chosen not in offer.subprotocols:
        return f"sub-protocol {chosen!r}"
    extensions = headers.get("sec-websocket-extensions")
    return f"extension {extensions!r}" if extensions else ""


def _explained(wire: Wire, endpoint: Endpoint, offer: Offer, error: Exception) -> MqctlError:
    """What a failed handshake means."""
    if not wire.received:
        return _no_answer(endpoint, offer.scheme, error)
    if wire.received.startswith(_TLS_RECORDS):
        return TlsError(
            f"{endpoint} speaks TLS, and this was a plain connection",
            hint=f"use the scheme {encrypted_scheme(offer.scheme)}",
        )
    wire.rewind()
    try:
        answered = answer(wire, "GET", offer.secrets)
    except (ValueError, OSError) as no_http:
        return _no_http(endpoint, offer.scheme, wire.received, no_http)
    return _refused(endpoint, offer.path, answered, error)


def _no_answer(endpoint: Endpoint, scheme: str, error: Exception) -> ConnectError:
    hint = _NO_WEB_SOCKET_HINT
    if not is_encrypted(scheme):
        hint += f" A port that speaks TLS may answer like that too: {encrypted_scheme(scheme)}"
    match error:
        case ssl.SSLError():
            return tls.handshake_error(endpoint, error)
        case websocket.WebSocketTimeoutException() | TimeoutError():
            return ConnectError(f"{endpoint} accepted the connection but did not answer in time", hint=hint)
        case _:
            return ConnectError(f"{endpoint} accepted the connection and hung up without an answer", hint=hint)


def _no_http(endpoint: Endpoint, scheme: str, received: bytes, error: Exception) -> ProtocolError:
    if received.startswith(_STOMP_ANSWERS):
        without = "stomp+ssl" if is_encrypted(scheme) else "stomp"
        return ProtocolError(f"{endpoint} speaks STOMP without WebSocket", hint=f"use the scheme {without}")
    return ProtocolError(f"{endpoint} does not speak HTTP, which WebSocket begins with: {error}")


def _refused(endpoint: Endpoint, path: str, answered: Answer, error: Exception) -> MqctlError:
    status, hint = answered.status, _HINTS.get(answered.status)
    if status == _SWITCHING:
        return ProtocolError(f"{endpoint} answered the WebSocket handshake wrongly: {error}")
    if status in _REDIRECTS:
        moved = answered.headers.get("location", "nowhere")
        return RefusedError(
            f"{endpoint} refused WebSocket at {path}: {answered.status} {answered.reason}, go to {moved!r}",
            hint="redirects are not followed; put the right host and path into the URL",
        )
    sentence = f"{endpoint} refused WebSocket at {path}: {answered}"
    if status in _FAILED_BEHIND:
        return ConnectError(sentence, hint=hint)
    if status in OK:
        return ProtocolError(sentence, hint=_NO_WEB_SOCKET_HINT)
    return RefusedError(sentence, hint=hint)


_new_mask = partial(os.urandom, 4)


class _WebSocketStream:
    """Messages over another stream. Heart-beats are the messaging protocol's; a server's pings are answered."""

    def __init__(self, below: Stream, early: bytes, offer: Offer, web_server: str) -> None:
        self.web_server = web_server
        self.parting = ""
        self._below = below
        self._early = early
        self._text = offer.text
        self._secrets = offer.secrets
        self._reader = Reader(offer.end)
        self._read_until: float | None = None
        self._fault = ""
        self._ended = False
        self._said_goodbye = False
        # The answer to the latest ping, if it could not leave at once; older ones need none (RFC 6455, 5.5.3).
        self._owed: deque[bytes] = deque(maxlen=1)

    def read_timeout(self, seconds: float | None) -> None:
        self._read_until = None if seconds is None else time.monotonic() + seconds
        self._below.read_timeout(seconds)

    def read(self) -> bytes:
        while not self._ended:
            if self._fault:
                self._say_goodbye(CloseCode.PROTOCOL_ERROR)
                raise RulesError(f"the server broke WebSocket's rules: {self._fault}")
            data, self._early = self._early or self._below.read(), b""
            if not data:
                break
            received = self._reader.feed(data)
            self._fault = received.fault
            for control in received.controls:
                self._obey(control)
            if received.payload:
                return received.payload
            if self._read_until is not None:
                # Frames without data are no answer to whom waits for one.
                self._below.read_timeout(self._read_until - time.monotonic())
        return b""

    def _obey(self, control: Control) -> None:
        match control.opcode:
            case Opcode.PING:
                pong = frame(Opcode.PONG, control.payload, _new_mask())
                if not self._below.poke(pong):
                    self._owed.append(pong)
            case Opcode.CLOSE:
                self.parting = discreet(farewell(control.payload), self._secrets)
                self._ended = True
                self._say_goodbye(CloseCode.NORMAL)

    def write(self, data: bytes, deadline: float | None = None) -> None:
        self._below.write(self._take_owed() + message(data, _new_mask, text=self._text), deadline)

    def poke(self, data: bytes) -> bool:
        owed = self._take_owed()
        if self._below.poke(owed + message(data, _new_mask, text=self._text)):
            return True
        if owed:
            self._owed.append(owed)
        return False

    def _take_owed(self) -> bytes:
        try:
            return self._owed.pop()
        except IndexError:
            return b""

    def _say_goodbye(self, code: CloseCode) -> None:
        """A close frame, once and if it takes no waiting (RFC 6455, 7.1.2)."""
        if not self._said_goodbye:
            self._said_goodbye = True
            with contextlib.suppress(OSError):
                self._below.poke(close(code, _new_mask()))

    def abort(self) -> None:
        self._say_goodbye(CloseCode.NORMAL)
        self._below.abort()

    def close(self) -> None:
        self._below.close()
