"""A line over time on braille dots, scrolling to the left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rich.segment import Segment

from mqctl.views import canvas
from mqctl.views.axis import Axis, axis, clamp
from mqctl.views.base import NS_PER_S, Line
from mqctl.views.theme import ACCENT, DIM, Look

_WIDTH_MIN, _HEIGHT_MIN = 16, 5
"""Smaller pictures are the line only, without axes."""

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
        low = self.low if self.low < later.low else later.low
        high = self.high if self.high > later.high else later.high
        return Span(self.at_ns, self.first, low, high, later.last)


def draw_line(spans: Sequence[Span], now_ns: int, window_ns: int, *, width: int, height: int, look: Look) -> list[Line]:
    """Draw the last `window_ns` of `spans`, oldest first; there must be one."""
    low, high = min(span.low for span in spans), max(span.high for span in spans)
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

    def y(value: float) -> int:
        return round((scale.high - clamp(value)) * per_unit)

    before: tuple[int, int] | None = None
    for x, (_, first, low, high, last) in _columns(spans, now_ns, right, per_ns):
        paper.down(x, y(high), y(low))
        if before:
            paper.line(*before, x, y(first))
        before = x, y(last)
    return paper.rows(canvas.ASCII if look.ascii else canvas.BRAILLE)


def _columns(spans: Sequence[Span], now_ns: int, right: int, per_ns: float) -> list[tuple[int, Span]]:
    """One span for every column of dots that has any."""
    columns: list[tuple[int, Span]] = []
    for span in spans:
        x = right - round((now_ns - span.at_ns) * per_ns)
        if columns and columns[-1][0] == x:
            columns[-1] = x, columns[-1][1].join(span)
        else:
            columns.append((x, span))
    return columns


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
