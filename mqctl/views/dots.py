"""`dots`: the latest position of every producer as a dot on a grid that grows when somebody leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from mqctl.application import Position, Sample
from mqctl.views.axis import Axis, axis
from mqctl.views.base import Line, Mark, Tally, ViewOptions, bad_line, beside, blank, format_number, message, overlay
from mqctl.views.canvas import ASCII, BRAILLE, DOTS_X, DOTS_Y, Canvas
from mqctl.views.theme import BOLD, DIM, PLAIN, PRODUCERS, Look

FIELD = Axis(0.0, 500.0, 100.0)
"""Both sides of the field, and its grid."""

PRODUCERS_MAX = 200
"""The producer that was silent longest makes room for a new one."""

NAMED_MAX = 12
"""With more producers than this their names would hide the dots; they stay in the list."""

_LIST_WIDTH = 28
_ANONYMOUS = "?"


@dataclass(frozen=True, slots=True)
class _Producer:
    at: Position
    style: Style


class DotsView:
    """Who is where."""

    name: ClassVar[str] = "dots"

    def __init__(self, options: ViewOptions) -> None:
        self._options = options
        self.clear()

    def clear(self) -> None:
        """Forget every message and producer."""
        self._tally = Tally()
        self._producers: dict[str, _Producer] = {}
        self._seen = 0
        self._scale = FIELD

    def observe(self, topic: str, sample: Sample, now_ns: int) -> None:
        """Take in a message received at `now_ns`."""
        if isinstance(sample.value, Position):
            self._move(sample.producer_id or _ANONYMOUS, sample.value)
        self._tally.add(_problem(sample), now_ns)

    def _move(self, producer_id: str, at: Position) -> None:
        known = self._producers.pop(producer_id, None)
        if known is None:
            self._seen += 1
            if len(self._producers) == PRODUCERS_MAX:
                del self._producers[next(iter(self._producers))]
        style = known.style if known else PRODUCERS[(self._seen - 1) % len(PRODUCERS)]
        self._producers[producer_id] = _Producer(at, style)
        low, high = min(self._scale.low, *at), max(self._scale.high, *at)
        if (low, high) != (self._scale.low, self._scale.high):
            self._scale = axis(low, high, len(FIELD.ticks))

    def render(self, width: int, height: int, now_ns: int) -> list[Line]:
        """Draw exactly `height` lines of exactly `width` cells."""
        if not self._producers:
            return message("waiting for positions", width, height, self._options.look)
        side = min(height, width // 2)
        if width - 2 * side < _LIST_WIDTH:
            return self._field(width, height)
        return beside(self._field(width - _LIST_WIDTH, height), self._list(_LIST_WIDTH, height))

    def _field(self, width: int, height: int) -> list[Line]:
        """The square field in the middle of the room; positions count from its upper left, as in a browser."""
        rows = min(height, max(width // 2, 1))
        columns = min(2 * rows, width)
        field = _Field(columns, rows, self._scale)
        named = len(self._producers) <= NAMED_MAX
        for producer_id, producer in self._producers.items():
            field.put(producer, self._options.look.clean(producer_id)[:6] if named else "")
        left = (width - columns) // 2
        right = width - columns - left
        above = (height - rows) // 2
        margin = [blank(width) for _ in range(height - rows)]
        drawn = [[*blank(left), *line, *blank(right)] for line in field.lines(self._options.look)]
        return margin[:above] + drawn + margin[above:]

    def _list(self, width: int, height: int) -> list[Line]:
        look = self._options.look
        names = sorted(self._producers)
        shown = names if len(names) <= height else names[: max(height - 1, 0)]
        lines: list[Line] = []
        for name in shown:
            producer = self._producers[name]
            where = f"{format_number(producer.at.x)},{format_number(producer.at.y)}"
            text = f" {look.fit(look.clean(name), 12)} {where:>11}"
            lines.append([Segment(f" {look.dot}", producer.style), Segment(look.fit(text, width - 2), PLAIN)])
        if len(names) > len(shown) and height:
            lines.append([Segment(look.fit(f" {len(names) - len(shown)} more", width), DIM)])
        return lines + [blank(width) for _ in range(height - len(lines))]

    def caption(self) -> str:
        """The number of producers, and the field where it is not the usual one."""
        count = len(self._producers)
        known = f"{count} producer{'s' * (count != 1)}"
        if self._seen > count:
            known += f" of {self._seen}"
        if self._scale != FIELD:
            known += f", field {format_number(self._scale.low)} to {format_number(self._scale.high)}"
        return known

    def footer(self, now_ns: int) -> tuple[str, str]:
        """The messages counted."""
        return self._tally.text(now_ns, self._options.look, unit=" MPS"), ""

    def moving(self, now_ns: int) -> bool:
        """Dots move by messages only."""
        return False

    def line(self, sample: Sample) -> str:
        """Who is where."""
        look = self._options.look
        if not isinstance(sample.value, Position):
            return bad_line(_problem(sample) or "", sample, look)
        who = look.clean(sample.producer_id or _ANONYMOUS)
        return f"{who} x={format_number(sample.value.x)} y={format_number(sample.value.y)}"


def _problem(sample: Sample) -> str | None:
    if sample.value is None or isinstance(sample.value, Position):
        return sample.problem
    return "not a position with x and y"


class _Field:
    """A drawing of the field: the grid, and on it discs in the colours of their producers."""

    def __init__(self, columns: int, rows: int, scale: Axis) -> None:
        self._paper = Canvas(columns, rows)
        self._scale = scale
        self._styles: dict[tuple[int, int], Style] = {}
        self._names: list[tuple[int, int, str]] = []

    def put(self, producer: _Producer, name: str) -> None:
        """Draw a disc, and the name to the right of it or, at the edge, to the left."""
        paper = self._paper
        x, y = self._dot(producer.at.x, paper.dots_x), self._dot(producer.at.y, paper.dots_y)
        for row, half in ((y - 1, 1), (y, 2), (y + 1, 2), (y + 2, 1)):
            paper.across(row, x - half + 1, x + half)
        cells = {(row // DOTS_Y, column // DOTS_X) for row in range(y - 1, y + 3) for column in range(x - 1, x + 3)}
        self._styles.update(dict.fromkeys(cells, producer.style))
        right = (x + 2) // DOTS_X + 2
        left = (x - 1) // DOTS_X - 1 - cell_len(name)
        self._names.append((y // DOTS_Y, right if right + cell_len(name) <= paper.width else left, name))

    def _dot(self, value: float, dots: int) -> int:
        return round((value - self._scale.low) / (self._scale.high - self._scale.low) * (dots - 1))

    def lines(self, look: Look) -> Iterator[Line]:
        """The drawing, row by row."""
        paper = self._paper
        rows = paper.rows(ASCII if look.ascii else BRAILLE)
        marks: list[list[Mark]] = [[] for _ in rows]
        for (row, column), style in self._styles.items():
            if 0 <= row < paper.height and 0 <= column < paper.width and rows[row][column] != " ":
                marks[row].append((column, rows[row][column], style))
        for row, column, name in self._names:
            # A name never covers a dot.
            if rows[row][max(column, 0) : column + cell_len(name)].isspace():
                marks[row].append((column, name, BOLD))
        return (overlay(line, DIM, found) for line, found in zip(self._grid(look), marks, strict=True))

    def _grid(self, look: Look) -> Iterator[str]:
        paper, ticks = self._paper, self._scale.ticks
        columns = {self._dot(tick, paper.dots_x) // DOTS_X for tick in ticks}
        at_tick = {self._dot(tick, paper.dots_y) // DOTS_Y for tick in ticks}
        between = "".join(look.grid_down if column in columns else " " for column in range(paper.width))
        crossed = "".join(look.crossing if column in columns else look.grid for column in range(paper.width))
        return (crossed if row in at_tick else between for row in range(paper.height))
