"""What a view is, and what all views are made of: lines of segments, messages counted and timed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import ClassVar, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from mqctl.application import Sample
from mqctl.views.theme import DIM, PLAIN, UNICODE, Look

Line = list[Segment]
"""One line of the screen."""

Mark = tuple[int, str, Style]
"""A text to put at a column of a line."""

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOptions:
    """What the user may say about any view."""

    look: Look = UNICODE
    transition: bool = True
    """Whether a rectangle eases to its new angle or jumps."""
    labels: tuple[str, ...] = ()
    """Names of the bars, from the left; a1, a2, … where there are none."""
    window_s: float = 60.0
    """How much time a line chart shows."""
    zone: tzinfo = UTC
    """Where the times of messages are told."""


class View(Protocol):
    """The state of a picture, how messages change it, and its drawing. No clock: time is always `now_ns`."""

    name: ClassVar[str]

    def __init__(self, options: ViewOptions) -> None: ...

    def observe(self, topic: str, sample: Sample, now_ns: int) -> None:
        """Take in a message received at `now_ns`."""
        ...

    def render(self, width: int, height: int, now_ns: int) -> list[Line]:
        """Draw exactly `height` lines of exactly `width` cells, for any size from 1×1."""
        ...

    def caption(self) -> str:
        """What kind of picture this is, for its frame."""
        ...

    def footer(self, now_ns: int) -> tuple[str, str]:
        """Two texts below the picture: the messages counted, the values in words."""
        ...

    def moving(self, now_ns: int) -> bool:
        """Whether the picture changes by itself, without a message."""
        ...

    def line(self, sample: Sample) -> str:
        """A message as one line of text, for output that is no terminal."""
        ...

    def clear(self) -> None:
        """Forget every message."""
        ...


class Rate:
    """Messages per second over the last few seconds, in memory that does not grow."""

    _BUCKETS = 20
    _BUCKET_NS = NS_PER_S // 4
    _WINDOW_S = _BUCKETS * _BUCKET_NS / NS_PER_S

    def __init__(self) -> None:
        self._counts = [0] * self._BUCKETS
        self._firsts_ns = [0] * self._BUCKETS
        self._bucket = 0
        self._latest_ns = 0

    def add(self, now_ns: int) -> None:
        """Count a message; times do not go back."""
        bucket = now_ns // self._BUCKET_NS
        if bucket != self._bucket:
            self._forget_until(bucket)
        at = bucket % self._BUCKETS
        if not self._counts[at]:
            self._firsts_ns[at] = now_ns
        self._counts[at] += 1
        self._latest_ns = now_ns

    def per_second(self, now_ns: int) -> float:
        """The steady rate while messages come as expected; falling as soon as they stay away."""
        self._forget_until(now_ns // self._BUCKET_NS)
        total = sum(self._counts)
        if total < 2:
            return total / self._WINDOW_S
        first_ns = min(first for first, count in zip(self._firsts_ns, self._counts, strict=True) if count)
        gap_ns = max((self._latest_ns - first_ns) / (total - 1), 1.0)
        overdue_ns = max(now_ns - self._latest_ns - 2 * gap_ns, 0.0)
        return NS_PER_S / (gap_ns + overdue_ns / (total - 1))

    def _forget_until(self, bucket: int) -> None:
        for old in range(max(self._bucket + 1, bucket - self._BUCKETS + 1), bucket + 1):
            self._counts[old % self._BUCKETS] = 0
        self._bucket = max(self._bucket, bucket)


class Tally:
    """How many messages came, how fast, how many could not be drawn and why the last of these could not."""

    def __init__(self) -> None:
        self.count = 0
        self.bad = 0
        self.problem = ""
        self.rate = Rate()

    def add(self, problem: str | None, now_ns: int) -> None:
        """Count a message."""
        self.count += 1
        self.rate.add(now_ns)
        if problem is not None:
            self.bad += 1
            self.problem = problem

    def text(self, now_ns: int, look: Look, unit: str = "/s") -> str:
        """The counts in words."""
        parts = [f"{self.count} message{'s' * (self.count != 1)}", f"{self.rate.per_second(now_ns):.1f}{unit}"]
        if self.bad:
            parts.append(f"{self.bad} bad: {look.clean(self.problem)}")
        return look.separator.join(parts)


def format_number(number: float) -> str:
    """A number for people: whole ones whole, others to six significant digits."""
    if isinstance(number, int) or number.is_integer():
        return str(int(number)) if abs(number) < 1e12 else f"{number:.6g}"
    return f"{number:.6g}"


def overlay(row: str, style: Style, marks: Iterable[Mark]) -> Line:
    """Put marks (column, text, style) on a row of one-cell characters; what is outside or overlaps is left out."""
    line: Line = []
    at = 0
    for column, text, mark_style in sorted(marks, key=lambda mark: mark[0]):
        if column < at or column + cell_len(text) > len(row):
            continue
        if column > at:
            line.append(Segment(row[at:column], style))
        line.append(Segment(text, mark_style))
        at = column + cell_len(text)
    if at < len(row):
        line.append(Segment(row[at:], style))
    return line


def blank(width: int) -> Line:
    """An empty line."""
    return [Segment(" " * width, PLAIN)]


def message(text: str, width: int, height: int, look: Look) -> list[Line]:
    """A text in the middle of nothing."""
    lines = [blank(width) for _ in range(height)]
    lines[height // 2] = [Segment(look.fit(text, min(len(text), width)).center(width), DIM)]
    return lines


def beside(left: Sequence[Line], right: Sequence[Line]) -> list[Line]:
    """Two pictures of the same height, side by side."""
    return [[*a, *b] for a, b in zip(left, right, strict=True)]


def plain(lines: Iterable[Line]) -> str:
    """The lines as text without styles, for files and pipes."""
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


def bad_line(problem: str, sample: Sample, look: Look) -> str:
    """What could not be drawn and why, as one line of text."""
    return look.clean(f"! {problem}: {sample.text}" if sample.text else f"! {problem}")
