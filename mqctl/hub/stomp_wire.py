"""MESSAGE frames for the hub's subscribers, encoded once for all whose frames are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Message
from mqctl.hub.framing import Framing
from mqctl.protocols.stomp.codec import header_line, message, message_head
from mqctl.protocols.stomp.spec import Header, Version


class Wire:
    """What the frames of one subscription have in common. Subscribers of equal `tag` are sent equal bytes."""

    __slots__ = ("_name", "_wrap", "subscription", "tag", "version")

    def __init__(self, subscriber: Subscriber, version: Version, framing: Framing) -> None:
        self.version = version
        self._wrap = framing.wrap
        self.subscription = header_line(Header.SUBSCRIPTION, subscriber.key, version)
        # Strings and bytes remember their hash, which a tuple or an enum reckons again for every look-up.
        self._name = str(version)
        self.tag = framing.tag + version.encode() + self.subscription

    def frames(self, messages: Sequence[Message]) -> bytes:
        """Messages that nobody acknowledges, as one piece."""
        wrap, subscription = self._wrap, self.subscription
        return b"".join([wrap(message(self._head(each), each.payload, subscription)) for each in messages])

    def frame(self, message_: Message, ack: bytes | None, *, redelivered: bool) -> bytes:
        """One message, with the `ack` header where there is one."""
        return self._wrap(
            message(self._head(message_), message_.payload, self.subscription, ack, redelivered=redelivered)
        )

    def _head(self, message_: Message) -> bytes:
        head = message_.wire.get(self._name)
        if head is None:
            head = message_.wire[self._name] = message_head(
                str(message_.address), message_.id, message_.headers, len(message_.payload), self.version
            )
        return cast("bytes", head)
