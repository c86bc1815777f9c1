"""Limits on latency: `p99<50ms` says that 99 of 100 messages take less than 50 ms from when they are due."""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from mqctl.durations import format_duration, parse_duration
from mqctl.errors import UsageError
from mqctl.measurement.report import BEYOND_MIN

_SIGN: Final = "<"
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?)", re.ASCII)
_NS_PER_S: Final = 1_000_000_000
_HINT: Final = "a limit on latency looks like p99<50ms or p99.9<1s"


class Limit(NamedTuple):
    """So many percent of the messages take less than `below_ns`."""

    percent: float
    below_ns: int

    @property
    def share(self) -> float:
        """The same as a part of 1."""
        return self.percent / 100

    @property
    def samples_min(self) -> int:
        """With fewer, too few messages would take longer for it to be more than chance."""
        return math.ceil(BEYOND_MIN / (1 - self.share) * (1 - 1e-9))

    @property
    def quantile(self) -> str:
        """Its name, such as p99."""
        return f"p{self.percent:g}"

    def __str__(self) -> str:
        """As it is typed."""
        return f"{self.quantile}{_SIGN}{format_duration(self.below_ns / _NS_PER_S)}"


def is_limit(word: str) -> bool:
    """Whether it is one, or is meant to be."""
    return _SIGN in word


def parse_limit(word: str) -> Limit:
    """Read a limit.

    Raises:
        UsageError: No percentile above 0 and below 100, or no duration above 0.
    """
    name, _, duration = (part.strip() for part in word.partition(_SIGN))
    found = _PERCENTILE.fullmatch(name)
    if found is None or not float(found[1]):
        raise UsageError(f"{word!r} has no percentile above p0 and below p100", hint=_HINT)
    try:
        below_ns = round(parse_duration(duration) * _NS_PER_S)
    except UsageError as error:
        raise UsageError(f"{word!r} does not say how long: {error}", hint=_HINT) from error
    if below_ns <= 0:
        raise UsageError(f"{word!r} is a time that nothing can take", hint=_HINT)
    return Limit(float(found[1]), below_ns)
