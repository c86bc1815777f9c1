"""`chart`: an array is a bar chart, a number extends a line over time; the view switches to what comes and says so."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from mqctl.application import Position, Sample
from mqctl.views.bars import draw_bars
from mqctl.views.base import NS_PER_S, Line, Tally, ViewOptions, bad_line, format_number, message
from mqctl.views.plot import Span, draw_line, extent

SPANS_MAX = 1024
"""A line keeps so many points, however fast numbers come and however wide the terminal."""

_WINDOWS_S = (10.0, 30.0)
"""A line starts with a short time across the picture and widens to `ViewOptions.window_s` as it grows."""


class ChartView:
    """The latest array, or the numbers of the last minute."""

    name: ClassVar[str] = "chart"

    def __init__(self, options: ViewOptions) -> None:
        self._options = options
        self._span_ns = max(int(options.window_s * NS_PER_S) // (SPANS_MAX - 2), 1)
        self.clear()

    def clear(self) -> None:
        """Forget every message."""
        self._tally = Tally()
        self._bars: tuple[float, ...] = ()
        self._spans: deque[Span] = deque(maxlen=SPANS_MAX)
        self._started_ns = 0
        self._kind = ""
        self._switches = 0

    def observe(self, topic: str, sample: Sample, now_ns: int) -> None:
        """Take in a message received at `now_ns`."""
        self._tally.add(_problem(sample), now_ns)
        match sample.value:
            case None | Position():
                pass
            case tuple() as bars:
                self._switch("bars")
                self._bars = bars
            case number:
                self._switch("line")
                self._extend(number, now_ns)

    def _switch(self, kind: str) -> None:
        self._switches += bool(self._kind) and kind != self._kind
        self._kind = kind

    def _extend(self, number: float, now_ns: int) -> None:
        spans, at_ns = self._spans, now_ns - now_ns % self._span_ns
        if not spans:
            self._started_ns = now_ns
        span = Span(at_ns, number, number, number, number)
        if spans and spans[-1].at_ns == at_ns:
            spans[-1] = spans[-1].join(span)
        else:
            spans.append(span)

    def render(self, width: int, height: int, now_ns: int) -> list[Line]:
        """Draw exactly `height` lines of exactly `width` cells."""
        look = self._options.look
        match self._kind:
            case "bars":
                return draw_bars(self._bars, self._labels(len(self._bars)), width=width, height=height, look=look)
            case "line":
                window_ns = self._window_ns(now_ns)
                spans = self._seen(now_ns, window_ns)
                return draw_line(spans, now_ns, window_ns, width=width, height=height, look=look)
            case _:
                return message("waiting for an array or a number", width, height, look)

    def _labels(self, count: int) -> list[str]:
        given = self._options.labels[:count]
        return [*map(self._options.look.clean, given), *(f"a{n}" for n in range(len(given) + 1, count + 1))]

    def _window_ns(self, now_ns: int) -> int:
        age_s = (now_ns - self._started_ns) / NS_PER_S
        full_s = self._options.window_s
        return int(next((short for short in _WINDOWS_S if age_s < short < full_s), full_s) * NS_PER_S)

    def _seen(self, now_ns: int, window_ns: int) -> list[Span]:
        """What is in the window and the point before it, so that the line enters from the edge."""
        left_ns = now_ns - window_ns
        seen = []
        for span in reversed(self._spans):
            seen.append(span)
            if span.at_ns < left_ns:
                break
        return seen[::-1]

    def caption(self) -> str:
        """Bars or line, and whether it changed."""
        if not self._switches:
            return self._kind
        return f"{self._kind}, switched {self._switches} time{'s' * (self._switches != 1)}"

    def footer(self, now_ns: int) -> tuple[str, str]:
        """The messages counted; last, least and greatest in the picture."""
        return self._tally.text(now_ns, self._options.look), self._range(now_ns)

    def _range(self, now_ns: int) -> str:
        if self._kind == "line":
            spans = self._seen(now_ns, self._window_ns(now_ns))
            low, high = extent(spans)
            parts = [("last", self._spans[-1].last), ("min", low), ("max", high)]
        elif self._bars:
            parts = [("min", min(self._bars)), ("max", max(self._bars))]
        else:
            return ""
        return self._options.look.separator.join(f"{name} {format_number(value)}" for name, value in parts)

    def moving(self, now_ns: int) -> bool:
        """A line scrolls until its last point has left."""
        return self._kind == "line" and now_ns - self._spans[-1].at_ns <= self._window_ns(now_ns)

    def line(self, sample: Sample) -> str:
        """The number, or the numbers of the array."""
        match sample.value:
            case None | Position():
                return bad_line(_problem(sample) or "", sample, self._options.look)
            case tuple() as numbers:
                return " ".join(map(format_number, numbers))
            case number:
                return format_number(number)


def _problem(sample: Sample) -> str | None:
    return "a position, not a number or an array" if isinstance(sample.value, Position) else sample.problem
