"""Scales: where the ticks of an axis are and how they are labelled."""

from __future__ import annotations

import math
from dataclasses import dataclass

_RANGE_MIN = 1e-300

_FRACTION_MIN = 1e-12
"""A range smaller than this part of its numbers is noise of floating point and is drawn as one value."""

_FUZZ = 1e-9
"""So much above or below a tick is the tick."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A range from `low` to `high`, both ticks, with ticks `step` apart."""

    low: float
    high: float
    step: float

    @property
    def ticks(self) -> list[float]:
        """From low to high."""
        count = round((self.high - self.low) / self.step)
        return [self.low + self.step * n for n in range(count + 1)]

    def label(self, tick: float) -> str:
        """As many digits as tell neighbouring ticks apart."""
        decimals = max(0, -math.floor(math.log10(self.step) + _FUZZ))
        largest = max(abs(self.low), abs(self.high))
        if largest < 1e7 and decimals <= 6:
            return f"{tick if abs(tick) > self.step / 2 else 0.0:.{decimals}f}"
        digits = math.floor(math.log10(largest)) - math.floor(math.log10(self.step) + _FUZZ) + 1
        return f"{tick:.{max(digits, 1)}g}"


def axis(low: float, high: float, ticks_max: int) -> Axis:
    """The tightest axis round `low` to `high` whose step is 1, 2 or 5 times a power of ten.

    Args:
        low: Smallest number to show.
        high: Largest.
        ticks_max: How many ticks there is room for, at least three: two round a range that has one inside.
    """
    low, high = _widened(low, high)
    spans_max = max(ticks_max - 1, 2)
    power = 10.0 ** math.floor(math.log10((high - low) / spans_max))
    fitting = (power * nice for nice in (1, 2, 5, 10) if _spans(low, high, power * nice) <= spans_max)
    step = next(fitting, power * 20)
    return Axis(math.floor(low / step + _FUZZ) * step, math.ceil(high / step - _FUZZ) * step, step)


def _widened(low: float, high: float) -> tuple[float, float]:
    """One value has no range: it is shown in the middle of one."""
    largest = max(abs(low), abs(high))
    if high - low > max(largest * _FRACTION_MIN, _RANGE_MIN):
        return low, high
    margin = max(largest / 2, _RANGE_MIN) if largest else 1.0
    return low - margin, high + margin


def _spans(low: float, high: float, step: float) -> int:
    return math.ceil(high / step - _FUZZ) - math.floor(low / step + _FUZZ)
