"""A canvas of braille dots, two wide and four high in every cell: square dots on a terminal with cells of 1:2.

Spans of dots are drawn a cell or a whole run of cells at a time, which is what makes a frame cost well below 1 ms.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter

DOTS_X, DOTS_Y = 2, 4
"""Dots in a cell."""

_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of a dot by its row and column in the cell: the pattern of U+2800 onwards (Unicode 16, Braille Patterns)."""

_ROW = tuple(left | right for left, right in _BITS)
"""Both bits of each row of dots."""

_COLUMN = tuple(tuple(sum(_BITS[y][x] for y in range(top, 4)) for top in range(5)) for x in range(2))
"""Bits of column x from row `top` down."""


def _or_table(bits: int) -> bytes:
    return bytes(cell | bits for cell in range(256))


_OR_ROW = tuple(map(_or_table, _ROW))
_OR_COLUMN = tuple(_or_table(column[0]) for column in _COLUMN)
"""Tables for `bytes.translate`, which sets the dots of many cells at once."""

_TOP = _BITS[0][0] | _BITS[0][1] | _BITS[1][0] | _BITS[1][1]
BRAILLE = " " + "".join(chr(0x2800 + pattern) for pattern in range(1, 256))


def _ascii_glyph(pattern: int) -> str:
    dots = pattern.bit_count()
    if dots >= 5:
        return "#"
    if not pattern & ~_TOP:
        return "'" if pattern else " "
    return ":" if pattern & _TOP else "."


ASCII = "".join(map(_ascii_glyph, range(256)))
"""The nearest ASCII character of every braille pattern."""


class Canvas:
    """Dots, all clear at first. Drawing outside is clipped.

    Args:
        width: In cells.
        height: In cells.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.dots_x = width * DOTS_X
        self.dots_y = height * DOTS_Y
        self._cells = bytearray(width * height)  # one column of cells after the other: lines are mostly vertical

    def across(self, y: int, left: int, right: int) -> None:
        """Set the dots of row `y` from `left` to `right`, both included."""
        left, right = max(left, 0), min(right, self.dots_x - 1)
        if left > right or not 0 <= y < self.dots_y:
            return
        cells, height, row, bits = self._cells, self.height, y >> 2, _BITS[y & 3]
        if left & 1:
            cells[(left >> 1) * height + row] |= bits[1]
            left += 1
        if not right & 1:
            cells[(right >> 1) * height + row] |= bits[0]
            right -= 1
        if left < right:
            whole = slice((left >> 1) * height + row, (right >> 1) * height + row + 1, height)
            cells[whole] = cells[whole].translate(_OR_ROW[y & 3])

    def down(self, x: int, top: int, bottom: int) -> None:
        """Set the dots of column `x` from `top` to `bottom`, both included."""
        if top < 0 or bottom >= self.dots_y:
            top, bottom = max(top, 0), min(bottom, self.dots_y - 1)
        if top > bottom or not 0 <= x < self.dots_x:
            return
        cells, column, start = self._cells, _COLUMN[x & 1], (x >> 1) * self.height
        first, last = start + (top >> 2), start + (bottom >> 2)
        below = column[(bottom & 3) + 1]
        if first == last:
            cells[first] |= column[top & 3] & ~below
            return
        cells[first] |= column[top & 3]
        cells[first + 1 : last] = cells[first + 1 : last].translate(_OR_COLUMN[x & 1])
        cells[last] |= column[0] & ~below

    def line(self, x0: int, y0: int, x1: int, y1: int) -> None:
        """Set the dots of a line without gaps, one span of a column after the other."""
        if x0 > x1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        columns = x1 - x0 + 1
        slope = (y1 - y0) / columns
        first, end = max(-x0, 0), min(columns, self.dots_x - x0)
        at = y0 + round(slope * first)
        for step in range(first, end):
            to = y0 + round(slope * (step + 1))
            self.down(x0 + step, min(at, to), max(at, to))
            at = to

    def polygon(self, corners: Sequence[tuple[float, float]]) -> None:
        """Fill a polygon, corners in dots, by the even-odd rule; a dot belongs to it when its middle does."""
        crossings: dict[int, list[float]] = {}
        for edge in pairwise([*corners, corners[0]]):
            (x0, y0), (x1, y1) = sorted(edge, key=itemgetter(1))
            first, last = max(round(y0), 0), min(round(y1), self.dots_y)
            slope = (x1 - x0) / (y1 - y0) if y1 > y0 else 0.0
            for y in range(first, last):
                crossings.setdefault(y, []).append(x0 + (y + 0.5 - y0) * slope)
        for y, found in crossings.items():
            found.sort()
            for left, right in zip(found[::2], found[1::2], strict=False):
                self.across(y, round(left), round(right) - 1)

    def rows(self, glyphs: str = BRAILLE) -> list[str]:
        """The rows as text, one character a cell; a cell without dots is a space."""
        cells, height = bytes(self._cells), self.height
        return [codecs.charmap_decode(cells[row::height], "strict", glyphs)[0] for row in range(height)]
