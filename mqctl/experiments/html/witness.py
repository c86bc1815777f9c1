"""The drawing of a witness: two rows of boxes, and lines between the same messages, which cross or lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from mqctl.experiments.answers import Cell, Look, Witness
from mqctl.experiments.diagram import label
from mqctl.experiments.html import boxes
from mqctl.experiments.html.markup import Node, hue

APART = 52
"""From one row to the next."""

_LEFT, _TOP = 3.0, 3.0


def figure(witness: Witness, producers: Sequence[str]) -> Node | None:
    """A witness; None where there is nothing to draw.

    A single row is set against the order in which its messages were sent. The producers are those of the whole report,
    for their colours.
    """
    rows = [_Row(row.name, dict(enumerate(row.cells))) for row in witness.rows if row.cells]
    if not rows:
        return None
    if len(rows) == 1:
        rows = [_sent(rows[0]), *rows]
    cells = [cell for row in rows for cell in row.cells.values()]
    width = boxes.width_of(label(cell) for cell in cells)
    names = [boxes.plate_width("", row.name) for row in rows]
    return boxes.picture(
        max(width * (1 + max(place for row in rows for place in row.cells)), *names) + 2 * _LEFT,
        _y(len(rows) - 1) + boxes.HEIGHT + boxes.PLATE_HEIGHT + _TOP,
        witness.text,
        _links(rows, width, producers),
        *(_drawn(row, i, width, producers) for i, row in enumerate(rows)),
    )


class _Row(NamedTuple):
    """Messages by their places from the left."""

    name: str
    cells: Mapping[int, Cell]


def _sent(row: _Row) -> _Row:
    """The messages of the producers that it is about, as they were sent: what came in order stands below itself."""
    marked = {_key(cell) for cell in row.cells.values() if cell.look is not Look.PLAIN}
    about = {producer for producer, _ in marked} or {cell.producer for cell in row.cells.values()}
    first = {_key(cell): place for place, cell in sorted(row.cells.items(), reverse=True) if cell.producer in about}
    cells = {
        place: Cell(*key, Look.MARKED if key in marked else Look.PLAIN)
        for place, key in zip(sorted(first.values()), sorted(first), strict=True)
    }
    return _Row(f"sent by {', '.join(sorted(about))}", cells)


def _key(cell: Cell) -> tuple[str, int]:
    return (cell.producer, cell.n)


def _drawn(row: _Row, i: int, width: float, producers: Sequence[str]) -> Iterator[Node]:
    # Above the first row and below the others, where no line passes.
    yield boxes.plate((_LEFT, _y(i) + (boxes.HEIGHT if i else -boxes.PLATE_HEIGHT)), "", row.name)
    for place, cell in row.cells.items():
        yield boxes.drawn((_LEFT + place * width, _y(i)), width, cell, producers)


def _links(rows: Sequence[_Row], width: float, producers: Sequence[str]) -> Iterator[Node]:
    for i, (upper, lower) in enumerate(pairwise(rows)):
        for above, one in upper.cells.items():
            for below, other in lower.cells.items():
                if _key(one) == _key(other):
                    strong = " strong" if Look.PLAIN not in {one.look, other.look} else ""
                    yield boxes.link(
                        (_LEFT + (above + 0.5) * width, _y(i) + boxes.HEIGHT),
                        (_LEFT + (below + 0.5) * width, _y(i + 1)),
                        f"link{strong} {hue(producers, one.producer)}",
                    )


def _y(i: int) -> float:
    return _TOP + boxes.PLATE_HEIGHT + i * (boxes.HEIGHT + APART)
