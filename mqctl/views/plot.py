"""A line over time on braille dots, scrolling to the left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from rich.segment import Segment

from mqctl.views import canvas
from mqctl.views.axis import Axis, axis
from mqctl.views.base import NS_PER_S, Line
from mqctl.views.theme import ACCENT, DIM, Look

_WIDTH_MIN, _HEIGHT_MIN = 16, 5
"""Smaller pictures are the line only, without axes."""

_NOWHERE = 1 << 62
"""A column that no other is to the right of."""

_RUNS = re.compile(r" +|[^ ]+")


class Span(NamedTuple):
    """All numbers received in a short time: how many dots apart they would be does not matter."""

    at_ns: int
    first: float
    low: float
    high: float
    last: float

    def join(self, later: Span) -> Span:
        """This and the numbers that followed."""
        return Span(self.at_ns, self.first, min(self.low, later.low), max(self.high, later.high), later.last)


_LOW, _HIGH = itemgetter(Span._fields.index("low")), itemgetter(Span._fields.index("high"))


def extent(spans: Sequence[Span]) -> tuple[float, float]:
    """The least and the greatest number of `spans`, of which there must be one."""
    return min(map(_LOW, spans)), max(map(_HIGH, spans))


def draw_line(spans: Sequence[Span], now_ns: int, window_ns: int, *, width: int, height: int, look: Look) -> list[Line]:
    """Draw the last `window_ns` of `spans`, oldest first; there must be one."""
    low, high = extent(spans)
    if width < _WIDTH_MIN or height < _HEIGHT_MIN:
        scale = axis(low, high, 2)
        trace = _trace(spans, now_ns, window_ns, width=width, height=height, scale=scale, look=look)
        return [[Segment(row, ACCENT)] for row in trace]
    rows = height - 2
    scale = axis(low, high, rows // 3 + 1)
    names = {_row(tick, scale, rows): scale.label(tick) for tick in scale.ticks}
    gutter = min(max(map(len, names.values())), width // 2)
    plot = _trace(spans, now_ns, window_ns, width=width - gutter - 2, height=rows, scale=scale, look=look)
    lines = []
    for at, row in enumerate(plot):
        name = names.get(at)
        margin = Segment(f"{(name or '')[:gutter]:>{gutter}} {look.vertical if name is None else look.tick}", DIM)
        lines.append([margin, *([Segment(row, ACCENT)] if name is None else _on_grid(row, look))])
    return lines + _time_axis(gutter, width, window_ns, look)


def _row(tick: float, scale: Axis, rows: int) -> int:
    dots = rows * canvas.DOTS_Y - 1
    return round((scale.high - tick) / (scale.high - scale.low) * dots) // canvas.DOTS_Y


def _trace(
    spans: Sequence[Span], now_ns: int, window_ns: int, *, width: int, height: int, scale: Axis, look: Look
) -> list[str]:
    paper = canvas.Canvas(width, height)
    right = paper.dots_x - 1
    per_ns, per_unit = right / window_ns, (paper.dots_y - 1) / (scale.high - scale.low)

    def x(span: Span) -> int:
        return right - round((now_ns - span.at_ns) * per_ns)

    def y(value: float) -> int:
        return round((scale.high - value) * per_unit)

    before, level = _NOWHERE, 0
    for column, found in groupby(spans, x):
        group = list(found)
        top, bottom, entry = y(max(map(_HIGH, group))), y(min(map(_LOW, group))), y(group[0].first)
        if column == before + 1:
            top, bottom = min(top, level), max(bottom, level)
        elif column > before:
            paper.line(before, level, column, entry)
        paper.down(column, top, bottom)
        before, level = column, y(group[-1].last)
    return paper.rows(canvas.ASCII if look.ascii else canvas.BRAILLE)


def _on_grid(row: str, look: Look) -> Line:
    """The empty cells of a row at a tick show the grid."""
    return [Segment(look.grid * len(run), DIM) if run[0] == " " else Segment(run, ACCENT) for run in _RUNS.findall(row)]


def _time_axis(gutter: int, width: int, window_ns: int, look: Look) -> list[Line]:
    seconds = window_ns / NS_PER_S
    room = width - gutter - 2
    half = room // 2
    base = look.horizontal * half + look.foot + look.horizontal * (room - half - 2) + look.foot
    start, middle = f"-{seconds:g}s", f"-{seconds / 2:g}s"
    words = f"{start:<{half}}{middle}"
    words = f"{words:<{room - 3}}now" if len(words) + 4 <= room and len(start) < half else f"{start:<{room}}"
    return [
        [Segment(f"{'':{gutter + 1}}{look.axis_corner}{base}", DIM)],
        [Segment(f"{'':{gutter + 2}}{words[:room]}", DIM)],
    ]
