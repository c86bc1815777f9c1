"""HTTP proxies that the environment names, as curl and Python's own library read it, and tunnels through them."""

from __future__ import annotations

import base64
import ipaddress
import re
import time
from typing import Final, NamedTuple
from urllib import request
from urllib.parse import SplitResult, unquote, urlsplit

from mqctl.adapters.stream import Stream
from mqctl.adapters.wire import OK, Wire, answer, forms_of, http_host
from mqctl.errors import ConfigError, ConnectError, MqctlError, ProtocolError, RefusedError
from mqctl.target import Endpoint, Secret, is_encrypted

USUAL_PORT: Final = 80

_PORT: Final = re.compile(r"(?P<host>[^:]*|\[.*\]):(?P<port>\d+)")
"""An entry of `no_proxy` with a port; more colons are those of an address of IPv6."""

_AUTHENTICATE: Final = 407
_UNREACHABLE: Final = frozenset({500, 502, 503, 504})


class Proxy(NamedTuple):
    """Where it listens, what we say to be let in, and the variable that names it."""

    endpoint: Endpoint
    credentials: Secret | None
    variable: str

    def __str__(self) -> str:
        return f"the proxy {self.endpoint} ({self.variable})"


def proxy_for(endpoint: Endpoint, scheme: str) -> Proxy | None:
    """The proxy on the way: `https_proxy` or `http_proxy`, else `all_proxy`; none to what `no_proxy` lists.

    This machine itself is never reached through one.

    Raises:
        ConfigError: What a variable names is no HTTP proxy.
    """
    known = request.getproxies()
    name = next((name for name in ("https" if is_encrypted(scheme) else "http", "all") if known.get(name)), None)
    if name is None or _is_loopback(endpoint.host) or _is_direct(endpoint, known.get("no", "")):
        return None
    return _parsed(known[name], f"{name}_proxy")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def _is_direct(endpoint: Endpoint, listed: str) -> bool:
    """Whether `no_proxy` lists it, or where there are none the system's settings do.

    Beyond what Python's own library reads: a port, a `*` for the first labels, and networks, as others do.
    """
    host = endpoint.host.rstrip(".").lower()
    if request.proxy_bypass(host):
        return True
    return any(_fits(host, endpoint.port, entry.strip().lower()) for entry in listed.split(",") if entry.strip())


def _fits(host: str, port: int, entry: str) -> bool:
    with_port = _PORT.fullmatch(entry)
    if with_port is not None:
        entry = with_port["host"]
        if int(with_port["port"]) != port:
            return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name = entry.removeprefix("*").strip(".")
        return host == name or host.endswith(f".{name}")


def _parsed(url: str, variable: str) -> Proxy:
    try:
        split = urlsplit(url if "://" in url else f"http://{url}")
        port = split.port
    except ValueError:
        # Its words quote the URL, which may hold a password.
        raise _no_url(variable) from None
    if split.scheme != "http":
        raise ConfigError(
            f"{variable} names a proxy that is spoken to in {split.scheme}, and only http:// is supported",
            hint="list the broker in no_proxy if it can be reached without",
        )
    if not split.hostname or port == 0:
        raise _no_url(variable)
    return Proxy(Endpoint(split.hostname, port or USUAL_PORT), _credentials(split), variable)


def _no_url(variable: str) -> ConfigError:
    return ConfigError(f"{variable} is no URL of a proxy", hint="it looks like http://proxy.example:3128")


def _credentials(split: SplitResult) -> Secret | None:
    if split.username is None:
        return None
    plain = f"{unquote(split.username)}:{unquote(split.password or '')}"
    return Secret(base64.b64encode(plain.encode()).decode())


def tunnel(stream: Stream, proxy: Proxy, endpoint: Endpoint, deadline: float) -> None:
    """Have the proxy pass on all that follows (RFC 9110, 9.3.6).

    Args:
        stream: Connected to the proxy.
        proxy: Who that is.
        endpoint: Where to.
        deadline: On the clock of time.monotonic.

    Raises:
        ConnectError: The proxy does not answer, or cannot reach the endpoint.
        RefusedError: It does not let us through.
        ProtocolError: It does not speak HTTP.
    """
    host = http_host(str(endpoint))
    lines = [f"CONNECT {host} HTTP/1.1", f"Host: {host}"]
    if proxy.credentials is not None:
        lines.append(f"Proxy-Authorization: Basic {proxy.credentials.reveal()}")
    wire = Wire(stream, deadline)
    try:
        wire.send("\r\n".join([*lines, "", ""]).encode())
        # What might follow is nobody's: in TLS and in HTTP the client speaks first.
        answered = answer(wire, "CONNECT", _secrets(proxy))
    except ValueError as error:
        raise ProtocolError(f"{proxy} does not speak HTTP: {error}") from error
    except OSError as error:
        late = time.monotonic() >= deadline
        raise ConnectError(f"{proxy} {'did not answer in time' if late else 'hung up without an answer'}") from error
    if answered.status not in OK:
        raise _refusal(proxy, endpoint, answered.status, str(answered))


def _secrets(proxy: Proxy) -> tuple[str, ...]:
    """What of our login is not to be repeated, though the proxy says it."""
    if proxy.credentials is None:
        return ()
    said = proxy.credentials.reveal()
    password = base64.b64decode(said).decode().partition(":")[2]
    return forms_of(said, password)


def _refusal(proxy: Proxy, endpoint: Endpoint, status: int, words: str) -> MqctlError:
    if status == _AUTHENTICATE:
        hint = f"it wants user and password: {proxy.variable}=http://USER:PASSWORD@{proxy.endpoint}"
        if proxy.credentials is not None:
            hint = f"check user and password in {proxy.variable}"
        return RefusedError(f"{proxy} refused us: {words}", hint=hint)
    if status in _UNREACHABLE:
        return ConnectError(f"{proxy} does not reach {endpoint}: {words}")
    return RefusedError(
        f"{proxy} refused to connect to {endpoint}: {words}",
        hint="many proxies allow only port 443; list the broker in no_proxy if it can be reached without",
    )
