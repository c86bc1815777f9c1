"""What STOMP 1.0, 1.1 and 1.2 fix: versions, names, escapes; and the limits that the specification leaves to us."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class Version(enum.StrEnum):
    """A version of STOMP. They compare in their order of age."""

    V1_0 = "1.0"
    V1_1 = "1.1"
    V1_2 = "1.2"


ALL_VERSIONS: Final = ",".join(Version)
"""What `accept-version` offers, and what a refusal names."""


class Command:
    """The names of the frames."""

    CONNECT: Final = "CONNECT"
    STOMP: Final = "STOMP"
    CONNECTED: Final = "CONNECTED"
    SEND: Final = "SEND"
    SUBSCRIBE: Final = "SUBSCRIBE"
    UNSUBSCRIBE: Final = "UNSUBSCRIBE"
    ACK: Final = "ACK"
    NACK: Final = "NACK"
    BEGIN: Final = "BEGIN"
    COMMIT: Final = "COMMIT"
    ABORT: Final = "ABORT"
    DISCONNECT: Final = "DISCONNECT"
    MESSAGE: Final = "MESSAGE"
    RECEIPT: Final = "RECEIPT"
    ERROR: Final = "ERROR"


class Header:
    """The names of the headers that a server or client acts on."""

    ACCEPT_VERSION: Final = "accept-version"
    ACK: Final = "ack"
    CLIENT_ID: Final = "client-id"
    CONTENT_LENGTH: Final = "content-length"
    CONTENT_TYPE: Final = "content-type"
    DESTINATION: Final = "destination"
    EXPIRES: Final = "expires"
    HEART_BEAT: Final = "heart-beat"
    HOST: Final = "host"
    ID: Final = "id"
    LOGIN: Final = "login"
    MESSAGE: Final = "message"
    MESSAGE_ID: Final = "message-id"
    PASSCODE: Final = "passcode"
    PERSISTENT: Final = "persistent"
    RECEIPT: Final = "receipt"
    RECEIPT_ID: Final = "receipt-id"
    REDELIVERED: Final = "redelivered"
    SELECTOR: Final = "selector"
    SERVER: Final = "server"
    SESSION: Final = "session"
    SUBSCRIPTION: Final = "subscription"
    TRANSACTION: Final = "transaction"
    VERSION: Final = "version"


OPENING: Final = frozenset({Command.CONNECT, Command.STOMP, Command.CONNECTED})
"""Frames that settle the version. "CONNECT and CONNECTED frames do not escape" (STOMP 1.2, Value Encoding)."""

ORDINARY: Final = frozenset(
    {
        Command.SEND,
        Command.SUBSCRIBE,
        Command.UNSUBSCRIBE,
        Command.ACK,
        Command.NACK,
        Command.BEGIN,
        Command.COMMIT,
        Command.ABORT,
        Command.DISCONNECT,
        Command.MESSAGE,
        Command.RECEIPT,
        Command.ERROR,
    }
)
"""Every other frame."""

PREFETCH_HEADERS: Final = ("prefetch-count", "activemq.prefetchSize")
"""What a subscriber names its prefetch with, in messages: at RabbitMQ, at ActiveMQ."""

DURABLE_HEADERS: Final = ("activemq.subscriptionName", "durable-subscription-name")
"""What a durable subscription is named with: at ActiveMQ, at Artemis."""

NOT_FORWARDED: Final = frozenset(
    {
        Header.ACK,
        Header.CONTENT_LENGTH,
        Header.DESTINATION,
        Header.MESSAGE_ID,
        Header.RECEIPT,
        Header.REDELIVERED,
        Header.SUBSCRIPTION,
        Header.TRANSACTION,
    }
)
"""Headers of SEND that are between the sender and the server; on a MESSAGE they would be read as the server's."""

ESCAPES: Final[Mapping[Version, Mapping[str, str]]] = {
    Version.V1_0: {},
    Version.V1_1: {"\\": "\\\\", "\n": "\\n", ":": "\\c"},
    Version.V1_2: {"\\": "\\\\", "\n": "\\n", ":": "\\c", "\r": "\\r"},
}
"""Octets of a header name or value that travel as two (STOMP 1.1 and 1.2, Value Encoding; 1.0 has none)."""


NUMBER_DIGITS: Final = 18
"""Digits of a number in a header: whatever it counts, it fits in 64 bits."""


def read_number(text: str) -> int | None:
    """A whole number in ASCII digits, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS else None


def negotiate(accept_version: str | None) -> Version | None:
    """The highest version that both sides speak, or None.

    Args:
        accept_version: The header of CONNECT; absent, the client speaks 1.0 (STOMP 1.2, Protocol Negotiation).
    """
    if accept_version is None:
        return Version.V1_0
    offered = {item.strip() for item in accept_version.split(",")}
    return max((version for version in Version if version in offered), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a peer may ask of us. An error that enforces a limit names it."""

    frame_bytes: int = 16 * 1024 * 1024
    """Command, headers and body together."""
    headers: int = 200
    header_line_bytes: int = 16 * 1024
    transactions: int = 100
    transaction_bytes: int = 64 * 1024 * 1024
    """Held in all open transactions of a connection together."""
    connect_timeout_s: float = 10.0
    frame_timeout_s: float = 30.0
    """How long each `frame_step_bytes` of an unfinished frame may take: a slow link is not a slow loris."""
    frame_step_bytes: int = 64 * 1024
