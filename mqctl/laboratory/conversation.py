"""A session of Bayeux whose every step is ours: a request, its answer, nothing by itself.

It is spoken to in long-polling, as every server can be, and no connect waits at the server. So between two steps its
client is as good as not there.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Final, NamedTuple

from mqctl.adapters.bayeux import USUAL_PATH
from mqctl.adapters.bayeux_carrier import closing_words
from mqctl.adapters.bayeux_connection import LIMITS
from mqctl.adapters.bayeux_polling import PollingCarrier
from mqctl.adapters.dialing import Dialer
from mqctl.errors import ConnectError, ProtocolError, RefusedError
from mqctl.laboratory.transports import WAYS, by
from mqctl.protocols.bayeux.client_actions import Lane
from mqctl.protocols.bayeux.extensions import ext_of
from mqctl.protocols.bayeux.message import Message, MessageError, batch, decode, encode
from mqctl.protocols.bayeux.orders import Orders, words_of
from mqctl.protocols.bayeux.payload import data_of, payload_of
from mqctl.protocols.bayeux.spec import VERSION, Advice, ConnectionType, Ext, Meta, Reconnect
from mqctl.target import Target

PATIENCE_S: Final = 10.0
"""How long an answer may take: no request waits at the server."""

_ROUNDS_MAX: Final = 100


class Arrival(NamedTuple):
    """A message that an answer brought, and when."""

    payload: bytes
    at_ns: int


class Forgotten(RefusedError):
    """The server does not know the session any more.

    Attributes:
        words: The server's.
    """

    def __init__(self, peer: str, words: str) -> None:
        super().__init__(f"{peer} does not know the session any more: {words}")
        self.words = words


def _code_and_text(reply: Message) -> str:
    """What a server says, without its arguments: Faye names the session there, which is a secret."""
    parts = str(reply.error or words_of(reply)).split(":")
    return " ".join(dict.fromkeys((parts[0], parts[-1])))


class Conversation:
    """A session, from its handshake on.

    Attributes:
        acknowledges: Whether the server keeps messages until it is told that they came.
        orders: What the server advised last.
        arrivals: Messages that came and were not taken yet.

    Args:
        target: The server; the first endpoint is spoken to.
        ack: Whether to ask for acknowledgements.

    Raises:
        MqctlError: The server cannot be reached, or does not want us.
    """

    def __init__(self, target: Target, *, ack: bool = False) -> None:
        self._target = replace(by(WAYS[0], target), path=target.path or USUAL_PATH)
        endpoint = self._target.endpoints[0]
        dialer = Dialer(self._target)
        patience_s = target.connect_timeout_s
        self._carrier = PollingCarrier(
            lambda: dialer.dial(endpoint, time.monotonic() + patience_s), self._target, str(endpoint)
        )
        self._ids = count(1)
        self._ack = ack
        self._batch = 0
        self._client_id = ""
        self.acknowledges = False
        self.orders = Orders()
        self.arrivals: list[Arrival] = []
        try:
            self.shake_hands()
        except BaseException:
            self.vanish()
            raise

    def shake_hands(self) -> None:
        """Have a session made, in place of the one before.

        Raises:
            MqctlError: As the class.
        """
        request = self._request(Meta.HANDSHAKE)
        request.version = request.minimum_version = VERSION
        request.supported_connection_types = [ConnectionType.LONG_POLLING]
        login = self._target
        if login.user is not None:
            password = login.password.reveal() if login.password else ""
            request.ext = {Ext.AUTHENTICATION: {"user": login.user, "password": password}}
        if self._ack:
            request.ext = {**(request.ext or {}), Ext.ACK: True}
        self._client_id, self._batch = "", 0
        reply = self._ask(Lane.REQUEST, request)
        if not reply.successful or not reply.client_id:
            raise RefusedError(f"{self._peer} refused the connection: {words_of(reply)}")
        self._client_id = reply.client_id
        self.acknowledges = self._ack and bool(ext_of(reply, Ext.ACK))

    def subscribe(self, channel: str) -> None:
        """Subscribe.

        Raises:
            MqctlError: The server says no, or does not answer.
        """
        request = self._request(Meta.SUBSCRIBE)
        request.subscription = channel
        if not (reply := self._ask(Lane.REQUEST, request)).successful:
            raise self._refused(reply, "the subscription")

    def publish(self, channel: str, payload: bytes) -> str | None:
        """Publish text; returns why the server refuses it, None where it does not.

        Raises:
            MqctlError: The server does not answer.
        """
        request = self._request(channel)
        data = data_of(payload)
        assert data is not None
        request.data = data
        reply = self._ask(Lane.REQUEST, request)
        return None if reply.successful else words_of(reply)

    def connect(self, ext: dict[str, Any] | None = None) -> Message:
        """Connect, to be answered at once.

        Args:
            ext: What else the request says.

        Raises:
            Forgotten: The server does not know the session.
            MqctlError: The server refuses for another reason, or does not answer.
        """
        request = self._request(Meta.CONNECT)
        request.connection_type = ConnectionType.LONG_POLLING
        request.advice = {Advice.TIMEOUT: 0}
        request.ext = dict(ext or {}) | ({Ext.ACK: self._batch} if self.acknowledges else {})
        reply = self._ask(Lane.CONNECT, request)
        if not reply.successful:
            raise self._refused(reply, "a connect")
        if isinstance(number := ext_of(reply, Ext.ACK), int):
            self._batch = number
        return reply

    def drain(self) -> None:
        """Connect until nothing more comes.

        Raises:
            Forgotten, MqctlError: As `connect`.
        """
        for _ in range(_ROUNDS_MAX):
            before = len(self.arrivals)
            self.connect()
            if len(self.arrivals) == before:
                return

    def lose(self) -> int:
        """Connect, as if the answer were lost on its way; returns how many messages were in it.

        Raises:
            Forgotten, MqctlError: As `connect`.
        """
        batch_before, arrived = self._batch, len(self.arrivals)
        self.connect()
        self._batch = batch_before
        lost = len(self.arrivals) - arrived
        del self.arrivals[arrived:]
        return lost

    def take(self) -> Sequence[Arrival]:
        """What came since this was asked last."""
        taken, self.arrivals = self.arrivals, []
        return taken

    def leave(self) -> None:
        """Say goodbye, and be gone."""
        with contextlib.suppress(ConnectError, ProtocolError, RefusedError):
            self._ask(Lane.REQUEST, self._request(Meta.DISCONNECT))
        self.vanish()

    def vanish(self) -> None:
        """Be gone without a word."""
        self._carrier.kill("gone")
        self._carrier.join(0.0)

    @property
    def _peer(self) -> str:
        return str(self._target.endpoints[0])

    def _refused(self, reply: Message, what: str) -> RefusedError:
        if self.orders.reconnect == Reconnect.HANDSHAKE or str(reply.error).startswith(("401", "402")):
            return Forgotten(self._peer, _code_and_text(reply))
        return RefusedError(f"{self._peer} refused {what}: {words_of(reply)}")

    def _request(self, channel: str) -> Message:
        request = Message(id=str(next(self._ids)), channel=channel)
        if self._client_id:
            request.client_id = self._client_id
        return request

    def _ask(self, lane: Lane, request: Message) -> Message:
        """The answer to a request; what else comes with it is an arrival, or advice."""
        try:
            body = self._carrier.ask(lane, batch([encode(request)]), time.monotonic() + PATIENCE_S)
            messages = decode(body, LIMITS)
        except MessageError as error:
            raise ProtocolError(f"{self._peer} does not speak Bayeux at {self._target.path}: {error}") from error
        except (OSError, EOFError) as error:
            raise ConnectError(f"{self._peer} gave no answer: {closing_words(error)}") from error
        now_ns = time.monotonic_ns()
        reply = None
        for message in messages:
            if message.is_reply and message.id == request.id:
                reply = message
                self.orders = self.orders.heed(message)
            elif message.has_data:
                self.arrivals.append(Arrival(payload_of(message), now_ns))
        if reply is None:
            raise ProtocolError(f"{self._peer} did not answer a request at {self._target.path}")
        return reply
