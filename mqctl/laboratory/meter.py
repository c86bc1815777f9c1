"""What a client's connections cost on the wire: bytes each way with all headers, and requests of HTTP."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Final, NamedTuple

from mqctl.adapters.base import Adapter, AdapterInfo, Connection, EventSink
from mqctl.faults.direction import Direction, Trigger
from mqctl.faults.link import Link
from mqctl.target import Target

_REQUEST: Final = b" HTTP/1.1\r\n"
"""What ends the first line of each request."""


class Cost(NamedTuple):
    """What a client sent and was sent so far. `requests` of HTTP; one that becomes a WebSocket is the last."""

    bytes_out: int = 0
    bytes_in: int = 0
    requests: int = 0


class _Counted(Direction):
    """A direction that counts what passes, and spoils nothing."""

    def __init__(self) -> None:
        super().__init__(random.Random(0), lambda: 0)  # noqa: S311 - nothing is drawn
        self.bytes = self.requests = 0
        self._tails: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def passing(self, data: bytes, connection: int) -> Iterator[bytes | Trigger]:
        """See `Direction.passing`."""
        with self._lock:
            joined = self._tails.get(connection, b"") + data
            self.bytes += len(data)
            self.requests += joined.count(_REQUEST)
            self._tails[connection] = joined[-(len(_REQUEST) - 1) :]
        yield data


class _Meter:
    """A relay that counts.

    Args:
        link: Nobody has connected to it yet.
    """

    def __init__(self, link: Link) -> None:
        self._up, self._down = _Counted(), _Counted()
        link.up, link.down = self._up, self._down

    @property
    def cost(self) -> Cost:
        return Cost(self._up.bytes, self._down.bytes, self._up.requests)


class MeteredAdapter:
    """A transport whose connections each go by a relay that counts. See `mqctl.adapters.base.Adapter`.

    Attributes:
        meters: Of the connections, in the order in which they were made.

    Args:
        inner: The transport.
        stack: Ends the relays.
    """

    info: ClassVar[AdapterInfo]

    def __init__(self, inner: Adapter, stack: contextlib.ExitStack) -> None:
        self.info = inner.info  # type: ignore[misc]  # that of whatever is metered
        self.meters: list[_Meter] = []
        self._inner = inner
        self._stack = stack

    def connect(self, target: Target, *, sink: EventSink) -> Connection:
        """See `Adapter.connect`. Only the first endpoint is tried."""
        link = self._stack.enter_context(Link(target.endpoints[0]))
        self.meters.append(_Meter(link))
        return self._inner.connect(replace(target, endpoints=(link.endpoint,)), sink=sink)
