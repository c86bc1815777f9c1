"""The Bayeux transport, over WebSocket, event streams and long-polling, to CometD, Faye and mqctl's own hub."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Final

from mqctl.adapters import tls
from mqctl.adapters.base import AdapterInfo, Connection, EventSink
from mqctl.adapters.bayeux_carrier import END, Carrier, WebSocketCarrier
from mqctl.adapters.bayeux_connection import LIMITS, BayeuxConnection, piece
from mqctl.adapters.bayeux_polling import PollingCarrier
from mqctl.adapters.dialing import Dialer, encrypted_scheme, try_each
from mqctl.adapters.features import Refusals
from mqctl.adapters.stream import Stream
from mqctl.errors import ConnectError, MqctlError, ProtocolError, RefusedError
from mqctl.model import AckMode, Confirmation, Connected
from mqctl.protocols.bayeux.client import Client, Options, State
from mqctl.protocols.bayeux.client_actions import Action, Forgotten, Listen, Lost, Send
from mqctl.protocols.bayeux.message import MessageError, batch, decode
from mqctl.protocols.bayeux.spec import ConnectionType, Ext
from mqctl.target import Endpoint, Target, is_encrypted, is_web_socket

USUAL_PATH: Final = "/cometd"
"""Where a URL names none: CometD's usual one, which mqctl's hub serves too."""

_EVENTS: Final = ("+sse", "+sses")
"""How the schemes end where messages are to come by an event stream."""

_PATH_HINT: Final = "name the path in the URL: CometD serves /cometd as a rule, Faye /bayeux or /faye"


class _Unserved(RefusedError):
    """The server has not what we wanted to speak."""


class BayeuxAdapter:
    """See `mqctl.adapters.base.Adapter`. A server without WebSocket or event streams is spoken to in long-polling.

    There are no event streams between the two: what cuts WebSocket off is often a proxy that holds such a stream back,
    which looks like a quiet server.
    """

    info: ClassVar[AdapterInfo] = AdapterInfo(
        name="Bayeux",
        schemes=frozenset(f"bayeux+{way}" for way in ("http", "https", "ws", "wss", "sse", "sses")),
        ack_modes=frozenset({AckMode.AUTO}),
        confirmation=Confirmation.BROKER,
        features=frozenset({"headers", "wildcards"}),
    )

    def connect(self, target: Target, *, sink: EventSink) -> Connection:
        """See `Adapter.connect`."""
        target = replace(target, path=target.path or USUAL_PATH)
        polling = Dialer(replace(target, scheme=_polling_scheme(target.scheme)))
        sockets = Dialer(target, text=True, end=END) if is_web_socket(target.scheme) else None

        def attempt(endpoint: Endpoint, deadline: float) -> Connection:
            notice = None
            where = target, endpoint, deadline
            dial = _redial(polling, endpoint, target, deadline)
            if sockets is not None:
                try:
                    stream = sockets.dial(endpoint, deadline)
                except (RefusedError, ProtocolError) as error:
                    notice = f"no WebSocket here, so this is long-polling ({error})"
                else:
                    return _connect(WebSocketCarrier(stream, str(endpoint)), where, sink, None)
            elif target.scheme.endswith(_EVENTS):
                events = PollingCarrier(dial, target, str(endpoint), event_bytes=LIMITS.body_bytes)
                try:
                    return _connect(events, where, sink, None)
                except _Unserved as error:
                    notice = f"no event stream here, so this is long-polling ({error})"
            return _connect(PollingCarrier(dial, target, str(endpoint)), where, sink, notice)

        return try_each(target, attempt)


_REFUSALS: Final = Refusals(BayeuxAdapter.info)


def _polling_scheme(scheme: str) -> str:
    return "bayeux+https" if is_encrypted(scheme) else "bayeux+http"


def _redial(dialer: Dialer, endpoint: Endpoint, target: Target, first_by: float) -> Callable[[], Stream]:
    """Connects: for the handshake until that deadline, later in as much time as connecting may take."""
    return lambda: dialer.dial(endpoint, max(first_by, time.monotonic() + target.connect_timeout_s))


def _connect(
    carrier: Carrier, where: tuple[Target, Endpoint, float], sink: EventSink, notice: str | None
) -> BayeuxConnection:
    target, endpoint, deadline = where
    # Its chance only spreads pauses.
    client = Client(_options(carrier, target), random.Random())  # noqa: S311
    try:
        actions = _shake_hands(carrier, client, target, endpoint, deadline)
        greeting = _greeting(carrier, client, target, endpoint)
        return BayeuxConnection(
            carrier, client, actions, greeting=greeting, sink=sink, refusals=_REFUSALS, notice=notice
        )
    except BaseException:
        carrier.kill("refused")
        carrier.join(0.0)
        raise


def _options(carrier: Carrier, target: Target) -> Options:
    return Options(
        connection_type=carrier.connection_type,
        # Two connections race each other, so that only what connects alone bring is in order; a WebSocket has one.
        ack=carrier.connection_type is ConnectionType.LONG_POLLING,
        ext=_login(target),
        grace_ms=round(target.heart_beat_s * 1000) or None,
    )


def _login(target: Target) -> dict[str, Any]:
    if target.user is None:
        return {}
    password = target.password.reveal() if target.password else ""
    return {Ext.AUTHENTICATION: {"user": target.user, "password": password}}


def _shake_hands(carrier: Carrier, client: Client, target: Target, endpoint: Endpoint, deadline: float) -> list[Action]:
    """Have a session made; returns what is to be done then."""

    def ask(send: Action) -> list[Action]:
        assert isinstance(send, Send)
        body = carrier.ask(send.lane, batch([piece(send).body]), deadline)
        return client.receive(decode(body, LIMITS), time.monotonic_ns())

    try:
        actions = _accepted(ask(client.open(time.monotonic_ns())[0]), target, endpoint)
        if client.state is not State.OPEN:
            raise ProtocolError(f"{endpoint} did not answer the handshake at {target.path}", hint=_PATH_HINT)
        if actions and isinstance(first := actions[0], Listen):
            _listen(carrier, first, deadline)
            del actions[0]
        if carrier.connection_type is ConnectionType.LONG_POLLING and actions:
            # Over a second connection, which has to reach the same server with the same cookie.
            actions = _accepted(ask(actions[0]), target, endpoint)
    except MessageError as error:
        raise ProtocolError(f"{endpoint} does not speak Bayeux at {target.path}: {error}", hint=_PATH_HINT) from error
    except (OSError, EOFError) as error:
        raise _no_answer(endpoint, error, target.scheme) from error
    return actions


def _listen(carrier: Carrier, action: Listen, deadline: float) -> None:
    try:
        carrier.listen(action.client_id, deadline)
    except (RefusedError, ProtocolError) as error:
        raise _Unserved(str(error), hint=error.hint) from error


def _accepted(actions: list[Action], target: Target, endpoint: Endpoint) -> list[Action]:
    """What follows from an answer, if it is a good one."""
    match actions:
        case [Lost(reason, denied, unserved)]:
            sentence = f"{endpoint} refused the connection: {reason}"
            if unserved:
                raise _Unserved(sentence)
            raise RefusedError(sentence, hint=_login_hint(target)) if denied else ProtocolError(sentence)
        case [Forgotten(reason), *_]:
            raise RefusedError(
                f"{endpoint} does not know the session that it has made: {reason}",
                hint="where several servers share an address, a client must stay with one: sticky sessions by cookie",
            )
    return actions


def _greeting(carrier: Carrier, client: Client, target: Target, endpoint: Endpoint) -> Connected:
    return Connected(
        at_ns=time.monotonic_ns(),
        peer=str(endpoint),
        server=carrier.web_server or None,
        dialect=target.dialect,
        detail={
            "connection-type": carrier.connection_type,
            "timeout": f"{client.timeout_ms / 1000:g} s",
            "ack": "on" if client.acknowledges else "off",
        },
    )


def _login_hint(target: Target) -> str | None:
    return "no user was given" if target.user is None else None


def _no_answer(endpoint: Endpoint, error: Exception, scheme: str) -> MqctlError:
    hint = None
    if not is_encrypted(scheme):
        hint = f"a port that speaks TLS may answer like that: use the scheme {encrypted_scheme(scheme)}"
    match error:
        case ssl.SSLError():
            return tls.ended(str(endpoint), error)
        case TimeoutError():
            return ConnectError(f"{endpoint} accepted the connection but did not answer in time", hint=hint)
        case _:
            return ConnectError(f"{endpoint} accepted the connection and hung up without an answer", hint=hint)
