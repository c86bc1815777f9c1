"""What a broker's frames mean: messages with their acknowledgement tokens, confirmations, complaints."""

from __future__ import annotations

import threading
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from mqctl.errors import UsageError
from mqctl.model import (
    AckMode,
    AckToken,
    Confirmation,
    Confirmed,
    ConnectionEvent,
    Delivery,
    Dialect,
    Fault,
    PublishOutcome,
    Rejected,
    SubscriptionId,
)
from mqctl.protocols.stomp.dialects import READINGS
from mqctl.protocols.stomp.frame import Frame
from mqctl.protocols.stomp.spec import Command, Header, Version
from mqctl.topics import from_stomp

PLAIN_NAMES: Final = Dialect.HUB
"""Whose topic names a broker gets that does not say who it is: the plainest."""

TOPICS_KEPT: Final = 10_000
"""Names whose translation is remembered, each way."""

_CONFIRMED: Final = Confirmed(Confirmation.BROKER)
_REDELIVERED: Final[Mapping[str | None, bool | None]] = {"true": True, "false": False}

_DETAIL_LENGTH: Final = 300


class Unacknowledged:
    """The messages that await their acknowledgement, per subscription, in order of arrival."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._modes: dict[SubscriptionId, AckMode] = {}
        self._waiting: dict[SubscriptionId, dict[_Receipt, None]] = {}

    def begin(self, subscription: SubscriptionId, mode: AckMode) -> None:
        """A subscription starts."""
        with self._lock:
            self._modes[subscription] = mode
            if mode is not AckMode.AUTO:
                self._waiting[subscription] = {}

    def end(self, subscription: SubscriptionId) -> None:
        """A subscription is over, and its tokens with it."""
        with self._lock:
            self._modes.pop(subscription, None)
            self._waiting.pop(subscription, None)

    def __contains__(self, subscription: object) -> bool:
        return subscription in self._modes

    def modes(self) -> list[AckMode]:
        """The modes of all subscriptions."""
        with self._lock:
            return list(self._modes.values())

    def token(self, subscription: SubscriptionId, wire_id: str) -> AckToken | None:
        """The token of a message that came in; None where there is nothing to acknowledge."""
        waiting = self._waiting.get(subscription)
        if waiting is None:
            return None
        receipt = _Receipt(wire_id)
        with self._lock:
            waiting[receipt] = None
        return AckToken(subscription, receipt)

    def use(self, token: AckToken, *, cumulative: bool) -> str:
        """Take back a token, and in client mode with `cumulative` all earlier ones; return what the wire calls it.

        Raises:
            UsageError: It is not one of ours, or not any more.
        """
        with self._lock:
            waiting = self._waiting.get(token.subscription, {})
            receipt = token.native
            if not isinstance(receipt, _Receipt) or receipt not in waiting:
                raise UsageError("this message was acknowledged before, or came over another connection")
            if cumulative and self._modes[token.subscription] is AckMode.CLIENT:
                # In one pass: each look for the first would pass over all that were deleted before.
                for earlier in list(takewhile(lambda each: each is not receipt, waiting)):
                    del waiting[earlier]
            del waiting[receipt]
            return receipt.wire_id


class _Receipt:
    """Equal to nothing but itself, so that equal ids of two connections stay apart."""

    __slots__ = ("wire_id",)

    def __init__(self, wire_id: str) -> None:
        self.wire_id = wire_id


@dataclass(frozen=True, slots=True)
class Complaint:
    """An ERROR that names no request: the broker's code word, where it uses such, and its words in full."""

    code: str
    text: str


class FrameReader:
    """Sorts frames into events and verdicts. One thread only.

    Args:
        dialect: Whose words these are; None is somebody unknown.
        version: From 1.2 on, the header `ack` is the protocol's; before, it is a user's.
        unacknowledged: Where tokens are registered.
    """

    def __init__(self, dialect: Dialect | None, version: Version, unacknowledged: Unacknowledged) -> None:
        self.messages = 0
        self.complaint: Complaint | None = None
        """The last ERROR that named no request; a new object each time."""
        self.last_words = ""
        """What the last frame says if it is an ERROR, behind which the broker hangs up (STOMP 1.2, ERROR)."""
        self._ack_header = Header.ACK if version is Version.V1_2 else Header.MESSAGE_ID
        self._dialect = dialect or PLAIN_NAMES
        self._redelivered = {**_REDELIVERED, None: READINGS[dialect].redelivered_absent}
        self._echoed = READINGS[dialect].echoed
        self._unacknowledged = unacknowledged
        self._topics: dict[str, str] = {}

    def read(
        self, frames: Sequence[Frame], now_ns: int, open_receipts: Container[str]
    ) -> tuple[list[ConnectionEvent], dict[str, PublishOutcome]]:
        """The events to pass on, in order, and the verdicts by receipt id.

        Args:
            frames: In their order.
            now_ns: When they arrived, CLOCK_MONOTONIC.
            open_receipts: The ids of requests that await an answer.
        """
        events: list[ConnectionEvent] = []
        verdicts: dict[str, PublishOutcome] = {}
        for frame in frames:
            command, headers = frame.command, frame.headers
            if command == Command.MESSAGE:
                events.append(self._delivery(headers, frame.body, now_ns))
            elif command == Command.RECEIPT:
                verdicts[headers.get(Header.RECEIPT_ID, "")] = _CONFIRMED
            elif headers.get(Header.RECEIPT_ID) in open_receipts and command == Command.ERROR:
                verdicts[headers[Header.RECEIPT_ID]] = Rejected(error_text(frame))
            else:
                events.append(self._fault(frame, now_ns))
        if frames:
            self.last_words = error_text(frames[-1]) if frames[-1].command == Command.ERROR else ""
        return events, verdicts

    def _delivery(self, headers: dict[str, str], body: bytes, now_ns: int) -> Delivery:
        """The protocol's own headers are taken out; some brokers hand on the publisher's `receipt` too."""
        take = headers.pop
        self.messages += 1
        destination = take(Header.DESTINATION, "")
        subscription = SubscriptionId(take(Header.SUBSCRIPTION, ""))
        message_id = take(Header.MESSAGE_ID, None)
        ack_id = take(self._ack_header, message_id)
        redelivered = take(Header.REDELIVERED, None)
        take(Header.CONTENT_LENGTH, None)
        take(Header.RECEIPT, None)
        for name in self._echoed:
            take(name, None)
        return Delivery(
            self._topics.get(destination) or self._topic(destination),
            body,
            headers,
            subscription,
            now_ns,
            message_id,
            self._redelivered.get(redelivered),
            ack=self._unacknowledged.token(subscription, ack_id or ""),
        )

    def _topic(self, destination: str) -> str:
        if len(self._topics) >= TOPICS_KEPT:
            self._topics.clear()
        topic = self._topics[destination] = from_stomp(destination, self._dialect)
        return topic

    def _fault(self, frame: Frame, now_ns: int) -> Fault:
        if frame.command != Command.ERROR:
            return Fault(now_ns, f"the broker sent a frame that no client expects: {frame.command}")
        self.complaint = Complaint(frame.headers.get(Header.MESSAGE, ""), error_text(frame))
        return Fault(now_ns, self.complaint.text)


def error_text(frame: Frame) -> str:
    """The broker's words in an ERROR: the `message` header, and one line of the body where that says more.

    The body of ActiveMQ Classic is a Java stack trace that begins with the message; RabbitMQ's says what is wrong.
    """
    # Artemis escapes what it says before a version is agreed, which is before there are escapes.
    # In one line, so that it cannot look like the next one of ours.
    message = " ".join(frame.headers.get(Header.MESSAGE, "").replace("\\c", ":").split())
    detail = frame.body.decode(errors="replace").strip().partition("\n")[0].strip()[:_DETAIL_LENGTH]
    if not detail or detail in message or (message and message in detail):
        return message or detail or "the broker sent an error without words"
    return f"{message}: {detail}" if message else detail
