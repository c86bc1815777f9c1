"""How a hub is set up, and what a set-up must not be."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from mqctl.broker.values import Limits as BrokerLimits
from mqctl.broker.values import SlowConsumer
from mqctl.errors import ConfigError
from mqctl.hub.doorman import is_loopback
from mqctl.hub.events import HubEvent
from mqctl.hub.rules import NO_RULES, Rule, Rules
from mqctl.hub.services import Service
from mqctl.hub.upstream import Upstream
from mqctl.protocols.bayeux.session import Terms
from mqctl.protocols.bayeux.spec import ConnectionType
from mqctl.protocols.bayeux.spec import Limits as BayeuxLimits
from mqctl.protocols.stomp.spec import Limits as StompLimits
from mqctl.target import DEFAULT_PORTS, Endpoint, Secret

DEFAULT_STOMP = Endpoint("127.0.0.1", DEFAULT_PORTS["stomp"])
DEFAULT_HTTP = Endpoint("127.0.0.1", 61680)
"""Beside STOMP's port, and above those that systems hand out by themselves."""

STOMP_PATHS = ("/stomp", "/ws")
"""Where STOMP is on the HTTP port: its own name, and RabbitMQ's path."""

BAYEUX_PATHS = ("/bayeux", "/cometd")
"""Where Bayeux is on the HTTP port, with all below: its own name, and the path of CometD's examples."""

HTTP_URLS = (f"stomp+ws://{{}}{STOMP_PATHS[0]}", f"bayeux+http://{{}}{BAYEUX_PATHS[0]}", "http://{}/")
"""What an HTTP listener is to clients of each protocol, and to people; a format of where it is."""

DRAIN_S = 5.0

HEART_BEAT_MS = 10_000
"""How often the hub is willing to send a heart-beat, and wants one."""


def ignore(_event: HubEvent) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubConfig:
    """Where a hub listens, whom it lets in, and all its bounds.

    `http` is where WebSocket, `/healthz` and `/metrics` are; `allow_origins` has the web pages from elsewhere that may
    connect there, as `doorman.read_origin` gives them.

    Raises:
        ConfigError: It would be open to the network without a password.
    """

    stomp: tuple[Endpoint, ...] = (DEFAULT_STOMP,)
    http: tuple[Endpoint, ...] = ()
    allow_origins: tuple[str, ...] = ()
    behind_proxy: bool = False
    """Whether to believe what requests say of the client that asked a proxy for them."""
    rules: Rules = NO_RULES
    user: str | None = None
    password: Secret | None = None
    slow_consumer: SlowConsumer = SlowConsumer.DROP_OLDEST
    broker_limits: BrokerLimits = field(default_factory=BrokerLimits)
    stomp_limits: StompLimits = field(default_factory=StompLimits)
    bayeux_limits: BayeuxLimits = field(default_factory=BayeuxLimits)
    bayeux_terms: Terms = field(default_factory=Terms)
    lazy: tuple[Rule, ...] = ()
    """Topics whose messages may wait for others on their way to clients of Bayeux."""
    no_markup: tuple[Rule, ...] = ()
    """Topics where clients of Bayeux publish no markup: its brackets become what HTML has for them."""
    bayeux_timestamps: bool = False
    """Whether what clients of Bayeux are sent says when it left."""
    callback_polling: bool = False
    """Whether answers may be scripts, which any page can read, whatever its origin."""
    heart_beat_ms: int = HEART_BEAT_MS
    drain_s: float = DRAIN_S
    """How long a shutdown waits for what is on its way out."""
    upstream: Upstream | None = None
    """The broker that this hub stands in front of."""
    write_buffer_bytes: int = 1024 * 1024
    """Bytes on their way to one connection before it counts as slow."""
    unread_timeout_s: float = 300.0
    """How long a slow connection may take nothing at all: one without heart-beats would keep its buffers for ever."""
    on_event: Callable[[HubEvent], None] = ignore
    services: tuple[Service, ...] = ()
    """What answers clients of Bayeux on `/service/**`."""

    def __post_init__(self) -> None:
        for endpoint in (*self.stomp, *self.http):
            if self.password is None and not is_loopback(endpoint.host):
                raise ConfigError(
                    f"a hub that listens on {endpoint} is open to the network, so it needs a password",
                    hint="--user NAME --password env:VARIABLE",
                )

    @property
    def bayeux_connection_types(self) -> tuple[ConnectionType, ...]:
        """What Bayeux may come by, the best first."""
        return tuple(
            each for each in ConnectionType if self.callback_polling or each != ConnectionType.CALLBACK_POLLING
        )

    def authenticate(self, user: str | None, password: str | None) -> bool:
        """Whether somebody may come in; takes the same time whatever is wrong."""
        if self.password is None:
            return True
        right_user = self.user is None or _same(user, self.user)
        right_password = _same(password, self.password.reveal())
        return right_user and right_password


def _same(said: str | None, wanted: str) -> bool:
    """Headers may say what is no text, and so may the environment."""
    one, other = (each.encode(errors="surrogateescape") for each in (said or "", wanted))
    return hmac.compare_digest(one, other)
