"""Times in words, and where to write numbers on an axis."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
_MANTISSAS = (1, 2, 5)


def took(ns: float) -> str:
    """A time, to three digits: 1.7 ms."""
    for unit, name in _UNITS:
        if abs(ns) >= unit:
            value = ns / unit
            return f"{value:,.0f} {name}" if abs(value) >= 1000 else f"{value:.3g} {name}"
    return "0 s"


def decades(low: float, high: float, most: int) -> list[int]:
    """Round numbers from `low` to `high`, of equal ratio as far as can be, at most so many.

    Args:
        low: Above 0.
        high: Not below it.
        most: 1 or more.
    """
    found: list[int] = []
    for mantissas in (_MANTISSAS, (1, 3), (1,)):
        found = [each for each in _round(mantissas, high) if each >= low]
        if len(found) <= most:
            return found
    return found[:: -(-len(found) // most)]


def _round(mantissas: tuple[int, ...], high: float) -> Iterator[int]:
    power = 1
    while power <= high:
        yield from (mantissa * power for mantissa in mantissas if mantissa * power <= high)
        power *= 10


def steps(span: float, most: int) -> list[int]:
    """Multiples of a round number from 0 to `span`, at most `most` + 1 of them.

    Args:
        span: 0 or more.
        most: 1 or more.
    """
    round_ = (mantissa * 10**power for power in count() for mantissa in _MANTISSAS)
    step = next(each for each in round_ if span / each <= most)
    return list(range(0, int(span) + 1, step))
