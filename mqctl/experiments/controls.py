"""Positive controls: faults that were planted at known places, and whether a checker found them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from mqctl.experiments.events import Fault, Planted, message
from mqctl.experiments.pages import Turn


class Place(NamedTuple):
    """A delivery: which message, to whom."""

    consumer: str
    producer: str
    n: int


Look: TypeAlias = Callable[[Planted], Place | None]
"""Where a checker is to find a planted fault; None for what it does not look for."""


class Controls:
    """The planted faults that one checker is to find. Whatever else it finds is the broker's.

    Attributes:
        planted: How many there are.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._open: dict[Place, Planted] = {}
        self.planted = 0

    def turn(self, event: Turn) -> None:
        """Note what was planted."""
        if isinstance(event, Planted) and (place := self._look(event)):
            self._open[place] = event
            self.planted += 1

    @property
    def missed(self) -> list[tuple[Place, Planted]]:
        """What was not found yet."""
        return list(self._open.items())

    def finds(self, place: Place) -> bool:
        """Whether something found was planted there, and not found before."""
        return self._open.pop(place, None) is not None


def look_for(fault: Fault) -> Look:
    """For faults that are found where they were planted."""
    return lambda planted: Place(planted.consumer, planted.producer, planted.n) if planted.fault is fault else None


def swapped_within(planted: Planted) -> Place | None:
    """Two messages of one producer that changed places: the earlier one comes late."""
    if planted.fault is not Fault.SWAP or partner(planted).producer != planted.producer:
        return None
    return Place(planted.consumer, planted.producer, min(planted.n, planted.with_n))


def partner(planted: Planted) -> Place:
    """What a message changed places with."""
    return Place(planted.consumer, planted.with_producer or planted.producer, planted.with_n)


def describe(planted: Planted) -> str:
    """A planted fault in words."""
    other = message(partner(planted).producer, planted.with_n)
    more = {Fault.SWAP: f" and {other}", Fault.DELAY: f" by {planted.delay_ns / 1e6:g} ms"}
    return (
        f"{planted.fault} of {message(planted.producer, planted.n)}{more.get(planted.fault, '')} at {planted.consumer}"
    )
