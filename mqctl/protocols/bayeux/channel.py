"""Channels: which names are legal, what kind they are, and which patterns they match."""

from __future__ import annotations

import enum
import re
from typing import Final

from mqctl.topics import BAYEUX_LEVEL

ONE: Final = "*"
"""As the last segment: any one segment."""
SUBTREE: Final = "**"
"""As the last segment: any one segment or more. It does not match what stands before it."""
META_PREFIX: Final = "/meta/"
SERVICE_PREFIX: Final = "/service/"

_CHANNEL: Final = re.compile(rf"(?:/{BAYEUX_LEVEL})*/(?:{BAYEUX_LEVEL}|\*\*?)")
"""A star is a wildcard, and no part of a name."""


class Kind(enum.Enum):
    """What becomes of a message (Bayeux, 2.2)."""

    META = "meta"
    """It is a request to the server."""
    SERVICE = "service"
    """It is for listeners in the server, and never goes to other clients."""
    BROADCAST = "broadcast"
    """It goes to whoever subscribed."""


def kind_of(channel: str) -> Kind:
    """What kind of channel a name is."""
    if channel.startswith(META_PREFIX):
        return Kind.META
    return Kind.SERVICE if channel.startswith(SERVICE_PREFIX) else Kind.BROADCAST


def normalised(channel: str) -> str:
    """Without the slash at the end, which CometD does not mind."""
    return channel[:-1] if len(channel) > 1 and channel.endswith("/") else channel


def is_legal(channel: str) -> bool:
    """Whether a normalised name can be subscribed to, or if it is not wild published to."""
    return _CHANNEL.fullmatch(channel) is not None


def is_wild(channel: str) -> bool:
    """Whether a legal name stands for many channels."""
    return channel.endswith(ONE)


def matching(channel: str) -> tuple[str, ...]:
    """The names under which a channel may be subscribed to: itself, then patterns from the nearest to the widest."""
    segments = channel.split("/")
    parents = ["/".join(segments[:depth]) for depth in range(len(segments) - 1, 0, -1)]
    return (channel, f"{parents[0]}/{ONE}", *(f"{parent}/{SUBTREE}" for parent in parents))


def matches(pattern: str, channel: str) -> bool:
    """Whether what is sent to a channel goes to the subscribers of a pattern, or of the channel itself."""
    return pattern in matching(channel)
