"""What a network is like: how long it takes, where it cuts what it carries, how much it takes at once."""

from __future__ import annotations

import random
from dataclasses import dataclass

from mqctl.experiments.simulation.world import NS_PER_MS

_US = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """One network, and the programs at its ends.

    Attributes:
        delay_max_ns: The way of a connection takes up to so long, each its own time.
        jitter_max_ns: And each piece up to so much longer.
        piece_bytes_max: What is written comes in pieces of up to so many bytes.
        slow_share: Of the connections, those that are read slowly, in either direction.
        byte_max_ns: What each byte then takes, at most.
        window_bytes: Beyond so many on their way, a server writes no more to a connection.
        thinks_max_ns: What a client takes from one act to the next, at most.
        notices_max_ns: When a server learns that a connection was reset, at the latest.
        returns_min_ns: When a client that was cut off connects again, at the earliest. Where that may be before the
            server notices, the client has a connection and its own ghost.
        returns_max_ns: And at the latest.
    """

    delay_max_ns: int
    jitter_max_ns: int
    piece_bytes_max: int
    slow_share: float
    byte_max_ns: int
    window_bytes: int
    thinks_max_ns: int
    notices_max_ns: int
    returns_min_ns: int
    returns_max_ns: int


def drawn(rng: random.Random) -> Weather:
    """A climate of its own for each seed: mild and rough ones meet bugs that an average one hides."""
    notices_max_ns = rng.choice((0, 5 * NS_PER_MS, 800 * NS_PER_MS))
    return Weather(
        delay_max_ns=rng.choice((50 * _US, NS_PER_MS, 20 * NS_PER_MS)),
        jitter_max_ns=rng.choice((0, 100 * _US, 10 * NS_PER_MS)),
        piece_bytes_max=rng.choice((64, 1_460, 65_536)),
        slow_share=rng.choice((0.0, 0.2, 0.5)),
        byte_max_ns=rng.choice((_US, 10 * _US)),
        window_bytes=rng.choice((2_048, 65_536)),
        thinks_max_ns=rng.choice((0, 20 * _US, 2 * NS_PER_MS)),
        notices_max_ns=notices_max_ns,
        returns_min_ns=notices_max_ns + 1,
        returns_max_ns=notices_max_ns + rng.choice((NS_PER_MS, 300 * NS_PER_MS)),
    )
