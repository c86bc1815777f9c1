"""How much of a core this process uses while it measures."""

from __future__ import annotations

import time

_LEAST_S = 0.1
"""A shorter time says nothing."""


class Usage:
    """The share of a core between the begin of measuring and the last sign of work.

    Args:
        from_s: When measuring begins, by the monotonic clock.
    """

    def __init__(self, from_s: float) -> None:
        self._from_s = from_s
        self._begin = self._end = (0.0, 0.0)
        self._begun = False

    def note(self, *, working: bool) -> None:
        """Look at the clocks; called several times a second."""
        now = (time.monotonic(), time.process_time())
        if not self._begun:
            self._begun = now[0] >= self._from_s
            self._begin = self._end = now
        elif working:
            self._end = now

    def share(self) -> float | None:
        """Of one core; None where the time was too short."""
        wall_s, cpu_s = (end - begin for begin, end in zip(self._begin, self._end, strict=True))
        return cpu_s / wall_s if wall_s >= _LEAST_S else None
