"""What has come so far, so that a run knows when there is nothing more to wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from mqctl.measurement.ranges import Ranges


class Tally:
    """The messages that one consumer got, or those of a group together.

    Attributes:
        came: Deliveries, with those that came again.
        latest_ns: When the last one came, or when something was last to be expected.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[int, Ranges] = {}
        self.came = 0
        self.latest_ns = time.monotonic_ns()

    def add(self, stream: int, n: int, at_ns: int) -> None:
        """A message came."""
        with self._lock:
            seen = self._seen.get(stream)
            if seen is None:
                seen = self._seen[stream] = Ranges()
            seen.add(n, n + 1)
            self.came += 1
            self.latest_ns = at_ns

    def lag(self, sent: Mapping[int, int]) -> int:
        """How many of so many messages did not come yet, of those streams of which something came."""
        with self._lock:
            return sum(max(0, sent[stream] - seen.count()) for stream, seen in self._seen.items())

    def touch(self, at_ns: int) -> None:
        """Who was away is back: what waited for it may come now."""
        self.latest_ns = max(self.latest_ns, at_ns)

    def lacks(self, stream: int, wanted: Ranges) -> bool:
        """Whether some of these did not come yet."""
        with self._lock:
            seen = self._seen.get(stream) or Ranges()
            return wanted.overlap(seen) < wanted.count()
