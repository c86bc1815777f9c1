"""The screen of `bench`: four charts that grow by a point a second."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from mqctl.application import Sample
from mqctl.cli.bench_live import Follower, Moment
from mqctl.cli.board import Board, Drawing
from mqctl.cli.context import AppContext
from mqctl.cli.live import Screen
from mqctl.model import SubscriptionId
from mqctl.views.base import Line, ViewOptions, message
from mqctl.views.chart import ChartView
from mqctl.views.layout import Pane, Status
from mqctl.views.theme import ASCII, UNICODE, Look

FPS = 10
NS_PER_MS = 1e6


class Gauge:
    """A line chart of one quantity, whose messages nobody needs to count. A `View`."""

    name: ClassVar[str] = "gauge"

    def __init__(self, options: ViewOptions) -> None:
        self._look = options.look
        self._chart = ChartView(options)
        self._empty = True

    def show(self, number: float, now_ns: int) -> None:
        """Extend the line."""
        self.observe("", Sample(float(f"{number:.4g}"), None, None, None, ""), now_ns)

    def observe(self, topic: str, sample: Sample, now_ns: int) -> None:
        """See `View.observe`."""
        self._empty = False
        self._chart.observe(topic, sample, now_ns)

    def render(self, width: int, height: int, now_ns: int) -> list[Line]:
        """See `View.render`."""
        if self._empty:
            return message("nothing measured yet", width, height, self._look)
        return self._chart.render(width, height, now_ns)

    def caption(self) -> str:
        """Nothing: the title says all."""
        return ""

    def footer(self, now_ns: int) -> tuple[str, str]:
        """Last; least and greatest in the picture."""
        last, _, rest = self._chart.footer(now_ns)[1].partition(self._look.separator)
        return last or "waiting", rest

    def moving(self, now_ns: int) -> bool:
        """See `View.moving`."""
        return self._chart.moving(now_ns)

    def line(self, sample: Sample) -> str:
        """See `View.line`."""
        return self._chart.line(sample)

    def clear(self) -> None:
        """See `View.clear`."""
        self._empty = True
        self._chart.clear()


TITLES = ("sent per second", "delivered per second", "p50 in ms", "p99 in ms")


@dataclass(frozen=True, slots=True)
class Charts:
    """The charts in the order of `TITLES`."""

    gauges: tuple[Gauge, ...]
    look: Look

    def show(self, moment: Moment) -> None:
        """Extend the lines by one second."""
        now_ns = time.monotonic_ns()
        for gauge, number in zip(self.gauges, _numbers(moment), strict=True):
            if number is not None:
                gauge.show(number, now_ns)

    def draw(self, follower: Follower, status: str) -> None:
        """Show the run until it ends or somebody presses `q`.

        Raises:
            MqctlError: As `Follower.step`.
        """
        drawings = {
            SubscriptionId(title): Drawing(Pane(title, gauge)) for title, gauge in zip(TITLES, self.gauges, strict=True)
        }
        screen = Screen(Board(drawings, Status(status), self.look), FPS)
        follower.warn_by(screen.warn)
        screen.run(follower)


def charts_for(context: AppContext) -> Charts:
    """Empty charts in the glyphs of the user's terminal."""
    look = UNICODE if context.has_unicode else ASCII
    return Charts(tuple(Gauge(ViewOptions(look=look)) for _ in TITLES), look)


def _numbers(moment: Moment) -> Iterable[float | None]:
    times = (None if ns is None else ns / NS_PER_MS for ns in (moment.p50_ns, moment.p99_ns))
    return (moment.sent_per_s, moment.delivered_per_s, *times)
