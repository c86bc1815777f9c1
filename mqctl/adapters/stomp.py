"""The STOMP transport, over TCP, TLS and WebSocket, to ActiveMQ, Amazon MQ, RabbitMQ and mqctl's own hub."""

from __future__ import annotations

import contextlib
import ssl
import time
from typing import ClassVar, Final

from mqctl.adapters import tls
from mqctl.adapters.base import AdapterInfo, Connection, EventSink
from mqctl.adapters.dialing import Dialer, encrypted_scheme, try_each
from mqctl.adapters.features import Refusals
from mqctl.adapters.heartbeat import agree
from mqctl.adapters.stomp_connection import StompConnection
from mqctl.adapters.stomp_events import error_text
from mqctl.adapters.stomp_transport import Transport
from mqctl.adapters.stream import RulesError
from mqctl.errors import ConfigError, ConnectError, MqctlError, ProtocolError, RefusedError, TlsError, UsageError
from mqctl.model import AckMode, Confirmation, Connected, Dialect
from mqctl.protocols.stomp.codec import Frame, FrameError, encode
from mqctl.protocols.stomp.dialects import dialect_of, promises_beats
from mqctl.protocols.stomp.spec import ALL_VERSIONS, Command, Header, Version
from mqctl.target import Endpoint, Target, is_encrypted, is_web_socket

SUBPROTOCOLS: Final = ("v12.stomp", "v11.stomp", "v10.stomp")
"""Their names over WebSocket, as IANA has them."""

_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
_CERTIFICATE_HINT: Final = "the broker may want a client certificate"


class StompAdapter:
    """See `mqctl.adapters.base.Adapter`. What one broker cannot do is refused when it is asked for."""

    info: ClassVar[AdapterInfo] = AdapterInfo(
        name="STOMP",
        schemes=frozenset({"stomp", "stomp+ssl", "stomp+ws", "stomp+wss"}),
        ack_modes=frozenset(AckMode),
        confirmation=Confirmation.BROKER,
        features=frozenset(
            {
                *("headers", "content-type", "reply-to", "persistent", "expires", "priority"),
                *("wildcards", "selector", "durable", "prefetch", "nack", "transactions"),
            }
        ),
    )

    def connect(self, target: Target, *, sink: EventSink) -> Connection:
        """See `Adapter.connect`. Endpoints that do not answer leave their share of the time to the others."""
        if target.dialect is Dialect.MOSQUITTO:
            raise ConfigError("Mosquitto speaks MQTT, not STOMP", hint="use an mqtt:// address, or another --dialect")
        dialer = Dialer(target, subprotocols=SUBPROTOCOLS, text=True)
        return try_each(target, lambda endpoint, deadline: _connect(target, dialer, endpoint, deadline, sink))


_REFUSALS: Final = Refusals(StompAdapter.info)


def _connect(target: Target, dialer: Dialer, endpoint: Endpoint, deadline: float, sink: EventSink) -> StompConnection:
    transport = Transport(dialer.dial(endpoint, deadline), str(endpoint))
    try:
        answer = _login(transport, target, endpoint, deadline)
        beat = agree(target.heart_beat_s, answer.headers.get(Header.HEART_BEAT))
        greeting = _greeting(answer, target, endpoint)
        return StompConnection(
            transport,
            greeting,
            sink,
            refusals=_REFUSALS,
            beat=beat,
            client_id=target.client_id,
            web_socket=is_web_socket(target.scheme),
        )
    except BaseException:
        transport.kill("refused")
        transport.join(0.0)
        raise


def _login(transport: Transport, target: Target, endpoint: Endpoint, deadline: float) -> Frame:
    """CONNECT, and the CONNECTED that answers it."""
    try:
        # Who hangs up early may have said why.
        with transport.until(deadline), contextlib.suppress(ConnectionError):
            transport.send(
                encode(Command.CONNECT, _connect_headers(target, transport.web_server), version=Version.V1_0)
            )
        answer = transport.first_frame(deadline)
    except UnicodeEncodeError:
        # From None: the error holds all that was to be encoded.
        raise UsageError("the user, the password or the client id is not valid Unicode") from None
    except FrameError as error:
        raise _no_stomp(endpoint, transport.first_bytes, error, target.scheme) from error
    except (OSError, EOFError) as error:
        raise _no_answer(endpoint, error, target.scheme) from error
    match answer.command:
        case Command.CONNECTED:
            return answer
        case Command.ERROR:
            raise RefusedError(f"{endpoint} refused the connection: {_words(answer, target)}", hint=_login_hint(target))
        case _:
            raise ProtocolError(f"{endpoint} answered CONNECT with {answer.command}")


def _words(answer: Frame, target: Target) -> str:
    """Why the broker refuses us; some repeat the password, as it is or as STOMP escapes it."""
    text = error_text(answer)
    password = target.password.reveal() if target.password else ""
    # As a part of the user's name it gives nothing away, and guest is not let in as guest.
    if password and password not in (target.user or ""):
        for form in (password, password.replace("\\", "\\\\")):
            text = text.replace(form, "***")
    return text


def _connect_headers(target: Target, web_server: str) -> dict[str, str]:
    beat_ms = round(target.heart_beat_s * 1000)
    silent = is_web_socket(target.scheme) and not promises_beats(target.dialect, web_server)
    headers = {
        Header.ACCEPT_VERSION: ALL_VERSIONS,
        # RabbitMQ reads it as the virtual host; without it, stomp.py would send the network's name of the host.
        Header.HOST: target.vhost or "/",
        Header.HEART_BEAT: f"{0 if silent else beat_ms},{beat_ms}",
    }
    if target.user is not None:
        headers[Header.LOGIN] = target.user
    if target.password is not None:
        headers[Header.PASSCODE] = target.password.reveal()
    if target.client_id is not None:
        headers[Header.CLIENT_ID] = target.client_id
    return headers


def _greeting(answer: Frame, target: Target, endpoint: Endpoint) -> Connected:
    server = answer.headers.get(Header.SERVER)
    return Connected(
        at_ns=time.monotonic_ns(),
        peer=str(endpoint),
        server=server,
        dialect=target.dialect or dialect_of(server),
        detail=answer.headers,
    )


def _login_hint(target: Target) -> str | None:
    if target.password is not None and "\\" in target.password.reveal():
        return "ActiveMQ Classic reads a backslash in a password as an escape; one without it avoids that"
    if target.user is None:
        return "no user was given"
    return None


def _no_stomp(endpoint: Endpoint, first: bytes, error: FrameError, scheme: str) -> MqctlError:
    if first.startswith(_TLS_RECORDS):
        return TlsError(
            f"{endpoint} speaks TLS, and this was a plain connection", hint=f"use the scheme {encrypted_scheme(scheme)}"
        )
    if first.startswith(b"HTTP/"):
        return ProtocolError(
            f"{endpoint} speaks HTTP, not STOMP",
            hint="name the broker's STOMP port, often 61613; for STOMP over WebSocket use the scheme "
            + ("stomp+wss" if is_encrypted(scheme) else "stomp+ws"),
        )
    shown = first[:24].decode("ascii", "backslashreplace")
    return ProtocolError(f"{endpoint} does not speak STOMP: it says {shown!r} ({error})")


def _no_answer(endpoint: Endpoint, error: Exception, scheme: str) -> MqctlError:
    hint = _CERTIFICATE_HINT
    if not is_encrypted(scheme):
        hint = f"a port that speaks TLS may answer like that: use the scheme {encrypted_scheme(scheme)}"
    match error:
        case ssl.SSLError():
            return tls.ended(str(endpoint), error)
        case RulesError():
            return ProtocolError(f"{endpoint}: {error}")
        case TimeoutError():
            return ConnectError(f"{endpoint} accepted the connection but did not answer in time", hint=hint)
        case EOFError() if str(error):
            return ConnectError(f"{endpoint} accepted the connection and ended it: {error}")
        case _:
            return ConnectError(f"{endpoint} accepted the connection and hung up without an answer", hint=hint)
