"""What a probe found out: one value for each question, and its forms for people and programs. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from mqctl.sizes import format_size

SCHEMA = 1
"""Number of the JSON form; it grows when a field changes its meaning."""


class Outcome(enum.StrEnum):
    """How a question was answered."""

    YES = "yes"
    NO = "no"
    PARTLY = "partly"
    UNCLEAR = "unclear"
    """The attempt did not tell: something went wrong on the way, or nothing came in time."""
    UNSUPPORTED = "unsupported"
    """The transport or the broker has no such thing, so nothing was tried."""


class Finding(NamedTuple):
    """The answer to one question: what was seen, in words, and the numbers of it, units last in their names."""

    question: str
    outcome: Outcome
    seen: str
    numbers: Mapping[str, int | float | str] = MappingProxyType({})


class Report(NamedTuple):
    """All findings about one broker, in the order of asking."""

    broker: str
    findings: tuple[Finding, ...]
    left_behind: tuple[str, ...] = ()
    """What could not be removed again."""
    gone: str = ""
    """Why no connection was to be had any more before everything was asked; empty where all was."""

    def as_json(self) -> dict[str, Any]:
        """The form that `--json` prints."""
        return {
            "schema": SCHEMA,
            "broker": self.broker,
            "findings": [
                {"question": each.question, "outcome": each.outcome, "seen": each.seen, **each.numbers}
                for each in self.findings
            ],
            "left_behind": list(self.left_behind),
        }


def median_and_max_ms(durations_ns: Sequence[int]) -> tuple[float, float]:
    """The middle one and the longest of some durations, in milliseconds."""
    ordered = sorted(durations_ns)
    return ordered[len(ordered) // 2] / 1e6, ordered[-1] / 1e6


def bounds(limit: int, taken: Iterable[int], refused: Iterable[int]) -> str:
    """In words, how large a message may be, from the sizes in bytes that were tried up to `limit`."""
    largest = max(taken, default=0)
    if largest >= limit:
        return f"{format_size(limit)}, and perhaps more: --max-size tries larger ones"
    smallest_refused = min((each for each in refused if each > largest), default=limit)
    return f"{format_size(largest)}, but not {format_size(smallest_refused)}"


def next_size(low: int, high: int) -> int | None:
    """Which size to try between one that was taken and one that was refused; None when they are within 2 %."""
    return None if high - low <= max(1, low // 50) else (low + high) // 2
