"""Services: what answers, inside the hub, clients of Bayeux that publish to `/service/**`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Raw

from mqctl.protocols.bayeux.channel import Kind, is_legal, is_wild, kind_of
from mqctl.protocols.bayeux.message import Message, encode

REPLIES_MAX: Final = 1_000
"""Of a service to one message."""


@dataclass(frozen=True, slots=True)
class ServiceMessage:
    """What a client has for a service.

    Args:
        session: The client, by the name that it has in the hub's events.
        channel: Where it published, `/service/…`.
        data: What its JSON says.
    """

    session: str
    channel: str
    data: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client that asked is sent, and nobody else.

    Args:
        data: Whatever can be JSON.
        channel: Where it comes; None where the client had published.
        successful: Whether what the client called for was done, where this is the result of a call (`remoteCall` of
            CometD's clients); None where it is a message as any.
    """

    data: Any
    channel: str | None = None
    successful: bool | None = None


Service = Callable[[ServiceMessage], Iterable[Reply]]


def ask(service: Service, session: str, message: Message) -> list[tuple[str, bytes]]:
    """Let a service answer; channels, and messages as they travel.

    Raises:
        Exception: Whatever the service raises.
        ValueError: It answers too much, or on a channel where nothing can be sent.
    """
    channel = message.channel
    assert isinstance(channel, str)
    replies = list(
        islice(service(ServiceMessage(session, channel, msgspec.json.decode(message.data))), REPLIES_MAX + 1)
    )
    if len(replies) > REPLIES_MAX:
        raise ValueError(f"a service answered a message on {channel} with more than {REPLIES_MAX}")
    return [_encoded(reply, channel if reply.channel is None else reply.channel, message) for reply in replies]


def _encoded(reply: Reply, channel: str, request: Message) -> tuple[str, bytes]:
    if not is_legal(channel) or is_wild(channel) or kind_of(channel) is Kind.META:
        raise ValueError(f"a service answered on {channel!r}, where nothing can be sent")
    made = Message(channel=channel, data=Raw(msgspec.json.encode(reply.data)))
    if reply.successful is not None:
        made.id, made.successful = request.id, reply.successful
    return channel, encode(made)
