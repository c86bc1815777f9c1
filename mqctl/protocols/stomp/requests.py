"""What a client asks of a server, as values, and how each is read from its frame."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mqctl.model import AckMode
from mqctl.protocols.stomp.frame import Frame, FrameError
from mqctl.protocols.stomp.spec import DURABLE_HEADERS, NOT_FORWARDED, PREFETCH_HEADERS, Header, Version, read_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """The client is who it says it is. Unless this is refused, CONNECTED follows."""

    version: Version
    client_id: str | None


@dataclass(slots=True)
class Send:
    """Publish `body`. `headers` are those that travel on. Not frozen: one is made for every message."""

    destination: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    receipt: str | None
    persistent: bool
    expires_at_ms: int | None
    """Counted from 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Send what comes to `destination`. `durable` names a subscription that outlives the connection."""

    id: str
    destination: str
    ack: AckMode
    prefetch: int | None
    durable: str | None
    receipt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """End a subscription; with `durable`, forget the durable one of that name too."""

    id: str
    durable: str | None
    receipt: str | None


@dataclass(slots=True)
class Ack:
    """A message is done.

    In 1.2 `id` is what the MESSAGE had in its `ack` header; before, it is its `message-id`, and `subscription`, which
    1.1 demands, says whose. Not frozen: one is made for every message.
    """

    id: str
    subscription: str | None
    receipt: str | None


@dataclass(slots=True)
class Nack:
    """A message is refused; the fields are those of `Ack`."""

    id: str
    subscription: str | None
    receipt: str | None


Transactable = Send | Ack | Nack
"""What may be part of a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Do all of `requests`, in order. Their own receipts were given when the transaction took them."""

    requests: tuple[Transactable, ...]
    receipt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """The client is done and sends nothing more."""

    receipt: str | None


Request = Connect | Send | Subscribe | Unsubscribe | Ack | Nack | Commit | Disconnect

_ACK_MODES: Final = {
    "auto": AckMode.AUTO,
    "client": AckMode.CLIENT,
    "client-individual": AckMode.INDIVIDUAL,
}
_CONTROL: Final = re.compile(r"[\0-\x1f\x7f]")


def needed(frame: Frame, name: str) -> str:
    """The value of a header that the frame must have.

    Raises:
        FrameError: It is missing.
    """
    value = frame.headers.get(name)
    if value is None:
        raise FrameError(f"{frame.command} needs the header {name!r}")
    return value


def read_send(frame: Frame) -> Send:
    """SEND.

    Raises:
        FrameError: A header is missing or makes no sense; so for all readers below.
    """
    headers = frame.headers
    return Send(
        _destination(frame),
        tuple([item for item in headers.items() if item[0] not in NOT_FORWARDED]),
        frame.body,
        headers.get(Header.RECEIPT),
        headers.get(Header.PERSISTENT) == "true",
        _number(frame, Header.EXPIRES) or None,  # 0 is JMS's "never"
    )


def read_subscribe(frame: Frame, version: Version) -> Subscribe:
    """SUBSCRIBE."""
    headers = frame.headers
    destination = _destination(frame)
    if Header.SELECTOR in headers:
        raise FrameError("this hub has no selectors; subscribe without one and filter what arrives")
    mode = headers.get(Header.ACK, "auto")
    if mode not in _ACK_MODES:
        raise FrameError(f"unknown ack mode {mode[:32]!r}; there are {', '.join(_ACK_MODES)}")
    return Subscribe(
        id=_subscription(frame, version),
        destination=destination,
        ack=_ACK_MODES[mode],
        prefetch=_prefetch(frame),
        durable=_durable(frame),
        receipt=headers.get(Header.RECEIPT),
    )


def read_unsubscribe(frame: Frame, version: Version) -> Unsubscribe:
    """UNSUBSCRIBE."""
    return Unsubscribe(
        id=_subscription(frame, version), durable=_durable(frame), receipt=frame.headers.get(Header.RECEIPT)
    )


def read_ack(frame: Frame, version: Version) -> Ack:
    """ACK: `id` in 1.2, `message-id` and `subscription` in 1.1, `message-id` alone in 1.0."""
    return Ack(*_acknowledged(frame, version), frame.headers.get(Header.RECEIPT))


def read_nack(frame: Frame, version: Version) -> Nack:
    """NACK, which came with 1.1."""
    if version is Version.V1_0:
        raise FrameError("STOMP 1.0 has no NACK; connect with accept-version:1.2")
    return Nack(*_acknowledged(frame, version), frame.headers.get(Header.RECEIPT))


def _destination(frame: Frame) -> str:
    """No version but 1.2 can carry every control character to a subscriber, and no terminal should."""
    destination = needed(frame, Header.DESTINATION)
    if not destination.isprintable() and _CONTROL.search(destination):
        raise FrameError(f"control character in the destination {destination[:64]!r}")
    return destination


def _acknowledged(frame: Frame, version: Version) -> tuple[str, str | None]:
    if version is Version.V1_2:
        return needed(frame, Header.ID), None
    message_id = needed(frame, Header.MESSAGE_ID)
    if version is Version.V1_1:
        return message_id, needed(frame, Header.SUBSCRIPTION)
    return message_id, frame.headers.get(Header.SUBSCRIPTION)


def _subscription(frame: Frame, version: Version) -> str:
    """The id of a subscription, for which 1.0 may use the destination (STOMP 1.0, UNSUBSCRIBE)."""
    if version is Version.V1_0 and Header.ID not in frame.headers:
        return needed(frame, Header.DESTINATION)
    return needed(frame, Header.ID)


def _durable(frame: Frame) -> str | None:
    return next((frame.headers[name] for name in DURABLE_HEADERS if name in frame.headers), None)


def _prefetch(frame: Frame) -> int | None:
    name = next((name for name in PREFETCH_HEADERS if name in frame.headers), None)
    if name is None:
        return None
    prefetch = _number(frame, name)
    if not prefetch:
        raise FrameError(f"{name} is at least 1")
    return prefetch


def _number(frame: Frame, name: str) -> int | None:
    text = frame.headers.get(name)
    if text is None:
        return None
    number = read_number(text)
    if number is None:
        raise FrameError(f"{name} is not a number: {text[:32]!r}")
    return number
