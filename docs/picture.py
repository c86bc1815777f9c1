"""Draws `watch.svg`, the picture in README, from fixed values: `python docs/picture.py`."""

from __future__ import annotations

import io
import itertools
import json
import math
from pathlib import Path

from rich.console import Console
from rich.segment import Segment, Segments

from mqctl import application
from mqctl.cli.board import Board, Drawing
from mqctl.model import SubscriptionId
from mqctl.views.base import ViewOptions
from mqctl.views.layout import Pane, Status
from mqctl.views.registry import VIEWS
from mqctl.views.theme import UNICODE

WIDTH, HEIGHT = 110, 34
NS_PER_S = 1_000_000_000
END_NS = 60 * NS_PER_S

# Rich's own frame for an SVG names a font on somebody's server; a picture in a repository should load nothing.
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def _drawing(topic: str, view: str, payloads: list[object]) -> Drawing:
    drawing = Drawing(Pane(topic, VIEWS[view](ViewOptions())))
    for n, payload in enumerate(payloads):
        at_ns = END_NS - (len(payloads) - 1 - n) * NS_PER_S // 4
        drawing.view.observe(topic, application.decode(json.dumps(payload).encode()), at_ns)
    return drawing


def picture() -> str:
    """The SVG."""
    circle = [
        {"x": round(250 + r * math.cos(a)), "y": round(250 + r * math.sin(a)), "producerId": name}
        for name, r, a in (
            ("ada", 200, 0.6),
            ("grace", 200, 2.2),
            ("alan", 120, 3.9),
            ("edsger", 60, 5.4),
            ("tony", 160, 4.6),
        )
    ]
    drawings = [
        _drawing("rect", "rect", [0, 50, 100, 150, 200]),
        _drawing("chart", "chart", [[7, 14, 1, 17, 8, 15, 16]]),
        _drawing(
            "weather.oslo", "chart", [round(12 + 9 * math.sin(n / 17) + 2 * math.sin(n / 3), 1) for n in range(200)]
        ),
        _drawing("micomet", "dots", circle),
    ]
    board = Board(
        {SubscriptionId(drawing.pane.title): drawing for drawing in drawings},
        Status("127.0.0.1:61613 mqctl-hub", hint="q quit · c clear"),
        UNICODE,
    )
    console = Console(
        file=io.StringIO(), record=True, width=WIDTH, height=HEIGHT, force_terminal=True, color_system="truecolor",
        legacy_windows=False, _environ={},
    )  # fmt: skip
    console.print(
        Segments(itertools.chain(*([*line, Segment.line()] for line in board.draw(WIDTH, HEIGHT, END_NS)))), end=""
    )
    return console.export_svg(title="mqctl watch", code_format=SVG, unique_id="mqctl")


if __name__ == "__main__":
    (Path(__file__).parent / "watch.svg").write_text(picture())
