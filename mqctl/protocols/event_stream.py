"""Server-sent events, read: the bytes of a stream, however they are cut, into events (WHATWG HTML, 9.2.6). No IO."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_BREAK: Final = re.compile(rb"\r\n|\r|\n")
_MARK: Final = b"\xef\xbb\xbf"
_MESSAGE: Final = b"message"


class EventStreamError(Exception):
    """An event is larger than it may be."""


class Event(NamedTuple):
    """What a server sent. Its text stays bytes: who reads what is in it finds out whether it is UTF-8."""

    data: bytes
    kind: bytes = _MESSAGE


class Reader:
    """Takes what comes and gives the events that are whole.

    Args:
        limit_bytes: Most that one event may hold.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.retry_ms: int | None = None
        """How long to wait before asking again after the stream has ended; None where the server has not said."""
        self.last_id = b""
        """Of the last event that had one, which a client that asks again repeats."""
        self._limit_bytes = limit_bytes
        self._parts: list[bytes] = []
        """Of the line that has begun."""
        self._data: list[bytes] = []
        self._kind = b""
        self._line_bytes = self._data_bytes = 0
        self._first = True
        self._after_return = False

    def feed(self, data: bytes) -> list[Event]:
        """Take what was received.

        Raises:
            EventStreamError: The event under way is larger than `limit_bytes`.
        """
        if self._after_return and data:
            # The second half of a line's end, which the first half was taken for.
            data = data.removeprefix(b"\n")
            self._after_return = False
        if not data:
            return []
        self._after_return = data.endswith(b"\r")
        first, *rest = _BREAK.split(data)
        self._parts.append(first)
        self._line_bytes += len(first)
        if rest:
            lines = [b"".join(self._parts), *rest[:-1]]
            self._parts, self._line_bytes = [rest[-1]], len(rest[-1])
        else:
            lines = []
        events = [event for line in lines if (event := self._take(line)) is not None]
        if self._line_bytes + self._data_bytes > self._limit_bytes:
            raise EventStreamError(f"an event of more than {self._limit_bytes} bytes")
        return events

    def _take(self, line: bytes) -> Event | None:
        if self._first:
            line, self._first = line.removeprefix(_MARK), False
        if not line:
            return self._dispatched()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                self._data_bytes += len(value) + 1
            case b"event":
                self._kind = value
            case b"id" if b"\0" not in value:
                self.last_id = value
            case b"retry" if value.isdigit():
                self.retry_ms = int(value)
            case _:
                # A comment, which has no name, or what nobody knows.
                pass
        return None

    def _dispatched(self) -> Event | None:
        data, kind = self._data, self._kind
        self._data, self._kind, self._data_bytes = [], b"", 0
        return Event(b"\n".join(data), kind or _MESSAGE) if data else None
