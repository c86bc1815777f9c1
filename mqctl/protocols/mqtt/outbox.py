"""The messages that we publish: their packets, and what the broker owes us for each (MQTT 3.1.1, 3.3 and 4.3)."""

from __future__ import annotations

from itertools import cycle
from typing import Final

from mqctl.protocols.mqtt.properties import varint

ID_MAX: Final = 65_535

_PUBLISH: Final = 0x30
_PUBREL: Final = b"\x62\x02"


class Outbox:
    """The ids of one connection's packets, and the messages of QoS 1 and 2 that are under way.

    `release_first` is for a session that the broker remembers from before. Of each id it may hold a message of QoS 2
    that we know nothing of, and would take the next one with that id for the same and drop it. PUBREL ahead of the
    message ends what there was; the broker answers it with a PUBCOMP that is nobody's (MQTT 3.1.1, 4.4).
    """

    def __init__(self) -> None:
        self.release_first = False
        self._released: dict[int, bool] = {}
        """By the ids of the messages under way, whether PUBREL was sent."""
        self._ids = cycle(range(1, ID_MAX + 1))

    def new_id(self) -> int:
        """An id that no message under way has (MQTT 3.1.1, 2.3.1)."""
        number = next(self._ids)
        while number in self._released:
            number = next(self._ids)
        return number

    def compose(self, topic: bytes, payload: bytes, qos: int, properties: bytes, *, retain: bool) -> tuple[int, bytes]:
        """The id of a message, 0 at QoS 0, and what to send for it.

        Args:
            topic: Its name, with its length in front.
            payload: What it says.
            qos: Its quality of service.
            properties: With their length in front; empty before MQTT 5.
            retain: Whether it is to be kept.
        """
        number, written, before = 0, b"", b""
        if qos:
            number = self.new_id()
            self._released[number] = False
            written = number.to_bytes(2, "big")
            if self.release_first and qos > 1:
                before = _PUBREL + written
        length = len(topic) + len(written) + len(properties) + len(payload)
        first = bytes((_PUBLISH | qos << 1 | retain,))
        return number, b"".join((before, first, varint(length), topic, written, properties, payload))

    def release(self, number: int) -> bytes:
        """PUBREL, for a message that PUBREC said the broker has; nothing for one that is not under way."""
        if number not in self._released:
            return b""
        self._released[number] = True
        return _PUBREL + number.to_bytes(2, "big")

    def end(self, number: int, *, of_release: bool = False) -> bool:
        """The broker answered a message, or with `of_release` its PUBREL; whether that is the end of one under way."""
        released = self._released.get(number)
        if released is None or (of_release and not released):
            return False
        del self._released[number]
        return True
