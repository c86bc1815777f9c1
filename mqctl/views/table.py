"""`table`: one row for every topic with its last value, count, rate and age."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style

from mqctl.application import Sample
from mqctl.views.base import NS_PER_S, Line, Rate, Tally, ViewOptions, blank, message
from mqctl.views.theme import BOLD, DIM, PLAIN, Look

TOPICS_MAX = 1000
"""The topic that was silent longest makes room for a new one."""

_GAP = 2


class _Column(NamedTuple):
    title: str
    width: int
    right: bool = False
    style: Style = PLAIN


_COUNT, _RATE, _AGE = _Column("count", 7, right=True), _Column("rate", 8, right=True), _Column("age", 4, right=True)
_ROOMS = ((48, (_COUNT, _RATE, _AGE)), (24, (_COUNT,)))
"""From which width on which columns stand beside topic and value; below, only the topic is shown."""


class _Row:
    """A topic's last message and its counts."""

    __slots__ = ("at_ns", "count", "rate", "text")

    def __init__(self) -> None:
        self.text = ""
        self.count = 0
        self.rate = Rate()
        self.at_ns = 0


class TableView:
    """What is said on which topic."""

    name: ClassVar[str] = "table"

    def __init__(self, options: ViewOptions) -> None:
        self._options = options
        self.clear()

    def clear(self) -> None:
        """Forget every message and topic."""
        self._tally = Tally()
        self._rows: dict[str, _Row] = {}
        self._seen = 0

    def observe(self, topic: str, sample: Sample, now_ns: int) -> None:
        """Take in a message received at `now_ns`."""
        row = self._rows.pop(topic, None)
        if row is None:
            row = _Row()
            self._seen += 1
            if len(self._rows) == TOPICS_MAX:
                del self._rows[next(iter(self._rows))]
        self._rows[topic] = row
        row.text, row.at_ns = sample.text, now_ns
        row.count += 1
        row.rate.add(now_ns)
        self._tally.add(None, now_ns)

    def render(self, width: int, height: int, now_ns: int) -> list[Line]:
        """Draw exactly `height` lines of exactly `width` cells."""
        look = self._options.look
        if not self._rows:
            return message("waiting for messages", width, height, look)
        topics = sorted(self._rows)
        columns = _columns(width, max(map(len, topics)))
        room = max(height - 1, 0)
        shown = topics if len(topics) <= room else topics[: max(room - 1, 0)]
        lines = [_line([column.title for column in columns], [column._replace(style=DIM) for column in columns], look)]
        lines += [_line(self._cells(topic, now_ns), columns, look) for topic in shown]
        if len(shown) < len(topics):
            lines.append([Segment(look.fit(f"{len(topics) - len(shown)} more topics", width), DIM)])
        return (lines + [blank(width) for _ in range(height - len(lines))])[:height]

    def _cells(self, topic: str, now_ns: int) -> list[str]:
        row, clean = self._rows[topic], self._options.look.clean
        rate = f"{row.rate.per_second(now_ns):.1f}/s"
        return [clean(topic), clean(row.text), str(row.count), rate, _age((now_ns - row.at_ns) // NS_PER_S)]

    def caption(self) -> str:
        """The number of topics."""
        count = len(self._rows)
        return f"{count} topic{'s' * (count != 1)}" + (f" of {self._seen}" if self._seen > count else "")

    def footer(self, now_ns: int) -> tuple[str, str]:
        """The messages counted."""
        return self._tally.text(now_ns, self._options.look), ""

    def moving(self, now_ns: int) -> bool:
        """Ages grow."""
        return bool(self._rows)

    def line(self, sample: Sample) -> str:
        """The value as it came."""
        return self._options.look.clean(sample.text)


def _columns(width: int, longest: int) -> list[_Column]:
    fixed = next((columns for least, columns in _ROOMS if width >= least), None)
    if fixed is None:
        return [_Column("topic", width, style=BOLD)]
    rest = width - sum(column.width + _GAP for column in fixed) - _GAP
    topic = min(max(longest, len("topic")), rest * 2 // 5)
    return [_Column("topic", topic, style=BOLD), _Column("last value", rest - topic), *fixed]


def _line(cells: list[str], columns: list[_Column], look: Look) -> Line:
    line: Line = []
    for cell, column in zip(cells, columns, strict=False):
        text = look.fit(f"{cell:>{column.width}}" if column.right else cell, column.width)
        line += [Segment(text, column.style), Segment(" " * _GAP, PLAIN)]
    return line[:-1]


def _age(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"
