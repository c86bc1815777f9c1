"""When connects that wait as requests are answered: under load in rounds, so that messages gather for each answer."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

ANSWER_S: Final = 0.000_25
"""Of the hub's time that goes with an answer and the request after it, about twice what they cost: as much is left."""
SLACK_S: Final = 0.005
"""So far answers may run ahead of that: a few at once are given at once."""


class Waiting(Protocol):
    """Has a connect that waits."""

    def mark_dirty(self) -> None:
        """Ask again whether it may be answered."""
        ...


class Rounds:
    """Lets the hub spend half of its time on answers, and the rest on what there is to answer.

    Without it, each message that is published to many is an answer and a new request for each of them, and the next
    message has to wait until all of these are done.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_s = 0.0
        self._open = False
        self._waiting: dict[Waiting, None] = {}

    def join(self, port: Waiting) -> bool:
        """Whether a connect may be answered now; if not, its port is marked dirty when it may."""
        now_s = self._loop.time()
        if not self._open and self._due_s - now_s > SLACK_S:
            if not self._waiting:
                self._loop.call_at(self._due_s, self._begin)
            self._waiting[port] = None
            return False
        if not self._open:  # until the end of this turn of the loop
            self._open = True
            self._loop.call_soon(self._close)
        self._due_s = max(self._due_s, now_s) + ANSWER_S
        return True

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for port in waiting:
            port.mark_dirty()

    def _close(self) -> None:
        self._open = False
