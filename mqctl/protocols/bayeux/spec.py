"""What Bayeux 1.0 fixes: channels, connection types, advice, errors; and the limits that it leaves to us."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

VERSION: Final = "1.0"

COOKIE: Final = "BAYEUX_BROWSER"
"""The cookie that ties sessions to the client that made them, over HTTP."""

MEDIA_TYPE: Final = "application/json;charset=UTF-8"
EVENT_STREAM: Final = "text/event-stream"


class Meta(enum.StrEnum):
    """The channels that are requests to the server. Compared whole: `/meta/subscribe/x` is none of them."""

    HANDSHAKE = "/meta/handshake"
    CONNECT = "/meta/connect"
    DISCONNECT = "/meta/disconnect"
    SUBSCRIBE = "/meta/subscribe"
    UNSUBSCRIBE = "/meta/unsubscribe"


class ConnectionType(enum.StrEnum):
    """How a client gets what is sent to it; servers list these in the order in which they prefer them."""

    WEBSOCKET = "websocket"
    EVENT_SOURCE = "eventsource"
    LONG_POLLING = "long-polling"
    CALLBACK_POLLING = "callback-polling"


class Delivery(enum.StrEnum):
    """When a session gets messages, as its client asks for it."""

    DEFAULT = "default"
    """With any reply, and over a socket as they come."""
    CONNECTS_ONLY = "connects-only"
    """With replies to connects only (CometD's metaConnectDeliverOnly), one after the other."""
    ACKNOWLEDGED = "acknowledged"
    """Likewise; and what came is acknowledged with the next connect, or comes again (CometD's ack extension)."""


class Reconnect(enum.StrEnum):
    """What a client is to do after a reply (Bayeux, 2.4.1)."""

    RETRY = "retry"
    HANDSHAKE = "handshake"
    NONE = "none"


class Advice:
    """The names of what servers advise, and of what clients ask for in a connect."""

    RECONNECT: Final = "reconnect"
    INTERVAL: Final = "interval"
    TIMEOUT: Final = "timeout"
    MAX_INTERVAL: Final = "maxInterval"
    MULTIPLE_CLIENTS: Final = "multiple-clients"


class Ext:
    """The names of extensions in `ext`."""

    ACK: Final = "ack"
    TIMESYNC: Final = "timesync"
    BINARY: Final = "binary"
    DELIVER_ONLY: Final = "metaConnectDeliverOnly"
    """In a handshake, ours: true has messages come with replies to connects only, by the name of CometD's option."""
    AUTHENTICATION: Final = "authentication"
    """In a handshake: an object with `user` and `password`, or with `token`, which is the password alone."""
    HEADERS: Final = "headers"
    """Of a message: an object of texts, what other protocols have as headers."""


class Error:
    """What servers say of a failed request, as CometD words it."""

    CHANNEL_MISSING: Final = "400::channel_missing"
    DATA_MISSING: Final = "400::data_missing"
    SESSION_UNKNOWN: Final = "402::session_unknown"
    CHANNEL_DENIED: Final = "403:denied_by_security_policy:channel_create_denied"
    SUBSCRIBE_DENIED: Final = "403:denied_by_security_policy:subscribe_denied"
    CREATE_DENIED: Final = "403:denied_by_security_policy:create_denied"
    SUBSCRIPTION_MISSING: Final = "403::subscription_missing"
    SUBSCRIPTION_INVALID: Final = "403::subscription_invalid"
    UNSUBSCRIBE_FAILED: Final = "403::unsubscribe_failed"
    CHANNEL_INVALID: Final = "405::channel_invalid"
    MESSAGE_ID_INVALID: Final = "405::message_id_invalid"
    NO_TRANSPORT: Final = "405::no_transport"


def error(code: int, text: str, *arguments: str) -> str:
    """An error of our own: `DDD:argument,argument:text` (Bayeux, 3.4). Colons would cut it in pieces."""
    return f"{code}:{','.join(argument.replace(':', ' ') for argument in arguments)}:{text}"


def error_text(value: str) -> str:
    """The text of an error, whatever servers put there; they do not all keep to the grammar."""
    code, _, rest = value.partition(":")
    if not code.isascii() or not code.isdigit() or ":" not in rest:
        return value
    arguments, _, text = rest.partition(":")
    return f"{text} ({arguments})" if arguments and text else text or arguments or value


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server refuses. Each refusal names the field that it ran into."""

    body_bytes: int = 16 * 1024 * 1024
    """A request, or a message of WebSocket."""
    messages: int = 1_000
    """Of one request."""
    depth: int = 64
    """Arrays and objects within each other."""
    channel_chars: int = 1_024
    id_chars: int = 256
    subscriptions: int = 1_000
    """Channels in one request."""
