"""`rect`: a square turned to the angle received, and the list of received messages beside it when there is room."""

from __future__ import annotations

import math
from collections import deque
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment

from mqctl.application import Sample
from mqctl.views import canvas
from mqctl.views.base import Line, Tally, ViewOptions, bad_line, beside, blank, format_number, message, overlay
from mqctl.views.theme import ACCENT, DIM, ON_ACCENT, PLAIN, WARN

TRANSITION_NS = 200_000_000
RECEIVED_MAX = 200
"""So many messages are kept for the list."""

_OUTLINE = ((-1.0, -1.0), (-0.24, -1.0), (0.0, -0.7), (0.24, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))
"""A square from -1 to 1 with a notch in its top edge: without it, a quarter turn would look like none."""

_LIST_ROOM_MIN = 60
_LIST_WIDTH_MAX = 46
_ID_WIDTH = 6


class _Received(NamedTuple):
    time: str
    producer_id: str
    text: str
    bad: bool


def shorter_way(start: float, end: float) -> float:
    """Degrees to turn from `start` to `end`, from -180 up to but not including 180; positive is clockwise."""
    return (end - start + 180) % 360 - 180


class RectView:
    """The latest angle and the way to it."""

    name: ClassVar[str] = "rect"

    def __init__(self, options: ViewOptions) -> None:
        self._options = options
        self.clear()

    def clear(self) -> None:
        """Forget every message."""
        self._tally = Tally()
        self._received: deque[_Received] = deque(maxlen=RECEIVED_MAX)
        self._value: float | None = None
        self._start = 0.0
        self._turn = 0.0
        self._started_ns = 0

    def observe(self, topic: str, sample: Sample, now_ns: int) -> None:
        """Take in a message received at `now_ns`."""
        problem = _problem(sample)
        if sample.value is not None and not isinstance(sample.value, tuple):
            self._turn_to(sample.value, now_ns)
        self._tally.add(problem, now_ns)
        self._received.append(self._entry(sample, problem))

    def _turn_to(self, angle: float, now_ns: int) -> None:
        self._start = angle % 360 if self._value is None else self.angle(now_ns)
        self._turn = shorter_way(self._start, angle % 360)
        self._started_ns = now_ns
        self._value = angle

    def _entry(self, sample: Sample, problem: str | None) -> _Received:
        clean = self._options.look.clean
        at = sample.sent_at
        time = f"{at.astimezone(self._options.zone):%H:%M:%S}" if at else "--:--:--"
        text = f'{{"data":{sample.text}}}' if problem is None else f"! {problem}: {sample.text}"
        return _Received(time, clean(sample.producer_id or "-"), clean(text), problem is not None)

    def angle(self, now_ns: int) -> float:
        """Degrees shown at `now_ns`, on the way or there."""
        done = min(max((now_ns - self._started_ns) / TRANSITION_NS, 0.0), 1.0) if self._options.transition else 1.0
        return self._start + self._turn * done * done * (3 - 2 * done)

    def moving(self, now_ns: int) -> bool:
        """Whether it is still turning."""
        return self._options.transition and self._turn != 0 and now_ns - self._started_ns < TRANSITION_NS

    def render(self, width: int, height: int, now_ns: int) -> list[Line]:
        """Draw exactly `height` lines of exactly `width` cells."""
        if width < _LIST_ROOM_MIN:
            return self._square(width, height, now_ns)
        room = min(width * 9 // 20, _LIST_WIDTH_MAX)
        return beside(self._square(width - room, height, now_ns), self._list(room, height))

    def _square(self, width: int, height: int, now_ns: int) -> list[Line]:
        look = self._options.look
        if self._value is None:
            return message("waiting for an angle", width, height, look)
        paper = canvas.Canvas(width, height)
        paper.polygon(_turned(self.angle(now_ns), paper.dots_x, paper.dots_y))
        rows = paper.rows(canvas.ASCII if look.ascii else canvas.BRAILLE)
        lines = [[Segment(row, ACCENT)] for row in rows]
        label = f" {format_number(self._value)}{look.degree} "
        if len(label) <= width:
            lines[height // 2] = overlay(rows[height // 2], ACCENT, [((width - len(label)) // 2, label, ON_ACCENT)])
        return lines

    def _list(self, width: int, height: int) -> list[Line]:
        shown = list(self._received)[-height:] if height else []
        edge = Segment(f"{self._options.look.vertical} ", DIM)
        lines = [[edge, *self._item(item, width - 2)] for item in shown]
        return [[edge, *blank(width - 2)] for _ in range(height - len(lines))] + lines

    def _item(self, item: _Received, width: int) -> Line:
        fit = self._options.look.fit
        id_width = max(_ID_WIDTH, min(cell_len(item.producer_id), 12))
        rest = width - len(item.time) - id_width - 2
        return [
            Segment(f"{item.time} ", DIM),
            Segment(f"{fit(item.producer_id, id_width)} ", PLAIN),
            Segment(fit(item.text, rest), WARN if item.bad else PLAIN),
        ]

    def caption(self) -> str:
        """Nothing to add: the picture speaks."""
        return ""

    def footer(self, now_ns: int) -> tuple[str, str]:
        """The messages counted; the angle."""
        look = self._options.look
        angle = "" if self._value is None else f"{format_number(self._value)}{look.degree}"
        return self._tally.text(now_ns, look), angle

    def line(self, sample: Sample) -> str:
        """The angle, and who sent it."""
        look = self._options.look
        if sample.value is None or isinstance(sample.value, tuple):
            return bad_line(_problem(sample) or "", sample, look)
        who = f" from {look.clean(sample.producer_id)}" if sample.producer_id else ""
        return f"{format_number(sample.value)}{look.degree}{who}"


def _problem(sample: Sample) -> str | None:
    return "not a number of degrees" if isinstance(sample.value, tuple) else sample.problem


def _turned(degrees: float, dots_x: int, dots_y: int) -> list[tuple[float, float]]:
    """The outline about the middle, as large as can turn without touching the edge; clockwise is positive."""
    half = max(min(dots_x, dots_y) / 2 - 1, 0) / math.sqrt(2)
    cos, sin = half * math.cos(math.radians(degrees)), half * math.sin(math.radians(degrees))
    return [(dots_x / 2 + x * cos - y * sin, dots_y / 2 + x * sin + y * cos) for x, y in _OUTLINE]
