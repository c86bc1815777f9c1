"""A bar chart of an array: eighths of a cell, the value at the end of each bar, its name below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment

from mqctl.views.axis import Axis, axis
from mqctl.views.base import Line, Mark, blank, format_number, message, overlay
from mqctl.views.theme import ACCENT, BOLD, DIM, Look

EIGHTHS = 8
_WIDTH_MIN, _HEIGHT_MIN = 12, 6
"""Smaller pictures are bars only, without axes."""

_LABEL_MIN = 4
"""Labels are cut down to this; where bars are narrower still, only every second or third is named."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How values become eighths of a row: `below` rows under zero, the rest above, the same scale on both sides.

    A value of `extent` is `length` eighths long. The ratio of values comes first: ten times all of them draws the same.
    """

    rows: int
    below: int
    length: int
    extent: float

    @classmethod
    def fit(cls, low: float, high: float, rows: int) -> Scale:
        """The largest scale at which `low` <= 0 <= `high` both fit in `rows`."""
        below = min(max(round(rows * -low / (high - low)), low < 0), rows - (high > 0))
        sides = [(EIGHTHS * (rows - below), high), (EIGHTHS * below, -low)]
        tighter = min((side for side in sides if side[1] > 0), key=lambda side: side[0] / side[1])
        return cls(rows, below, *tighter)

    def eighths(self, value: float) -> int:
        """Length of a bar, negative below zero."""
        return round(value / self.extent * self.length)

    def row_of(self, tick: float) -> int:
        """The row, counted from the bottom, in which a bar of this value ends; -1 is the axis itself."""
        length = self.eighths(tick)
        if length == 0:
            return self.below or -1
        return self.below + (length - (length > 0)) // EIGHTHS


@dataclass(frozen=True, slots=True)
class _Bar:
    column: int
    width: int
    length: int
    text: str
    text_column: int


def draw_bars(values: Sequence[float], labels: Sequence[str], *, width: int, height: int, look: Look) -> list[Line]:
    """Draw `values` as bars, the first that fit where there are too many; the picture says how many it leaves out."""
    if not values:
        return message("an empty array", width, height, look)
    low, high = min(0.0, *values), max(0.0, *values)
    if width < _WIDTH_MIN or height < _HEIGHT_MIN:
        scale = Scale.fit(*_bounds(axis(low, high, 2)), height)
        return _plot(_place(values, scale, width), scale, width, shown=range(height - 1, -1, -1), names={}, look=look)
    foot = 1 if low < 0 else 0
    rows = height - 3 - foot
    ticks = axis(low, high, rows // 3 + 1)
    scale = Scale.fit(*_bounds(ticks), rows)
    names = {scale.row_of(tick): ticks.label(tick) for tick in reversed(ticks.ticks)}
    gutter = min(max(map(len, names.values())), width // 2)
    shown = range(rows, -1 - foot, -1)
    bars = _place(values, scale, width - gutter - 2)
    plot = _plot(bars, scale, width - gutter - 2, shown=shown, names=names, look=look)
    left = [_gutter(names.get(row, ""), gutter, inside=0 <= row < rows, look=look) for row in shown]
    lines = [[*a, *b] for a, b in zip(left, plot, strict=True)]
    lines.append(_base(names.get(-1, ""), gutter, width, len(values) - len(bars), look))
    lines.append(_labels(bars, labels, gutter + 2, width, look))
    return lines


def _bounds(ticks: Axis) -> tuple[float, float]:
    """An array of zeros has an axis round zero; bars need only its upper half."""
    return min(ticks.low, 0.0), max(ticks.high, 0.0)


def _place(values: Sequence[float], scale: Scale, width: int) -> list[_Bar]:
    slot = max(width // len(values), 1)
    values = values[:width]
    bar = slot - max(slot // 4, 1) if slot > 1 else 1
    margin = (width - slot * len(values)) // 2
    bars = []
    for at, value in enumerate(values):
        left = margin + at * slot
        text = _short(value, slot - 1)
        bars.append(_Bar(left + (slot - bar) // 2, bar, scale.eighths(value), text, left + (slot - len(text)) // 2))
    return bars


def _short(value: float, width: int) -> str:
    """The value with as many digits as fit, or nothing: half a number would be a wrong one."""
    candidates = (format_number(value), f"{value:.3g}")
    return next((text for text in candidates if len(text) <= width), "")


def _plot(
    bars: Sequence[_Bar], scale: Scale, width: int, *, shown: Sequence[int], names: dict[int, str], look: Look
) -> list[Line]:
    lines = []
    for row in shown:
        background = (look.grid if row in names else " ") * width
        marks = [mark for bar in bars if (mark := _cell(bar, row, scale, look)) is not None]
        lines.append(overlay(background, DIM, marks))
    return lines


def _cell(bar: _Bar, row: int, scale: Scale, look: Look) -> Mark | None:
    """What a bar shows in a row: a piece of itself, its value, or nothing."""
    falling = bar.length < 0
    steps = scale.below - 1 - row if falling else row - scale.below
    filled = min(abs(bar.length) - EIGHTHS * steps, EIGHTHS)
    if steps >= 0 and filled > 0:
        return bar.column, (look.hanging if falling else look.blocks)[filled] * bar.width, ACCENT
    if bar.text and steps == math.ceil(abs(bar.length) / EIGHTHS):
        return bar.text_column, bar.text, BOLD
    return None


def _gutter(name: str, width: int, *, inside: bool, look: Look) -> Line:
    if not inside:
        return blank(width + 2)
    return [
        Segment(f"{look.fit(name, width) if len(name) > width else name:>{width}} ", DIM),
        Segment(look.tick if name else look.vertical, DIM),
    ]


def _base(name: str, gutter: int, width: int, hidden: int, look: Look) -> Line:
    rest = width - gutter - 2
    line = look.horizontal * rest
    if hidden:
        note = look.fit(f" {hidden} more bars", min(rest, len(str(hidden)) + 11))
        line = line[: rest - len(note)] + note
    return [Segment(f"{name:>{gutter}} {look.axis_corner}{line}", DIM)]


def _labels(bars: Sequence[_Bar], labels: Sequence[str], left: int, width: int, look: Look) -> Line:
    slot = bars[1].column - bars[0].column if len(bars) > 1 else width - left
    room = min(max(map(cell_len, labels)), max(slot - 1, _LABEL_MIN))
    every = room // slot + 1
    marks = []
    for bar, label in list(zip(bars, labels, strict=False))[::every]:
        text = look.fit(label, min(cell_len(label), room))
        marks.append((max(bar.column + (bar.width - cell_len(text)) // 2, 0), text, BOLD))
    return [*blank(left), *overlay(" " * (width - left), DIM, marks)]
