"""Faults planted between a transport and the history: what the checkers must find, or they are blind."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, assert_never

import msgspec

from mqctl.experiments.events import Delivered, Event, Fault, Planted

DELAY_NS: Final = 1_000_000_000
"""How much later a delayed message seems to come: more than any broker on the same machine takes by itself."""

TRIES: Final = 16
"""After so many neighbours that cannot change places, the next fault is planted first."""


class Place(NamedTuple):
    """Where to plant a fault: in the first suitable delivery once `at` fresh ones came.

    `across`: of a swap, whether its two messages are of two producers, or of the same one. `to`: who seems to get
    a stray one.
    """

    at: int
    fault: Fault
    across: bool = False
    to: str = ""


def places(rng: random.Random, faults: Iterable[Place], count: int) -> tuple[Place, ...]:
    """Faults at places of their own, drawn from the middle half of so many deliveries.

    Args:
        rng: Draws.
        faults: What to plant; their own `at` means nothing.
        count: How many deliveries are to be expected at least.
    """
    wanted = list(faults)
    middle = range(count // 4, max(count // 4 + len(wanted), count * 3 // 4))
    drawn = sorted(rng.sample(middle, len(wanted)))
    rng.shuffle(wanted)
    return tuple(fault._replace(at=at) for at, fault in zip(drawn, wanted, strict=True))


class Planter:
    """Spoils what one consumer got, in the record of it. Only messages that are fresh: the first and in order.

    Args:
        wanted: Where to plant, in order.
        dropped: What was dropped, where several consumers share messages: it may come to another one next.
    """

    def __init__(self, wanted: Sequence[Place] = (), dropped: set[tuple[str, int]] | None = None) -> None:
        self._wanted = deque(wanted)
        self._latest: dict[str, int] = {}
        self._dropped = set() if dropped is None else dropped
        self._held: Delivered | None = None
        self._fresh = self._tries = 0
        self.idle = not wanted and dropped is None
        """Whether nothing is to be spoiled."""

    @property
    def missing(self) -> tuple[Place, ...]:
        """What found no place yet."""
        return tuple(self._wanted)

    def take(self, event: Delivered) -> Sequence[Event]:
        """What to record when a message came; nothing where it is held back until the next one, or dropped."""
        if (event.producer, event.n) in self._dropped:
            return ()
        follows = event.producer in self._latest
        fresh = event.n > self._latest.get(event.producer, -1)
        if fresh:
            self._latest[event.producer] = event.n
            self._fresh += 1
        first, self._held = self._held, None
        if first is not None:
            if fresh and (event.producer != first.producer) == self._wanted[0].across:
                return self._swapped(first, event)
            self._try_another()
        spoiled = self._spoiled(event, follows) if fresh else (event,)
        return spoiled if first is None else (first, *spoiled)

    def holds(self, event: Delivered) -> bool:
        """Whether a message is held back."""
        return self._held is event

    def rest(self) -> Sequence[Event]:
        """What is held back: no other message came."""
        held, self._held = self._held, None
        return () if held is None else (held,)

    def _try_another(self) -> None:
        """Two neighbours were none to change places. Where that goes on, the other faults need not wait for it."""
        self._tries += 1
        if self._tries % TRIES == 0:
            self._wanted.rotate(-1)

    def _swapped(self, first: Delivered, second: Delivered) -> Sequence[Event]:
        self._wanted.popleft()
        planted = _planted(Fault.SWAP, first)
        if second.producer != first.producer:
            planted = msgspec.structs.replace(planted, with_producer=second.producer)
        return (msgspec.structs.replace(planted, with_n=second.n), second, first)

    def _spoiled(self, event: Delivered, follows: bool) -> Sequence[Event]:
        place = self._place_here(follows)
        if place is None:
            return (event,)
        if place.fault is Fault.SWAP:
            self._held = event
            return ()
        self._wanted.popleft()
        match place.fault:
            case Fault.DROP:
                self._dropped.add((event.producer, event.n))
                return (_planted(place.fault, event),)
            case Fault.DUPLICATE:
                return (_planted(place.fault, event), event, event)
            case Fault.DELAY:
                late = msgspec.structs.replace(event, received_ns=(event.received_ns or 0) + DELAY_NS)
                return (msgspec.structs.replace(_planted(place.fault, event), delay_ns=DELAY_NS), late)
            case Fault.STRAY:
                stray = msgspec.structs.replace(event, consumer=place.to)
                return (_planted(place.fault, stray), stray)
            case _:
                assert_never(place.fault)

    def _place_here(self, follows: bool) -> Place | None:
        """What is to be planted in a fresh delivery; `follows`: one of its producer came before."""
        place = self._wanted[0] if self._wanted else None
        if place is None or self._fresh < place.at:
            return None
        if place.fault is Fault.STRAY and not follows:
            # The first of its producer strays from nobody.
            self._try_another()
            return None
        return place


def _planted(fault: Fault, event: Delivered) -> Planted:
    return Planted(fault, event.consumer, event.producer, event.n)
