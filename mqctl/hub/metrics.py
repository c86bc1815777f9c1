"""What a hub counts, as Prometheus reads it (text exposition format 0.0.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mqctl import __version__
from mqctl.broker.core import BrokerStats

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A hub at one moment."""

    broker: BrokerStats
    connections: int
    """Open, logged in or not."""
    listener_failures: int
    """Of those who hear the hub's events, and of services."""
    uptime_s: float


def prometheus(snapshot: Snapshot) -> str:
    """The page that `/metrics` serves."""
    failures = snapshot.listener_failures
    rows = [
        ("info", "gauge", "Always 1; the version is its label.", f'{{version="{__version__}"}} 1'),
        ("uptime_seconds", "gauge", "Since the hub began to listen.", f" {snapshot.uptime_s:.3f}"),
        ("connections", "gauge", "Connections, logged in or not.", f" {snapshot.connections}"),
        ("listener_failures_total", "counter", "What listeners and services failed at.", f" {failures}"),
        *((name, kind, says, f" {getattr(snapshot.broker, field)}") for field, name, kind, says in _NAMES),
    ]
    return "".join(
        f"# HELP mqctl_hub_{name} {says}\n# TYPE mqctl_hub_{name} {kind}\nmqctl_hub_{name}{value}\n"
        for name, kind, says, value in rows
    )
