"""The view of a topic whose name says nothing: its first value decides."""

from __future__ import annotations

from typing import ClassVar

from mqctl.application import Position, Sample, Value
from mqctl.views.base import Line, View, ViewOptions, message
from mqctl.views.chart import ChartView
from mqctl.views.dots import DotsView
from mqctl.views.table import TableView


class AutoView:
    """Waits for the first message and is from then on the view that suits it."""

    name: ClassVar[str] = "auto"

    def __init__(self, options: ViewOptions) -> None:
        self._options = options
        self._view: View | None = None

    def clear(self) -> None:
        """Forget every message, and what view they chose."""
        self._view = None

    def observe(self, topic: str, sample: Sample, now_ns: int) -> None:
        """Take in a message received at `now_ns`."""
        if self._view is None:
            self._view = suited(sample.value)(self._options)
        self._view.observe(topic, sample, now_ns)

    def render(self, width: int, height: int, now_ns: int) -> list[Line]:
        """Draw exactly `height` lines of exactly `width` cells."""
        if self._view is None:
            return message("waiting for messages", width, height, self._options.look)
        return self._view.render(width, height, now_ns)

    def caption(self) -> str:
        """The view's own."""
        return self._view.caption() if self._view else ""

    def footer(self, now_ns: int) -> tuple[str, str]:
        """The view's own."""
        return self._view.footer(now_ns) if self._view else ("no message yet", "")

    def moving(self, now_ns: int) -> bool:
        """Whether the view moves by itself."""
        return self._view is not None and self._view.moving(now_ns)

    def line(self, sample: Sample) -> str:
        """The message as the suited view would write it."""
        return (self._view or suited(sample.value)(self._options)).line(sample)


def suited(value: Value | None) -> type[View]:
    """The view that draws such a value."""
    match value:
        case Position():
            return DotsView
        case None:
            return TableView
        case _:
            return ChartView
