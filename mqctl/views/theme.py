"""What views are drawn with: glyphs for terminals with and without Unicode, styles, and text made safe and exact.

Styles say nothing that a glyph or a word does not say too: every view reads the same under NO_COLOR.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.style import Style

ACCENT_COLOR = "#4a90e2"
"""The blue of the rectangle and the bars; becomes bright blue where there are only 8 or 16 colours."""

PLAIN = Style.null()
DIM = Style(dim=True)
BOLD = Style(bold=True)
ACCENT = Style(color=ACCENT_COLOR)
ON_ACCENT = Style(color=ACCENT_COLOR, bold=True, reverse=True)
WARN = Style(color="yellow", bold=True)
PRODUCERS = tuple(Style(color=name) for name in ("cyan", "yellow", "magenta", "green", "red", "blue"))

_DEFAULT_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Printable in Python's eyes, invisible on a terminal (Unicode property Default_Ignorable_Code_Point)."""


def escape(text: str) -> str:
    r"""Replace what a terminal would obey or hide (control, bidi, zero-width characters) by `\x1b`, `\u202e` and so on.

    What is left occupies exactly the cells that `rich.cells` counts.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _DEFAULT_IGNORABLE.sub(lambda match: _code(match[0]), text)
    text = "".join(c if c.isprintable() else _code(c) for c in text)
    # A combining mark at the front would land on the character before the text.
    return text if not text or cell_len(text[0]) else _code(text[0]) + text[1:]


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The glyphs of a terminal. `blocks` and `hanging` are nine fillings of a cell, from below and from above."""

    corners: str = "╭╮╰╯"
    horizontal: str = "─"
    vertical: str = "│"
    axis_corner: str = "└"
    tick: str = "┤"
    foot: str = "┬"
    grid: str = "┈"
    grid_down: str = "┊"
    crossing: str = "┼"
    blocks: str = " ▁▂▃▄▅▆▇█"
    hanging: str = " ▔▔▀▀▀▀██"
    separator: str = " · "
    degree: str = "°"
    ellipsis: str = "…"
    dot: str = "●"
    ascii: bool = False

    def clean(self, text: str) -> str:
        """Text of a message, safe to print."""
        text = escape(text)
        return text.encode("ascii", "backslashreplace").decode() if self.ascii else text

    def fit(self, text: str, width: int) -> str:
        """Clean text in exactly `width` cells, cut with an ellipsis or padded."""
        if cell_len(text) <= width:
            return set_cell_size(text, width)
        mark = self.ellipsis[:width]
        return set_cell_size(text, width - len(mark)) + mark


UNICODE = Look()
ASCII = Look(
    corners="++++",
    horizontal="-",
    vertical="|",
    axis_corner="+",
    tick="+",
    foot="+",
    grid="-",
    grid_down=":",
    crossing="+",
    blocks=" ..::==##",
    hanging=" ''''####",
    separator=" | ",
    degree=" deg",
    ellipsis="~",
    dot="o",
    ascii=True,
)
