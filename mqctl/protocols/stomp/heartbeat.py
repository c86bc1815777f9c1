"""Heart-beats: what both sides agree on, and when to send one or to give the peer up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mqctl.protocols.stomp.frame import FrameError

_NS_PER_MS: Final = 1_000_000
_PAIR: Final = re.compile(r"([0-9]{1,9}),([0-9]{1,9})")


def read_heart_beat(text: str | None) -> tuple[int, int]:
    """The header `heart-beat`: what its sender can send and wants to receive, in milliseconds; 0 is never.

    Raises:
        FrameError: It is not two numbers.
    """
    if text is None:
        return 0, 0
    match = _PAIR.fullmatch(text)
    if match is None:
        raise FrameError(f"heart-beat is not two numbers of milliseconds: {text[:32]!r}")
    return int(match[1]), int(match[2])


def agree(ours_ms: tuple[int, int], theirs_ms: tuple[int, int]) -> tuple[int, int]:
    """How often we send and how often the peer does, in milliseconds; 0 is never (STOMP 1.2, Heart-beating)."""
    (can_send, want), (they_can, they_want) = ours_ms, theirs_ms
    return (
        max(can_send, they_want) if can_send and they_want else 0,
        max(they_can, want) if they_can and want else 0,
    )


@dataclass(slots=True)
class Pulse:
    """The times of one connection.

    We send at half of the interval, so that a late timer does not make the peer give us up, and give the peer up after
    two and a half: "because of timing inaccuracies, the receiver SHOULD be tolerant" (STOMP 1.2, Heart-beating).
    """

    read_ns: int
    """When the last bytes came."""
    wrote_ns: int
    """When the last bytes went."""
    send_every_ms: int = 0
    expect_every_ms: int = 0

    @property
    def due_ns(self) -> int | None:
        """When to send a heart-beat, if nothing else goes before."""
        return self.wrote_ns + self.send_every_ms * _NS_PER_MS // 2 if self.send_every_ms else None

    @property
    def late_ns(self) -> int | None:
        """When to give the peer up, if nothing comes before."""
        return self.read_ns + self.expect_every_ms * _NS_PER_MS * 5 // 2 if self.expect_every_ms else None
