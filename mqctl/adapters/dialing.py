"""Reaching a broker: each endpoint in turn, TCP or TLS, with WebSocket on top, through a proxy where one is set."""

from __future__ import annotations

import functools
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from mqctl.adapters import tls
from mqctl.adapters.stream import Stream, encrypted, plain
from mqctl.errors import ConnectError, TlsError
from mqctl.target import Endpoint, Target, is_encrypted, is_http, is_web_socket

_SHORTEST_S: Final = 0.001
"""A timeout of 0 would mean something else to a socket."""

_REFUSED_HINTS: Final = {
    "stomp": "is the broker running, and STOMP switched on? ActiveMQ from 5.19.7 and 6.2.6 on opens only OpenWire by "
    "itself",
    "mqtt": "is the broker running, and MQTT switched on? ActiveMQ from 5.19.7 and 6.2.6 on opens only OpenWire by "
    "itself, and RabbitMQ needs a plugin",
}
_REFUSED_BAYEUX_HINT: Final = "is the server running? CometD is often at port 8080 with the path /cometd"
_REFUSED_WEB_HINT: Final = (
    "is the broker running, and WebSocket switched on? Usual ports: ActiveMQ 61614, Amazon MQ 61619, RabbitMQ 15674 "
    "for STOMP and 15675 for MQTT"
)

_T = TypeVar("_T")


def try_each(target: Target, connect: Callable[[Endpoint, float], _T]) -> _T:
    """Connect to the first endpoint that answers. One that does not leaves the others their share of the time.

    Args:
        target: The endpoints, and the time for all of them.
        connect: Connects to an endpoint until a deadline, on the clock of time.monotonic.

    Raises:
        ConnectError: None answers; what each said is in the message.
        MqctlError: What else `connect` raises, at once.
    """
    deadline = time.monotonic() + target.connect_timeout_s
    failures: list[ConnectError] = []
    for index, endpoint in enumerate(target.endpoints):
        now = time.monotonic()
        try:
            return connect(endpoint, now + (deadline - now) / (len(target.endpoints) - index))
        except ConnectError as error:
            failures.append(error)
    raise _summed_up(failures)


def _summed_up(failures: list[ConnectError]) -> ConnectError:
    if len(failures) == 1:
        return failures[0]
    return ConnectError("no endpoint answers: " + "; ".join(map(str, failures)), hint=failures[0].hint)


def encrypted_scheme(scheme: str) -> str:
    """The same protocol over TLS."""
    return scheme if is_encrypted(scheme) else f"{scheme}s" if is_http(scheme) else f"{scheme}+ssl"


def plain_scheme(scheme: str) -> str:
    """The same protocol without TLS."""
    return scheme.removesuffix("+ssl").replace("+wss", "+ws").replace("+https", "+http").replace("+sses", "+sse")


class Dialer:
    """Opens streams to a target's endpoints, by its scheme.

    Args:
        target: Scheme, TLS, and the path of WebSocket.
        subprotocols: What WebSocket offers to the server, in order of preference (RFC 6455, 1.9).
        text: Whether WebSocket carries as text what is text, or all as binary.
        end: What to read at the end of each message of WebSocket.
        headers: Of the request for WebSocket.

    Raises:
        ConfigError: TLS cannot be spoken as asked.
    """

    def __init__(
        self,
        target: Target,
        *,
        subprotocols: tuple[str, ...] = (),
        text: bool = False,
        end: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._target = target
        self._subprotocols = subprotocols
        self._text = text
        self._end = end
        self._headers = headers or {}
        self._context = tls.context(target.tls) if is_encrypted(target.scheme) else None

    def dial(self, endpoint: Endpoint, deadline: float) -> Stream:
        """Connect; there is no falling back from TLS to plain.

        Args:
            endpoint: Where to.
            deadline: On the clock of time.monotonic, for all of it.

        Raises:
            ConnectError: Nobody answers there.
            TlsError: The peer does not speak TLS, or its certificate is not trusted.
            RefusedError: The server or a proxy does not let us in.
            ProtocolError: The peer does not speak HTTP or WebSocket.
        """
        stream = self._secured(self._reached(endpoint, deadline), endpoint, deadline)
        if not is_web_socket(self._target.scheme):
            return stream
        from mqctl.adapters import websocket, wire  # noqa: PLC0415 - their libraries are imported where they are used

        offer = websocket.Offer(
            scheme=self._target.scheme,
            target=wire.request_target(self._target.path or websocket.USUAL_PATH, self._target.query),
            subprotocols=self._subprotocols,
            text=self._text,
            end=self._end,
            headers=self._headers,
            secrets=wire.secrets_of(self._target),
        )
        return websocket.agreed(stream, endpoint, offer, deadline)

    def _reached(self, endpoint: Endpoint, deadline: float) -> socket.socket:
        if not is_http(self._target.scheme) or not any(name.lower().endswith("_proxy") for name in os.environ):
            return self._connected(endpoint, deadline)
        from mqctl.adapters.proxy import proxy_for, tunnel  # noqa: PLC0415 - urllib takes as long as a transport

        proxy = proxy_for(endpoint, self._target.scheme)
        if proxy is None:
            return self._connected(endpoint, deadline)
        try:
            sock = connect(proxy.endpoint, deadline)
        except ConnectError as error:
            raise ConnectError(f"no way through {proxy}: {error}") from error
        try:
            tunnel(plain(sock), proxy, endpoint, deadline)
        except BaseException:
            sock.close()
            raise
        return sock

    def _connected(self, endpoint: Endpoint, deadline: float) -> socket.socket:
        try:
            return connect(endpoint, deadline)
        except ConnectError as error:
            error.hint = self._hint(endpoint, error.__cause__) or error.hint
            raise

    def _hint(self, endpoint: Endpoint, cause: BaseException | None) -> str | None:
        from mqctl.profiles.amazonmq import Problem, hint_for  # noqa: PLC0415 - only a failure pays for it

        problem = None
        match cause:
            case ConnectionRefusedError():
                problem = Problem.REFUSED
            case TimeoutError():
                problem = Problem.TIMEOUT
            case socket.gaierror(errno=socket.EAI_NONAME):
                problem = Problem.NO_HOST
        at_amazon = hint_for(endpoint, problem, self._target.endpoints) if problem else None
        return at_amazon or (_refused_hint(self._target.scheme) if problem is Problem.REFUSED else None)

    def _secured(self, sock: socket.socket, endpoint: Endpoint, deadline: float) -> Stream:
        if self._context is None:
            return plain(sock)
        try:
            return encrypted(sock, self._context, endpoint.host, deadline)
        except OSError as error:
            again = functools.partial(self._reached, endpoint, deadline)
            raise _tls_error(endpoint, error, self._target.scheme, again) from error


def _refused_hint(scheme: str) -> str:
    if scheme.startswith("bayeux"):
        return _REFUSED_BAYEUX_HINT
    return _REFUSED_WEB_HINT if is_web_socket(scheme) else _REFUSED_HINTS[scheme.partition("+")[0]]


def _tls_error(endpoint: Endpoint, error: OSError, scheme: str, again: Callable[[], socket.socket]) -> TlsError:
    if isinstance(error, TimeoutError) and not isinstance(error, ssl.SSLError):
        return TlsError(
            f"{endpoint} accepted the connection but did not answer in TLS",
            hint=f"for a plain port use the scheme {plain_scheme(scheme)}",
        )
    return tls.handshake_error(endpoint, error, again)


def connect(endpoint: Endpoint, deadline: float) -> socket.socket:
    """A TCP connection that sends small frames at once.

    Args:
        endpoint: Where to.
        deadline: On the clock of time.monotonic.

    Raises:
        ConnectError: Nobody answers there; its cause is the system's error.
    """
    addresses = _resolved(endpoint, deadline)
    failure: OSError = OSError("no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        # One dead address must not use up the time of the others.
        sock.settimeout(max(_SHORTEST_S, (deadline - time.monotonic()) / (len(addresses) - index)))
        try:
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise _connect_error(endpoint, failure) from failure


def _connect_error(endpoint: Endpoint, error: OSError) -> ConnectError:
    match error:
        case ConnectionRefusedError():
            return ConnectError(f"nobody listens at {endpoint}: connection refused")
        case TimeoutError():
            return ConnectError(
                f"{endpoint} did not answer in time",
                hint="check host, port and firewall; a broker at Amazon MQ must be public or in your VPC",
            )
        case _:
            return ConnectError(f"cannot connect to {endpoint}: {error.strerror or error}")


_Addresses = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]


def _resolved(endpoint: Endpoint, deadline: float) -> _Addresses:
    """The addresses of a host. The system's resolver knows no deadline, so it is left behind when it takes too long."""
    answers: queue.SimpleQueue[_Addresses | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answers.put(socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM))  # type: ignore[arg-type]  # typeshed unites IPv4 and IPv6
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=resolve, name=f"mqctl.resolve.{endpoint.host}", daemon=True).start()
    try:
        answer = answers.get(timeout=max(_SHORTEST_S, deadline - time.monotonic()))
    except queue.Empty:
        raise ConnectError(f"looking up the host {endpoint.host!r} took too long") from None
    if isinstance(answer, OSError):
        raise ConnectError(f"no such host: {endpoint.host!r} ({answer.strerror or answer})") from answer
    return answer
