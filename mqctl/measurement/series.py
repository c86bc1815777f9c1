"""Events per second of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from mqctl.measurement.load import NS_PER_S


class Series:
    """Counts events by the second of the run in which they happened."""

    __slots__ = ("_counts", "_from_ns")

    def __init__(self, from_ns: int) -> None:
        self._from_ns = from_ns
        self._counts: Counter[int] = Counter()

    def add(self, at_ns: int) -> None:
        """Count an event by its time."""
        self._counts[(at_ns - self._from_ns) // NS_PER_S] += 1

    def add_all(self, times_ns: Iterable[int]) -> None:
        """Count events by their times."""
        from_ns = self._from_ns
        self._counts.update([(at_ns - from_ns) // NS_PER_S for at_ns in times_ns])

    def counts(self) -> dict[int, int]:
        """How many in each second; the first is 0."""
        return dict(self._counts.copy())


def per_second(parts: Iterable[Mapping[int, int]], seconds: int) -> list[int]:
    """All events of each of the first `seconds` seconds."""
    whole: Counter[int] = Counter()
    for part in parts:
        whole.update(part)
    return [whole[second] for second in range(seconds)]
