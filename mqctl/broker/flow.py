"""Which publishers wait for which backlogs, under the policy `block`."""

from __future__ import annotations

from typing import Any

from mqctl.broker.backlog import Backlog

HIGH_WATER = 0.75
"""A backlog this full holds its publishers; the rest is room for what each has already sent."""
LOW_WATER = 0.5
"""A backlog drained to this lets them go."""


class Dam:
    """Held publishers by backlog. A publisher flows again when the last backlog that held it has drained."""

    __slots__ = ("_backlogs", "_held")

    def __init__(self) -> None:
        self._backlogs: dict[Backlog, dict[Any, None]] = {}
        self._held: dict[Any, set[Backlog]] = {}

    def hold(self, session: Any, backlog: Backlog) -> bool:
        """Hold a publisher; returns whether it flowed until now."""
        self._backlogs.setdefault(backlog, {})[session] = None
        flowed = session not in self._held
        self._held.setdefault(session, set()).add(backlog)
        return flowed

    def release(self, backlog: Backlog) -> list[Any]:
        """The backlog has drained or is gone; returns the publishers that flow again."""
        waiting = self._backlogs.pop(backlog, {})
        for session in waiting:
            self._held[session].discard(backlog)
        freed = [session for session in waiting if not self._held[session]]
        for session in freed:
            del self._held[session]
        return freed

    def drained(self, backlog: Backlog) -> list[Any]:
        """The publishers that flow again if the backlog is down to low water."""
        if backlog not in self._backlogs or backlog.filled_to(LOW_WATER):
            return []
        return self.release(backlog)

    def forget(self, session: Any) -> None:
        """The publisher is gone."""
        for backlog in self._held.pop(session, ()):
            del self._backlogs[backlog][session]

    @property
    def held(self) -> int:
        """How many publishers are held."""
        return len(self._held)
