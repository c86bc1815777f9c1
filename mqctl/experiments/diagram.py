"""Order diagrams: a row of boxes for each consumer, a box for each message, in the order in which it came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mqctl.experiments.answers import Cell, Look, Row
from mqctl.experiments.events import message

UNICODE = "┌─┬┐│└┴┘"
ASCII = "+-++|+++"
"""What boxes are drawn with: corner, line, joint and corner above, side, corner, joint and corner below."""


class Segment(NamedTuple):
    """A piece of a line. `producer` is whose colour it has, None for none; `look` how it stands out."""

    text: str
    producer: str | None = None
    look: Look = Look.PLAIN


def draw(rows: Sequence[Row], glyphs: str = UNICODE) -> list[list[Segment]]:
    """The lines of a diagram. It says the same without colours: `!` stands behind what it is about."""
    width = max((len(row.name) for row in rows), default=0)
    return [line for row in rows for line in _row(row, width, glyphs)]


def label(cell: Cell) -> str:
    """What stands in a box."""
    name = message(cell.producer, cell.n)
    match cell.look:
        case Look.MARKED:
            return f"{name}!"
        case Look.ABSENT:
            return f"no {name}"
        case _:
            return name


def _row(row: Row, width: int, glyphs: str) -> Iterator[list[Segment]]:
    left, line, joint, right, side, low_left, low_joint, low_right = tuple(glyphs)
    margin = " " * width
    boxes = [line * (len(label(cell)) + 2) for cell in row.cells]
    yield [Segment(f"{margin} {left}{joint.join(boxes)}{right}")]
    middle = [Segment(f"{row.name:<{width}} {side}")]
    for cell in row.cells:
        middle += [Segment(f" {label(cell)} ", cell.producer, cell.look), Segment(side)]
    yield middle
    yield [Segment(f"{margin} {low_left}{low_joint.join(boxes)}{low_right}")]
