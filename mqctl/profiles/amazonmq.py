"""What goes wrong at Amazon MQ, told from a host's name and a failure: the next step for each. Pure.

That every endpoint speaks TLS, and the shape of a host's name, is in Amazon MQ's Developer Guide ("Amazon MQ for
ActiveMQ brokers"); newer brokers have names under `on.aws`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from mqctl.errors import ConfigError, UnsupportedError
from mqctl.target import MQTT_5, PROTOCOLS, WEB_SOCKETS, Endpoint, Url, is_encrypted, is_web_socket

RABBITMQ_ENGINE: Final = (
    "the RabbitMQ engine of Amazon MQ offers AMQP only, neither STOMP nor MQTT: use a broker of its ActiveMQ engine, "
    "or a RabbitMQ of your own with the STOMP or MQTT plugin"
)
"""The one sentence about that engine; the profile `amazonmq-rabbitmq` says it too."""

_STOMP, _MQTT, _WEB_SOCKET = "STOMP", "MQTT", "WebSocket"
PORTS: Final = {
    61614: _STOMP,
    8883: _MQTT,
    61619: _WEB_SOCKET,
    61617: "OpenWire",
    5671: "AMQP",
    8162: "the web console",
    443: "the web console of its RabbitMQ engine",
}
"""What is served there. A port that is not here may be anything; 443 is what a URL without a port means."""

TAKE_ANOTHER: Final = "take the endpoint of the same broker that begins with stomp+ssl://, mqtt+ssl:// or wss://"

BROKER_ID: Final = r"b-[0-9a-z]{8}(?:-[0-9a-z]{4}){3}-[0-9a-z]{12}"
_HOST: Final = (
    rf"(?i)(?P<id>{BROKER_ID})(?:-(?P<instance>\d))?\.mq\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|on\.aws)"
)


class Problem(enum.Enum):
    """Why there is no connection, as the transport saw it, or that the broker said no."""

    REFUSED = enum.auto()
    TIMEOUT = enum.auto()
    NO_HOST = enum.auto()
    HUNG_UP = enum.auto()
    DENIED = enum.auto()


class Host(NamedTuple):
    """What the name of a host at Amazon MQ says. RabbitMQ brokers have no `instance`; ActiveMQ's are "1" and "2"."""

    broker_id: str
    instance: str | None
    region: str


def read_host(name: str) -> Host | None:
    """A host's name taken apart; None where it is not at Amazon MQ."""
    if ".mq." not in name.lower():
        return None  # compiling the expression would cost every start half a millisecond
    shape = re.fullmatch(_HOST, name)
    return Host(shape["id"].lower(), shape["instance"], shape["region"].lower()) if shape else None


def find_host(text: str) -> Host | None:
    """The first host at Amazon MQ that a text, such as a URL, names."""
    shape = re.search(_HOST, text)
    return read_host(shape[0]) if shape else None


def hint_for(endpoint: Endpoint, problem: Problem, named: Iterable[Endpoint] = ()) -> str | None:
    """The next step after a failure; None where the endpoint is not at Amazon MQ.

    Args:
        endpoint: Where it failed.
        problem: How.
        named: All endpoints that the user named.
    """
    host = read_host(endpoint.host)
    if host is None:
        return None
    if problem is Problem.NO_HOST:
        return f"the broker is gone, or not in {host.region}: compare with the endpoints that its console page shows"
    if problem in _ADVICE:
        return _ADVICE[problem]
    halves = {each.instance for other in named if (each := read_host(other.host)) and each.broker_id == host.broker_id}
    steps = [_STEPS[problem].format(port=endpoint.port), _NOBODY if len(halves) > 1 else _BOTH]
    return "; ".join(steps)


_STEPS: Final = {
    Problem.REFUSED: "look whether the broker is RUNNING",
    Problem.TIMEOUT: "its security group must let port {port} in, and if it is not public it answers in its VPC only",
}
_ADVICE: Final = {
    Problem.HUNG_UP: (
        "ActiveMQ at Amazon MQ hangs up when all connections of the protocol are taken (300 on a micro instance, 2000 "
        "on a large one), and on who speaks another protocol, such as MQTT 5; it wants no client certificate"
    ),
    Problem.DENIED: (
        "Amazon MQ lets in the users of the broker, not those of IAM; with an authorisation map, the user's group "
        "needs rights on the destination and on ActiveMQ.Advisory.>, and being let into the web console gives none"
    ),
}
_BOTH: Final = "of an active/standby pair one answers at a time: name both endpoints, -1 and -2, with a comma between"
_NOBODY: Final = "while a pair changes places, nobody answers for some seconds"


def other_engine(who: str) -> UnsupportedError:
    """The error about a broker of the RabbitMQ engine; `who` is the broker or its host."""
    sentence, _, advice = RABBITMQ_ENGINE.partition(": ")
    return UnsupportedError(f"{who} cannot be reached: {sentence}", hint=advice)


def check_url(url: Url) -> None:
    """Refuse what can never work, before a password goes out in plain text and before anybody waits for an answer.

    Raises:
        UnsupportedError: It is a host of the RabbitMQ engine.
        ConfigError: The URL speaks plain text to an endpoint of Amazon MQ, or names a port of another protocol.
    """
    for endpoint in url.endpoints:
        if host := read_host(endpoint.host):
            _check_endpoint(url, endpoint, host)


def _check_endpoint(url: Url, endpoint: Endpoint, host: Host) -> None:
    if host.instance is None:
        raise other_engine(f"{endpoint.host}, a host without -1 or -2,")
    protocol = url.scheme.partition("+")[0]
    if protocol not in (*PROTOCOLS, *WEB_SOCKETS):
        return  # the registry of transports knows better what such a scheme is
    if protocol == "bayeux":
        raise ConfigError("Amazon MQ does not speak Bayeux", hint=TAKE_ANOTHER)
    if not is_encrypted(url.scheme):
        raise ConfigError(f"{url.scheme}:// is not encrypted, and {endpoint} takes TLS only", hint=_tls_twin(url))
    ours = _WEB_SOCKET if is_web_socket(url.scheme) else protocol.upper()
    theirs = PORTS.get(endpoint.port, ours)
    if theirs != ours:
        at = [f"{ours} is at {port}; " for port, served in PORTS.items() if served == ours]
        raise ConfigError(f"port {endpoint.port} of Amazon MQ is {theirs}", hint="".join(at) + TAKE_ANOTHER)


def how_to_fill_in(url: Url, profile: str) -> str:
    """What to type in place of a sample whose address has placeholders."""
    own = f"mqctl profile add NAME --extends {profile} --url URL"
    at_amazon = any(".mq." in endpoint.host for endpoint in url.endpoints)
    return f"mqctl profile add NAME --amazonmq BROKER, or {own}" if at_amazon else own


def _tls_twin(url: Url) -> str:
    if not is_web_socket(url.scheme):
        return f"use {url.scheme}+ssl://"
    return f"use {url.scheme}s:// and port 61619"


def remarks(url: Url, *, heart_beat_s: float, mqtt_version: str) -> Iterator[str]:
    """What somebody who uses this URL should know before it hurts."""
    hosts = [host for endpoint in url.endpoints if (host := read_host(endpoint.host))]
    if hosts and not heart_beat_s:
        yield "heart-beats are off, and a connection to Amazon MQ without traffic is cut on the way"
    if hosts and mqtt_version == MQTT_5 and (url.scheme in WEB_SOCKETS or url.scheme.startswith("mqtt")):
        yield "ActiveMQ at Amazon MQ speaks MQTT 3.1 and 3.1.1, not 5"
    if [host.instance for host in hosts] == ["2"]:
        yield "-2 is one half of an active/standby pair, which often does not answer: name the -1 endpoint too"
