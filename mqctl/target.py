"""Where to connect and as whom: the URL grammar, and the resolved value that every transport connects to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from mqctl.errors import ConfigError
from mqctl.model import Dialect

_T = TypeVar("_T")


class Secret:
    """A password that cannot be printed by accident; `reveal` is the one way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


class Endpoint(NamedTuple):
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class TlsOptions(NamedTuple):
    """How the peer's certificate is checked and which one we show. None means the system's trust store."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: Secret | None = None
    verify: bool = True
    crl_file: str | None = None


SYSTEM_TRUST = TlsOptions()


class MqttOptions(NamedTuple):
    """What MQTT's CONNECT says beyond who we are. `clean` None: clean unless the client has an id of its own."""

    version: str = "3.1.1"
    clean: bool | None = None
    session_expiry_s: float | None = None
    will_topic: str | None = None
    will_payload: str = ""
    will_qos: int = 0
    will_retain: bool = False


class ReconnectOptions(NamedTuple):
    """How long a lost connection is missed before we give up (`inf` is never), and the longest pause between tries.

    With `stubborn` a broker that refuses us is tried again too: one that starts may not know its users yet.
    """

    within_s: float = 0.0
    pause_max_s: float = 10.0
    stubborn: bool = False


USUAL_MQTT = MqttOptions()
NO_RECONNECT = ReconnectOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A broker to connect to, with everything resolved. `dialect` None: ask the broker's greeting."""

    scheme: str
    endpoints: tuple[Endpoint, ...]
    path: str = ""
    query: Secret | None = None
    user: str | None = None
    password: Secret | None = None
    tls: TlsOptions = SYSTEM_TRUST
    mqtt: MqttOptions = USUAL_MQTT
    reconnect: ReconnectOptions = NO_RECONNECT
    dialect: Dialect | None = None
    vhost: str | None = None
    client_id: str | None = None
    heart_beat_s: float = 10.0
    connect_timeout_s: float = 10.0

    @property
    def name(self) -> str:
        """The URL without credentials, for people."""
        return f"{self.scheme}://{','.join(map(str, self.endpoints))}{self.path}{'?***' if self.query else ''}"


class Url(NamedTuple):
    """A parsed broker URL. `user` and `password` are percent-decoded; `query` is as written, and may hold a token."""

    scheme: str
    endpoints: tuple[Endpoint, ...]
    path: str
    user: str | None
    password: Secret | None
    query: Secret | None = None


ALIASES = {
    "stomps": "stomp+ssl",
    "mqtts": "mqtt+ssl",
    "stomp+nio+ssl": "stomp+ssl",
    "mqtt+nio+ssl": "mqtt+ssl",
    "ws+stomp": "stomp+ws",
    "wss+stomp": "stomp+wss",
    "ws+mqtt": "mqtt+ws",
    "wss+mqtt": "mqtt+wss",
}
"""Spellings of a scheme in use elsewhere, and ours."""

WEB_SOCKETS = ("ws", "wss")
"""Schemes that name no messaging protocol; `with_protocol` completes them."""

PROTOCOLS = ("stomp", "mqtt", "bayeux")

MQTT_3_1, MQTT_3_1_1, MQTT_5 = MQTT_VERSIONS = ("3.1", "3.1.1", "5")

DEFAULT_PORTS = {
    "stomp": 61613,
    "stomp+ssl": 61614,
    "stomp+ws": 80,
    "stomp+wss": 443,
    "mqtt": 1883,
    "mqtt+ssl": 8883,
    "mqtt+ws": 80,
    "mqtt+wss": 443,
    "bayeux+http": 80,
    "bayeux+https": 443,
    "bayeux+ws": 80,
    "bayeux+wss": 443,
    "bayeux+sse": 80,
    "bayeux+sses": 443,
    "ws": 80,
    "wss": 443,
    "mem": 0,
}
"""The port of a scheme where the URL names none (61614 is where Amazon MQ and RabbitMQ serve STOMP over TLS)."""

PORT_MAX = 65_535

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_NO_PORT = re.compile(r":(?!//|\d{1,5}(?:[,/]|$)).*", re.DOTALL)
_HOSTS = re.compile(r"[\w.,:<>\[\]+/-]*")
_QUERY = re.compile(r"([?#]).+", re.DOTALL)
_SHAPE = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<rest>.+)", re.DOTALL)


def parse_url(text: str) -> Url:
    """Read a broker URL, or a comma list of them with one scheme, which is a failover list.

    Raises:
        ConfigError: It is no URL, mixes schemes, or names an impossible port.
    """
    if text.startswith("failover:"):
        raise ConfigError(
            "failover:(…) is how ActiveMQ's own clients write a list of OpenWire addresses",
            hint="write the STOMP or MQTT addresses with a comma between: stomp+ssl://one:61614,stomp+ssl://two:61614",
        )
    parts = [_parse_one(part.strip(), text) for part in _split_list(text)]
    first = parts[0]
    if any(part.scheme != first.scheme for part in parts):
        raise ConfigError(f"a failover list keeps to one scheme: {_without_password(text)!r}")
    path, query = _shared(part.path for part in parts), _shared(part.query for part in parts)
    endpoints = tuple(endpoint for part in parts for endpoint in part.endpoints)
    user = next((part.user for part in parts if part.user is not None), None)
    password = next((part.password for part in parts if part.password is not None), None)
    return Url(first.scheme, endpoints, path or "", user, password, query)


def with_protocol(url: Url, protocol: str | None) -> Url:
    """The same URL, where it is a bare `ws://` or `wss://` with the messaging protocol that is spoken there.

    Raises:
        ConfigError: Nobody said which, or the URL says another one.
    """
    if url.scheme in WEB_SOCKETS:
        if protocol is None:
            raise ConfigError(
                f"{url.scheme}:// does not say which protocol is spoken",
                hint=f"write {' or '.join(f'{name}+{url.scheme}://' for name in PROTOCOLS)}, or use --protocol",
            )
        return url._replace(scheme=f"{protocol}+{url.scheme}")
    if protocol is not None and url.scheme.partition("+")[0] != protocol:
        raise ConfigError(f"--protocol {protocol} does not fit {url.scheme}://")
    return url


def is_clean(clean: bool | None, client_id: str | None) -> bool:
    """Whether an MQTT broker forgets a client that leaves: as asked for, else one that has no id of its own."""
    return client_id is None if clean is None else clean


def is_encrypted(scheme: str) -> bool:
    """Whether a scheme means TLS."""
    return scheme.endswith(("ssl", "wss", "https", "sses"))


def is_web_socket(scheme: str) -> bool:
    """Whether a scheme means WebSocket."""
    return scheme.endswith(("ws", "wss"))


def is_http(scheme: str) -> bool:
    """Whether a scheme means that a server is spoken to in HTTP, for WebSocket at least at first."""
    return is_web_socket(scheme) or scheme.endswith(("http", "https", "sse", "sses"))


def parse_endpoint(text: str) -> Endpoint:
    """Read `HOST:PORT` or a port alone, which is on this machine only.

    Raises:
        ConfigError: It is neither.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
        raise ConfigError(f"not an address: {text!r}", hint="an address looks like 127.0.0.1:61613")
    return Endpoint(host.strip("[]") or "127.0.0.1", int(port))


def _shared(said: Iterable[_T]) -> _T | None:
    """What all parts of a failover list mean, though not each has to say it."""
    different = {each for each in said if each}
    if len(different) > 1:
        raise ConfigError("a failover list keeps to one path and one query", hint="write them behind the last host")
    return different.pop() if different else None


def _split_list(text: str) -> list[str]:
    """A later element may leave out the scheme: `stomp://a,b:61614`."""
    scheme, separator, _ = text.partition("://")
    if not separator:
        return [text]
    lines = text.split()
    # Consoles show the addresses of one broker in lines of their own, and that is how they are pasted.
    pasted = ",".join(lines) if all("://" in line for line in lines) else text
    items = [item for item in pasted.split(",") if item.strip()]
    if any("@" in item and "://" not in item for item in items):
        raise _bad_login(text)
    if any("?" in item and "://" not in after for item, after in pairwise(items)):
        raise ConfigError(f"a ',' in the query of {_without_password(text)!r}", hint="write %2C for it")
    return [item if "://" in item else f"{scheme}://{item.strip()}" for item in items] or [text]


def _parse_one(text: str, whole: str) -> Url:
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ConfigError(
            f"not a broker URL: {_without_password(whole)!r}", hint="a URL looks like stomp://localhost:61613"
        )
    scheme = shape["scheme"].lower()
    scheme = ALIASES.get(scheme, scheme)
    try:
        split = urlsplit("//" + shape["rest"])
        port = split.port
    except ValueError:
        # Its words quote what stands where the port should be, which may be a password or half of one.
        if "@" in whole:
            raise _bad_login(whole) from None
        raise ConfigError(
            f"bad host or port in {_without_password(whole)!r}",
            hint=f"a port is a number up to {PORT_MAX}; a user and a password stand before the host and an '@'",
        ) from None
    if "@" in split.path + split.query + split.fragment:
        raise _bad_login(whole)
    _check_rest(scheme, split, whole)
    return Url(
        scheme,
        (Endpoint(split.hostname or "localhost", DEFAULT_PORTS.get(scheme, 0) if port is None else port),),
        split.path,
        unquote(split.username) if split.username else None,
        Secret(unquote(split.password)) if split.password else None,
        Secret(split.query) if split.query else None,
    )


def _check_rest(scheme: str, split: SplitResult, whole: str) -> None:
    """Refuse what nobody would be told of: only a server of HTTP hears path and query, and none a fragment."""
    if split.fragment:
        raise ConfigError(f"a broker URL has no '#': {_without_password(whole)!r}", hint="write %23 for one in a path")
    if is_http(scheme):
        return
    if split.query:
        raise ConfigError(
            f"{scheme}:// has no '?': {_without_password(whole)!r}", hint="options have flags and profile settings"
        )
    if scheme.partition("+")[0] in PROTOCOLS and split.path.strip("/"):
        raise ConfigError(
            f"{scheme}:// has no path",
            hint="--vhost names a virtual host; over WebSocket, where there is a path, the scheme is "
            + (f"{scheme.partition('+')[0]}+wss" if is_encrypted(scheme) else f"{scheme}+ws"),
        )


def _bad_login(text: str) -> ConfigError:
    return ConfigError(
        f"bad user, password, port or query in {_without_password(text)!r}",
        hint="in a user, password or query write %2C for ',', %40 for '@', %23 for '#', and in the first two "
        "%2F for '/', %3A for ':', %3F for '?'",
    )


def _without_password(text: str) -> str:
    """The URL or list for a message, without all that may be a user, a password or a token, well formed or not."""
    head, at, tail = text.rpartition("@")
    if not at:
        return _NO_PORT.sub(":***", _QUERY.sub(r"\1***", text))
    scheme = _SCHEME.match(head)
    # Behind a '?', the last '@' may be in a token.
    plain = _HOSTS.fullmatch(tail) and not _QUERY.search(head)
    return f"{scheme.group()}***@{tail if plain else '***'}" if scheme else "***"
