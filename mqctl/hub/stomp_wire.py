"""MESSAGE frames for the hub's subscribers, encoded once for all whose frames are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Message
from mqctl.protocols.stomp.codec import header_line, message, message_head
from mqctl.protocols.stomp.spec import Header, Version


class Wire:
    """What the frames of one subscription have in common. Subscribers of equal `tag` are sent equal bytes."""

    __slots__ = ("subscription", "tag", "version")

    def __init__(self, subscriber: Subscriber, version: Version) -> None:
        self.version = version
        self.subscription = header_line(Header.SUBSCRIPTION, subscriber.key, version)
        # Bytes remember their hash, which a tuple or an enum reckons again for every look-up.
        self.tag = version.encode() + self.subscription

    def frames(self, messages: Sequence[Message]) -> bytes:
        """Messages that nobody acknowledges, as one piece."""
        return b"".join([message(_head(each, self.version), each.payload, self.subscription) for each in messages])

    def frame(self, message_: Message, ack: bytes | None, *, redelivered: bool) -> bytes:
        """One message, with the `ack` header where there is one."""
        head = _head(message_, self.version)
        return message(head, message_.payload, self.subscription, ack, redelivered=redelivered)


def _head(message_: Message, version: Version) -> bytes:
    head = message_.wire.get(version)
    if head is None:
        head = message_.wire[version] = message_head(
            str(message_.address), message_.id, message_.headers, len(message_.payload), version
        )
    return cast("bytes", head)
