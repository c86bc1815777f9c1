"""What a client of Bayeux wants done, and what it has to tell."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from mqctl.protocols.bayeux.message import Message

SILENT: Final = "the server does not answer any more"
"""Why it is over where an answer is overdue."""


class Lane(enum.Enum):
    """Which way a request goes. Over WebSocket both are one."""

    CONNECT = enum.auto()
    """It may be held for long."""
    REQUEST = enum.auto()


class Send(NamedTuple):
    """Send this, over that lane. A handshake goes alone, and so does a connect."""

    lane: Lane
    message: Message


class Listen(NamedTuple):
    """Open the event stream of a session, in place of the one before; what is published then comes by it."""

    client_id: str


class Deliver(NamedTuple):
    """A message for the user. It has a number where the user is to say that it was handled."""

    message: Message
    number: int | None = None


class Answered(NamedTuple):
    """A request of the user's is done, or refused in the server's words."""

    request: str
    refusal: str | None


class Forgotten(NamedTuple):
    """The server has forgotten the session; a new one is asked for. What is published meanwhile does not come."""

    reason: str


class Unsubscribed(NamedTuple):
    """A subscription of the session before was refused in this one."""

    channel: str
    reason: str


class Lost(NamedTuple):
    """It is over.

    Attributes:
        reason: Why.
        denied: Whether the server does not let us in.
        unserved: Whether it does not offer what we speak.
    """

    reason: str
    denied: bool = False
    unserved: bool = False


class Left(NamedTuple):
    """The server has heard that we leave."""


Action = Send | Listen | Deliver | Answered | Forgotten | Unsubscribed | Lost | Left
