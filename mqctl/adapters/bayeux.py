"""The Bayeux transport, over WebSocket, event streams and long-polling, to CometD, Faye and mqctl's own hub."""

from __future__ import annotations

import contextlib
import random
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, Final, NamedTuple

from mqctl.adapters import tls
from mqctl.adapters.base import AdapterInfo, Connection, EventSink
from mqctl.adapters.bayeux_carrier import END, Carrier, WebSocketCarrier
from mqctl.adapters.bayeux_connection import LIMITS, BayeuxConnection, piece
from mqctl.adapters.bayeux_http import Cookies, authorization
from mqctl.adapters.bayeux_kept import Kept
from mqctl.adapters.bayeux_polling import PollingCarrier
from mqctl.adapters.dialing import Dialer, encrypted_scheme, try_each
from mqctl.adapters.features import Refusals
from mqctl.adapters.stream import RulesError, Stream
from mqctl.errors import ConnectError, MqctlError, ProtocolError, RefusedError, UnsupportedError, UsageError
from mqctl.model import AckMode, Confirmation, Connected
from mqctl.protocols.bayeux.client import Client, Options, State
from mqctl.protocols.bayeux.client_actions import Action, Answered, Forgotten, Listen, Lost, Send
from mqctl.protocols.bayeux.message import MessageError, batch, decode
from mqctl.protocols.bayeux.resume import SavedSession
from mqctl.protocols.bayeux.spec import ConnectionType, Delivery, Ext
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

    Args:
        kept: A session to go on with, or to keep; else each connection has one that ends with it.
        delivery: When messages are to come; None is as keeps their order: `ACKNOWLEDGED` by long-polling, if the
            server can. A server that cannot do what is asked for is an UnsupportedError of `connect`.
    """

    info: ClassVar[AdapterInfo] = AdapterInfo(
        name="Bayeux",
        schemes=frozenset(f"bayeux+{way}" for way in ("http", "https", "ws", "wss", "sse", "sses")),
        ack_modes=frozenset({AckMode.AUTO}),
        confirmation=Confirmation.BROKER,
        features=frozenset({"headers", "wildcards"}),
    )

    def __init__(self, kept: Kept | None = None, delivery: Delivery | None = None) -> None:
        self._kept, self._delivery = kept, delivery
        # What is kept is acknowledged by the user, so that it was printed before the server forgets it.
        mine = self.info if kept is None else replace(self.info, ack_modes=frozenset({AckMode.INDIVIDUAL}))
        self._refusals = Refusals(mine)

    def connect(self, target: Target, *, sink: EventSink) -> Connection:
        """See `Adapter.connect`."""
        target = replace(target, path=target.path or USUAL_PATH)
        if self._kept is not None and target.scheme.endswith(_EVENTS):
            raise UnsupportedError(
                "what comes by server-sent events is not acknowledged, so their sessions cannot be kept",
                hint="use bayeux+ws or bayeux+http",
            )
        polling = Dialer(replace(target, scheme=_polling_scheme(target.scheme)))
        web = is_web_socket(target.scheme)
        sockets = Dialer(target, text=True, end=END, headers=authorization(target)) if web else None

        def attempt(endpoint: Endpoint, deadline: float) -> Connection:
            call = _Call(target, endpoint, deadline, sink, self._kept, self._delivery, self._refusals)
            return _attempt(call, polling, sockets)

        return try_each(target, attempt)


class _Call(NamedTuple):
    """An attempt to connect."""

    target: Target
    endpoint: Endpoint
    deadline: float
    sink: EventSink
    kept: Kept | None
    delivery: Delivery | None
    refusals: Refusals

    @property
    def saved(self) -> SavedSession | None:
        """The session to go on with, if this server has it."""
        return None if self.kept is None else self.kept.at(str(self.endpoint))

    @property
    def cookies(self) -> Cookies | None:
        return None if self.kept is None else self.kept.cookies


def _attempt(call: _Call, polling: Dialer, sockets: Dialer | None) -> Connection:
    target, endpoint, deadline, *_ = call
    notice = None
    dial = _redial(polling, endpoint, target, deadline)
    polls = call.saved is not None and call.saved.connection_type is ConnectionType.LONG_POLLING
    if sockets is not None and not polls:
        try:
            stream = sockets.dial(endpoint, deadline)
        except (RefusedError, ProtocolError) as error:
            notice = f"no WebSocket here, so this is long-polling ({error})"
        else:
            return _connect(WebSocketCarrier(stream, str(endpoint)), call, None)
    elif target.scheme.endswith(_EVENTS):
        events = PollingCarrier(dial, target, str(endpoint), event_bytes=LIMITS.body_bytes)
        try:
            return _connect(events, call, None)
        except _Unserved as error:
            notice = f"no event stream here, so this is long-polling ({error})"
    return _connect(PollingCarrier(dial, target, str(endpoint), cookies=call.cookies), call, notice)


def _polling_scheme(scheme: str) -> str:
    return "bayeux+https" if is_encrypted(scheme) else "bayeux+http"


def _redial(dialer: Dialer, endpoint: Endpoint, target: Target, first_by: float) -> Callable[[], Stream]:
    """Connects: for the handshake until that deadline, later in as much time as connecting may take."""
    return lambda: dialer.dial(endpoint, max(first_by, time.monotonic() + target.connect_timeout_s))


def _connect(carrier: Carrier, call: _Call, notice: str | None) -> BayeuxConnection:
    notices = [] if notice is None else [notice]
    try:
        # Its chance only spreads pauses.
        client = Client(_options(carrier, call), random.Random())  # noqa: S311
        actions: list[Action] = []
        lack = _resume(carrier, client, call)
        if lack is not None:
            client = Client(_options(carrier, call), random.Random())  # noqa: S311
            actions = _shake_hands(carrier, client, call)
            _require(call.delivery, client)
            if call.kept is not None:
                call.kept.begin(client, str(call.endpoint), carrier.connection_type)
            notices += [lack] if lack else []
        return BayeuxConnection(
            carrier,
            client,
            actions,
            greeting=_greeting(carrier, client, call, resumed=lack is None),
            sink=call.sink,
            refusals=call.refusals,
            notice="; ".join(notices) or None,
            kept=call.kept,
        )
    except BaseException:
        carrier.kill("refused")
        carrier.join(0.0)
        raise


def _resume(carrier: Carrier, client: Client, call: _Call) -> str | None:
    """Take up the session that is kept: None if that went well, else why not, which is empty where there was none."""
    if call.kept is None or not call.kept.exists:
        return ""
    said = "another server is spoken to"
    saved = call.saved
    if saved is not None and saved.connection_type is carrier.connection_type:
        client.resume(saved.client_id, saved.batch)
        # To subscribe again does no harm, and whoever does not know the session says so.
        _, actions = client.subscribe(saved.channels[0])
        answers = _converse(carrier, client, call, actions[0])
        if (answer := next((each for each in answers if isinstance(each, Answered)), None)) is not None:
            if answer.refusal is None:
                call.kept.resume()
                return None
            said = answer.refusal
    lack = "so this is a new one; messages in between may be missing"
    return f"the session in {call.kept.name} cannot be resumed: {said}, {lack}"


def _require(delivery: Delivery | None, client: Client) -> None:
    """See that messages come as they are to.

    Raises:
        UnsupportedError: They do not.
    """
    if delivery is Delivery.CONNECTS_ONLY and not client.waits:
        raise UnsupportedError(f"the server knows no {Ext.DELIVER_ONLY} that a session could ask for")
    if delivery is Delivery.ACKNOWLEDGED and not client.acknowledges:
        raise UnsupportedError("the server has no acknowledgement extension")


def _options(carrier: Carrier, call: _Call) -> Options:
    # Two connections race each other, so that only what connects alone bring is in order; a WebSocket has one.
    usual = Delivery.ACKNOWLEDGED if carrier.connection_type is ConnectionType.LONG_POLLING else Delivery.DEFAULT
    delivery = call.delivery or usual
    return Options(
        connection_type=carrier.connection_type,
        ack=delivery is Delivery.ACKNOWLEDGED or call.kept is not None,
        by_hand=call.kept is not None,
        epoch_ns=time.time_ns() - time.monotonic_ns(),
        ext=_login(call.target) | ({Ext.DELIVER_ONLY: True} if delivery is Delivery.CONNECTS_ONLY else {}),
        grace_ms=round(call.target.heart_beat_s * 1000) or None,
    )


def _login(target: Target) -> dict[str, Any]:
    if target.user is None:
        return {}
    password = target.password.reveal() if target.password else ""
    try:
        f"{target.user}{password}".encode()
    except UnicodeEncodeError:
        # From None: the error holds all that was to be encoded.
        raise UsageError("the user or the password is not valid Unicode") from None
    return {Ext.AUTHENTICATION: {"user": target.user, "password": password}}


def _shake_hands(carrier: Carrier, client: Client, call: _Call) -> list[Action]:
    """Have a session made; returns what is to be done then."""
    target, endpoint = call.target, call.endpoint
    actions = _accepted(_converse(carrier, client, call, client.open(time.monotonic_ns())[0]), target, endpoint)
    if client.state is not State.OPEN:
        raise ProtocolError(f"{endpoint} did not answer the handshake at {target.path}", hint=_PATH_HINT)
    if actions and isinstance(first := actions[0], Listen):
        _listen(carrier, first, call)
        del actions[0]
    if carrier.connection_type is ConnectionType.LONG_POLLING and actions:
        # Over a second connection, which has to reach the same server with the same cookie.
        actions = _accepted(_converse(carrier, client, call, actions[0]), target, endpoint)
    return actions


@contextlib.contextmanager
def _explained(call: _Call) -> Iterator[None]:
    """Say what it means that there is no answer, or none that makes sense."""
    target, endpoint = call.target, call.endpoint
    try:
        yield
    except MessageError as error:
        raise ProtocolError(f"{endpoint} does not speak Bayeux at {target.path}: {error}", hint=_PATH_HINT) from error
    except (OSError, EOFError) as error:
        raise _no_answer(endpoint, error, target.scheme) from error


def _converse(carrier: Carrier, client: Client, call: _Call, send: Action) -> list[Action]:
    """Send a request, and take the answer."""
    assert isinstance(send, Send)
    with _explained(call):
        body = carrier.ask(send.lane, batch([piece(send).body]), call.deadline)
        return client.receive(decode(body, LIMITS), time.monotonic_ns())


def _listen(carrier: Carrier, action: Listen, call: _Call) -> None:
    try:
        with _explained(call):
            carrier.listen(action.client_id, call.deadline)
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


def _greeting(carrier: Carrier, client: Client, call: _Call, *, resumed: bool) -> Connected:
    return Connected(
        at_ns=time.monotonic_ns(),
        peer=str(call.endpoint),
        server=carrier.web_server or None,
        dialect=call.target.dialect,
        detail={
            "connection-type": carrier.connection_type,
            "timeout": f"{client.orders.timeout_ms / 1000:g} s",
            "ack": "on" if client.acknowledges else "off",
            **({"clock": _clock(client)} if client.clocks.known else {}),
            **({} if call.kept is None else {"session": "resumed" if resumed else "new"}),
        },
    )


def _clock(client: Client) -> str:
    """How the server's clock stands, for people."""
    offset_s = client.clocks.offset_ms / 1000
    return f"{abs(offset_s):g} s {'behind' if offset_s < 0 else 'ahead of'} ours (lag {client.clocks.lag_ms} ms)"


def _login_hint(target: Target) -> str | None:
    return "no user was given" if target.user is None else None


def _no_answer(endpoint: Endpoint, error: Exception, scheme: str) -> MqctlError:
    hint = None
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
