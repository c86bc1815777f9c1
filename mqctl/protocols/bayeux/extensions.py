"""Bayeux's extensions as values: what each puts into `ext` or `data`, and what it finds there."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from mqctl.protocols.bayeux import z85
from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.spec import Ext

TIMESYNC_ACCURACY_MS: Final = 25
"""How far off a client's clock may be before it is told by how much."""


_NS_PER_MS: Final = 1_000_000
TIMESYNC_SAMPLES: Final = 10
"""How many answers a client's notion of the server's clock rests on, as in CometD's clients."""


def ext_of(message: Message, name: str) -> Any:
    """What an extension says in a message; None where it says nothing."""
    return message.ext.get(name) if message.ext else None


def with_ext(message: Message, name: str, value: Any) -> None:
    """Let an extension say something in a message."""
    message.ext = {**(message.ext or {}), name: value}


class Timesync(NamedTuple):
    """When a request came, by the client's clock and by ours; times in milliseconds since 1970."""

    sent_ms: float
    lag_ms: float | None
    offset_ms: float
    came_ms: int

    def answer(self, held_ms: int) -> dict[str, Any] | None:
        """What the reply says. A client that told its lag, and is right, needs no answer."""
        found: dict[str, Any] = {"tc": self.sent_ms, "ts": self.came_ms, "p": held_ms}
        if self.lag_ms is None:
            return found
        found["a"] = accuracy = self.sent_ms + self.offset_ms + self.lag_ms - self.came_ms
        return found if self.lag_ms == 0 or abs(accuracy) >= TIMESYNC_ACCURACY_MS else None


def read_timesync(message: Message, came_ms: int) -> Timesync | None:
    """What a request says of the client's time, if it does."""
    said = ext_of(message, Ext.TIMESYNC)
    if not isinstance(said, Mapping) or _number(said.get("tc")) is None:
        return None
    return Timesync(said["tc"], _number(said.get("l")), _number(said.get("o")) or 0, came_ms)


class Clocks:
    """How far a server's clock is ahead of the client's, by what it says of requests that it answered.

    Args:
        epoch_ns: What time it was, since 1970, when the clock of `now_ns` was 0; None is not to ask.

    Attributes:
        lag_ms: How long a message takes one way: the mean of the last samples.
        offset_ms: How far the server is ahead, likewise.
    """

    def __init__(self, epoch_ns: int | None) -> None:
        self.lag_ms = self.offset_ms = 0
        self._epoch_ns = epoch_ns
        self._samples: deque[tuple[float, float]] = deque(maxlen=TIMESYNC_SAMPLES)

    @property
    def known(self) -> bool:
        """Whether the server ever said something of it."""
        return bool(self._samples)

    def ask(self, request: Message, now_ns: int) -> None:
        """Let a request that is sent now ask for the time."""
        if self._epoch_ns is not None:
            said = {"tc": self._time_ms(self._epoch_ns, now_ns), "l": self.lag_ms, "o": self.offset_ms}
            with_ext(request, Ext.TIMESYNC, said)

    def hear(self, reply: Message, now_ns: int) -> None:
        """Take what a reply says: when the request left (`tc`) and came (`ts`), and how long it was held (`p`)."""
        said = ext_of(reply, Ext.TIMESYNC)
        if self._epoch_ns is None or not isinstance(said, Mapping):
            return
        left, came, held = (_number(said.get(name)) for name in ("tc", "ts", "p"))
        if left is None or came is None:
            return
        lag = (self._time_ms(self._epoch_ns, now_ns) - left - (held or 0)) / 2
        self._samples.append((lag, came - left - lag))
        self.lag_ms, self.offset_ms = (round(sum(each) / len(each)) for each in zip(*self._samples, strict=True))

    @staticmethod
    def _time_ms(epoch_ns: int, now_ns: int) -> int:
        return (epoch_ns + now_ns) // _NS_PER_MS


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def timestamp(epoch_ms: int) -> str:
    """A time as CometD's clients write it, in a form that every browser reads (`Date.toUTCString`)."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


class _Binary(msgspec.Struct):
    data: str
    last: bool = True


def binary(payload: bytes) -> msgspec.Raw:
    """Bytes as the `data` of a message whose `ext` is `BINARY_EXT`."""
    return msgspec.Raw(msgspec.json.encode(_Binary(z85.encode(payload))))


BINARY_EXT: Final[dict[str, Any]] = {Ext.BINARY: {}}


def read_binary(message: Message) -> bytes | None:
    """The bytes that a message carries; None where it says of none, or has not the form that it says it has."""
    if ext_of(message, Ext.BINARY) is None:
        return None
    try:
        return z85.decode(msgspec.json.decode(message.data, type=_Binary).data)
    except (ValueError, msgspec.DecodeError):
        return None
