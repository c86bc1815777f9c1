"""What a hub tells about itself while it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A client was let in."""

    session: str
    peer: str
    protocol: str
    client_id: str | None


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A session ended, and why; `timed_out` where its client was not heard of in time."""

    session: str
    peer: str
    reason: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A client has a subscription."""

    session: str
    destination: str


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """A client ended a subscription; those that end with their session are not told one by one."""

    session: str
    destination: str


@dataclass(frozen=True, slots=True)
class MessagesDropped:
    """Messages that will not be delivered; `session` None when nobody in particular misses them."""

    destination: str
    count: int
    reason: str
    session: str | None


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """A message was refused too often."""

    destination: str
    message_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class DurableEnded:
    """A durable subscription was not taken up again in time; what it had kept is told as dropped."""

    client_id: str
    name: str
    destination: str


@dataclass(frozen=True, slots=True)
class UpstreamLost:
    """The connection to the broker upstream went away."""

    reason: str


@dataclass(frozen=True, slots=True)
class UpstreamBack:
    """There is one again, after so many attempts and milliseconds."""

    peer: str
    attempts: int
    missing_ms: int


@dataclass(frozen=True, slots=True)
class EventsLost:
    """Events that were not told because nobody took them in time."""

    count: int


HubEvent = (
    SessionOpened
    | SessionClosed
    | Subscribed
    | Unsubscribed
    | MessagesDropped
    | DeadLettered
    | DurableEnded
    | UpstreamLost
    | UpstreamBack
    | EventsLost
)

_NAMES: dict[type[HubEvent], str] = {
    SessionOpened: "opened",
    SessionClosed: "closed",
    Subscribed: "subscribed",
    Unsubscribed: "unsubscribed",
    MessagesDropped: "dropped",
    DeadLettered: "dead-lettered",
    DurableEnded: "durable-ended",
    UpstreamLost: "upstream-lost",
    UpstreamBack: "upstream-back",
    EventsLost: "events-lost",
}


def as_json(event: HubEvent) -> str:
    """One line of `--events`."""
    return msgspec.json.encode({"event": _NAMES[type(event)], **asdict(event)}).decode()
