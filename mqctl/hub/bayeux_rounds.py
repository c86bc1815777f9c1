"""When connects that wait as requests are answered: under load in rounds, so that messages gather for each answer."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

SHARE: Final = 3
"""A round lasts so many times what it takes to give its answers: as long again for the requests that follow these, and
as long for everything else, such as what there will be to answer."""
SLACK_S: Final = 0.005
"""So far answers may run ahead of that: a few at once are given at once."""
ROUND_S_MAX: Final = 0.25
"""How long a round lasts at most, whatever else made it slow."""


class Waiting(Protocol):
    """Has a connect that waits."""

    def mark_dirty(self) -> None:
        """Ask again whether it may be answered."""
        ...


class Rounds:
    """Keeps some of the hub's time free from giving answers, however many connects wait.

    Without it, each message that is published to many is an answer and a new request for each of them, and the next
    message has to wait until all of these are done.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_s = 0.0
        self._began_s: float | None = None
        self._waiting: dict[Waiting, None] = {}

    def join(self, port: Waiting) -> bool:
        """Whether a connect may be answered now; if not, its port is marked dirty when it may."""
        if self._began_s is not None:
            return True
        now_s = self._loop.time()
        if self._due_s - now_s > SLACK_S:
            if not self._waiting:
                self._loop.call_at(self._due_s, self._begin)
            self._waiting[port] = None
            return False
        self._began_s = now_s
        self._loop.call_soon(self._close)  # no more of them than in this turn of the loop
        return True

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for port in waiting:
            port.mark_dirty()

    def _close(self) -> None:
        assert self._began_s is not None
        began_s, self._began_s = self._began_s, None
        self._due_s = max(self._due_s, began_s)
        self._loop.call_soon(self._reckon, began_s)  # after the answers are written, which is in this turn

    def _reckon(self, began_s: float) -> None:
        self._due_s += min(ROUND_S_MAX, SHARE * (self._loop.time() - began_s))
