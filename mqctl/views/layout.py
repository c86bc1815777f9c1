"""One screen for several views: frames with titles, side by side or stacked as their shape suits, a status line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from mqctl.views.base import Line, View, blank
from mqctl.views.theme import BOLD, DIM, PLAIN, WARN, Look

_PANE_WIDTH_MIN, _PANE_HEIGHT_MIN = 16, 5
_FRAME_WIDTH_MIN, _FRAME_HEIGHT_MIN = 12, 5
_SHAPE = 1.6
"""Width to height, in equal units, that a pane should have."""


@dataclass(frozen=True, slots=True)
class Pane:
    """A view and what it is called: its topic."""

    title: str
    view: View


@dataclass(frozen=True, slots=True)
class Status:
    """The last line: what is connected, or what is wrong, and a hint at the right."""

    text: str
    wrong: bool = False
    hint: str = ""


def compose(panes: Sequence[Pane], status: Status, *, width: int, height: int, now_ns: int, look: Look) -> list[Line]:
    """Draw the whole screen: exactly `height` lines of exactly `width` cells.

    Panes that have no room are left out, and the status line says so.
    """
    room = height - 1
    if room < 1:
        return [_status(status, 0, width, look)]
    shown = panes[: max((width // _PANE_WIDTH_MIN) * (room // _PANE_HEIGHT_MIN), 1)]
    lines: list[Line] = [blank(width) for _ in range(room if not shown else 0)]
    columns = _columns(len(shown), width, room)
    grid = [shown[at : at + columns] for at in range(0, len(shown), columns)]
    for row, row_height in zip(grid, _shares(room, len(grid)), strict=True):
        drawn = [
            _frame(pane, pane_width, row_height, now_ns, look)
            for pane, pane_width in zip(row, _shares(width, len(row)), strict=True)
        ]
        lines += [list(itertools.chain(*parts)) for parts in zip(*drawn, strict=True)]
    return [*lines, _status(status, len(panes) - len(shown), width, look)]


def _columns(count: int, width: int, height: int) -> int:
    """The number of columns whose panes come nearest to the shape wanted."""

    def cost(columns: int) -> float:
        rows = math.ceil(count / columns)
        small = width // columns < _PANE_WIDTH_MIN or height // rows < _PANE_HEIGHT_MIN
        return 1000 * small + abs(math.log(width / columns / (2 * height / rows) / _SHAPE))

    return min(range(1, count + 1), key=cost, default=1)


def _shares(total: int, count: int) -> list[int]:
    """`total` in `count` nearly equal parts."""
    return [total * (at + 1) // count - total * at // count for at in range(count)]


def _frame(pane: Pane, width: int, height: int, now_ns: int, look: Look) -> list[Line]:
    view = pane.view
    if width < _FRAME_WIDTH_MIN or height < _FRAME_HEIGHT_MIN:
        return view.render(width, height, now_ns)
    counts, values = view.footer(now_ns)
    left, right = [Segment(f"{look.vertical} ", DIM)], [Segment(f" {look.vertical}", DIM)]
    inside = view.render(width - 4, height - 2, now_ns)
    return [
        _border(look.corners[:2], look.clean(pane.title), BOLD, view.caption(), width=width, look=look),
        *([*left, *line, *right] for line in inside),
        _border(look.corners[2:], counts, PLAIN, values, width=width, look=look),
    ]


def _border(corners: str, left: str, style: Style, right: str, *, width: int, look: Look) -> Line:
    """An edge of a frame with two texts in it; the left one is cut to fit, the right one needs room for all of it."""
    room = width - 4
    left = look.fit(f" {left} ", min(cell_len(left) + 2, room))
    right = f" {right} " if right else ""
    if cell_len(left) + cell_len(right) >= room:
        right = ""
    between = look.horizontal * (room - cell_len(left) - cell_len(right))
    return [
        Segment(corners[0] + look.horizontal, DIM),
        Segment(left, style),
        Segment(between, DIM),
        Segment(right, PLAIN),
        Segment(look.horizontal + corners[1], DIM),
    ]


def _status(status: Status, hidden: int, width: int, look: Look) -> Line:
    text = f"{'!' if status.wrong else look.dot} {look.clean(status.text)}"
    if hidden:
        text += f"{look.separator}no room for {hidden} more topic{'s' * (hidden != 1)}"
    hint = f" {status.hint} " if cell_len(text) + cell_len(status.hint) + 2 <= width - 1 else ""
    return [
        Segment(look.fit(f" {text}", width - cell_len(hint)), WARN if status.wrong else PLAIN),
        Segment(hint, DIM),
    ]
