"""Time that passes only when something happens, and chance that a seed decides."""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Final, TypeAlias

Act: TypeAlias = Callable[[], object]

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
_TIE_BITS: Final = 32


class World:
    """What is to happen, by when it is due. What is due at the same time happens in an order that the seed draws.

    Attributes:
        now_ns: The time, from 0.
        rng: All chance there is.

    Args:
        seed: Decides everything.
    """

    def __init__(self, seed: int) -> None:
        self.now_ns = 0
        self.rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._due: list[tuple[int, int, int, Act]] = []
        self._order = count()

    def at(self, at_ns: int, act: Act) -> None:
        """Do this then; the past is now."""
        heappush(self._due, (max(self.now_ns, at_ns), self.rng.getrandbits(_TIE_BITS), next(self._order), act))

    def after(self, delay_ns: int, act: Act) -> None:
        """Do this so much later."""
        self.at(self.now_ns + delay_ns, act)

    def draw(self, most: int) -> int:
        """A number from 0 up to `most`."""
        return int(self.rng.random() * (most + 1))

    def step(self) -> bool:
        """Let the next thing happen; False where nothing is to come."""
        if not self._due:
            return False
        self.now_ns, _, _, act = heappop(self._due)
        act()
        return True
