"""What is shown, on a live screen or as text: the panes of all topics and a status line."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mqctl import application
from mqctl.application import Sample, Selector
from mqctl.cli.context import AppContext
from mqctl.cli.receiving import Receiver
from mqctl.cli.streams import write_out
from mqctl.cli.tail import receive_all
from mqctl.model import Delivery, SubscriptionId
from mqctl.views.base import Line, View, plain
from mqctl.views.layout import Pane, Status, compose
from mqctl.views.theme import Look

FINAL_SIZE = (80, 24)
"""Columns and lines of the picture that ends a run without a terminal."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A topic's pane, and where in its messages the values are."""

    pane: Pane
    select: Selector | None = None

    def take_in(self, delivery: Delivery) -> Sample:
        """Let the view see a message; what it was read as."""
        sample = application.decode(delivery.payload, self.select)
        self.pane.view.observe(delivery.topic, sample, delivery.received_ns)
        return sample

    @property
    def view(self) -> View:
        """The view in the pane."""
        return self.pane.view


@dataclass(slots=True)
class Board:
    """The drawings by subscription, the status line, and the glyphs they are drawn with."""

    drawings: Mapping[SubscriptionId, Drawing]
    status: Status
    look: Look

    @property
    def panes(self) -> list[Pane]:
        """The panes, in the order of the topics."""
        return [drawing.pane for drawing in self.drawings.values()]

    def draw(self, width: int, height: int, now_ns: int) -> list[Line]:
        """The whole picture: `height` lines of `width` cells."""
        return compose(self.panes, self.status, width=width, height=height, now_ns=now_ns, look=self.look)

    def observe(self, deliveries: Sequence[Delivery], _first: int) -> None:
        """Let the views take in what arrived."""
        for delivery in deliveries:
            self.drawings[delivery.subscription].take_in(delivery)

    def printer(self, context: AppContext) -> Callable[[Sequence[Delivery], int], None]:
        """As `observe`, and print each value as its view puts it, after its topic where there are several."""
        many = len(self.drawings) > 1

        def handle(deliveries: Sequence[Delivery], _first: int) -> None:
            lines = []
            for delivery in deliveries:
                drawing = self.drawings[delivery.subscription]
                lines.append((f"{delivery.topic} " if many else "") + drawing.view.line(drawing.take_in(delivery)))
            write_out(context.stdout, "".join(f"{line}\n" for line in lines).encode())

        return handle


def show(context: AppContext, board: Board, receiver: Receiver, fps: int) -> None:
    """Draw until the end on a terminal; elsewhere print each value, and the last picture at the end.

    Raises:
        MqctlError: As `Receiver.step`.
    """
    if context.can_draw:
        from mqctl.cli.live import Screen

        screen = Screen(board, fps)
        receiver.handle, receiver.complain = board.observe, screen.warn
        receiver.outages.tell = lambda text: screen.tell(text, wrong=receiver.outages.missing)
        try:
            screen.run(receiver)
        finally:
            if receiver.outages.reconnects:
                context.say(receiver.summary())
        return
    receiver.handle = board.printer(context)
    try:
        receive_all(context, receiver)
    finally:
        picture = plain(board.draw(*FINAL_SIZE, time.monotonic_ns()))
        write_out(context.stdout, picture.encode() + b"\n")
