"""What a hub counts, as Prometheus reads it (text exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mqctl import __version__
from mqctl.broker.core import BrokerStats
from mqctl.hub.upstream import UpstreamStats

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_NAMES: Final = (
    ("sessions", "sessions", "gauge", "Clients that are logged in."),
    ("subscriptions", "subscriptions", "gauge", "Subscriptions of these."),
    ("queues", "queues", "gauge", "Queues that hold messages or have consumers."),
    ("durables", "durable_subscriptions", "gauge", "Durable subscriptions, their clients here or away."),
    ("held_publishers", "held_publishers", "gauge", "Publishers that are not read from until there is room."),
    ("waiting", "waiting_messages", "gauge", "Messages in all queues and backlogs."),
    ("in_flight", "in_flight_messages", "gauge", "Messages delivered and not acknowledged."),
    ("memory_bytes", "held_bytes", "gauge", "What the messages held take, each counted once."),
    ("published", "published_messages_total", "counter", "Messages that came in."),
    ("delivered", "delivered_messages_total", "counter", "Messages that went out, once for each subscriber."),
    ("dropped", "dropped_messages_total", "counter", "Messages that will not be delivered."),
    ("dead_lettered", "dead_lettered_messages_total", "counter", "Messages refused too often."),
)
"""Of the broker's counts: the field, the metric after `mqctl_hub_`, its kind, its help."""

_UPSTREAM: Final = (
    ("connected", "connected", "gauge", "Whether there is a connection to the broker upstream."),
    ("waiting", "waiting_messages", "gauge", "Messages on their way there that it has not confirmed."),
    ("forwarded", "forwarded_messages_total", "counter", "Messages taken along there."),
    ("confirmed", "confirmed_messages_total", "counter", "Of these, messages that it has."),
    ("rejected", "rejected_messages_total", "counter", "Of these, messages that it refused."),
    ("unknown", "unknown_messages_total", "counter", "Of these, messages that nobody knows of whether it has them."),
    ("received", "received_messages_total", "counter", "Messages that came from there."),
    ("dropped", "dropped_messages_total", "counter", "Messages lost on the way, there or back."),
)
"""The same of a broker upstream, after `mqctl_upstream_`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BayeuxStats:
    """Sessions of Bayeux."""

    sessions: Mapping[str, int] = field(default_factory=dict)
    """By what their clients hear of them: a connection type, or `none` for those that are away."""
    waiting: int = 0
    """Messages in their queues, sent ones that were not acknowledged too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A hub at one moment."""

    broker: BrokerStats
    connections: int
    """Open, logged in or not."""
    listener_failures: int
    """Of those who hear the hub's events, and of services."""
    uptime_s: float
    bayeux: BayeuxStats = field(default_factory=BayeuxStats)
    upstream: UpstreamStats | None = None


def prometheus(snapshot: Snapshot) -> str:
    """The page that `/metrics` serves."""
    failures = snapshot.listener_failures
    broker = replace(snapshot.broker, waiting=snapshot.broker.waiting + snapshot.bayeux.waiting)
    rows = [
        ("info", "gauge", "Always 1; the version is its label.", f'{{version="{__version__}"}} 1'),
        ("uptime_seconds", "gauge", "Since the hub began to listen.", f" {snapshot.uptime_s:.3f}"),
        ("connections", "gauge", "Connections, logged in or not.", f" {snapshot.connections}"),
        ("listener_failures_total", "counter", "What listeners and services failed at.", f" {failures}"),
        *((name, kind, says, f" {getattr(broker, field)}") for field, name, kind, says in _NAMES),
        (
            "bayeux_sessions",
            "gauge",
            "Sessions of Bayeux, by what their clients hear of them, or none while they are away.",
            *(f'{{transport="{transport}"}} {count}' for transport, count in snapshot.bayeux.sessions.items()),
        ),
    ]
    return "".join(_row(f"mqctl_hub_{name}", *rest) for name, *rest in rows) + "".join(
        _row(f"mqctl_upstream_{name}", kind, says, f" {int(getattr(snapshot.upstream, field))}")
        for field, name, kind, says in (_UPSTREAM if snapshot.upstream is not None else ())
    )


def _row(name: str, kind: str, says: str, *values: str) -> str:
    lines = "".join(f"{name}{value}\n" for value in values)
    return f"# HELP {name} {says}\n# TYPE {name} {kind}\n{lines}"
