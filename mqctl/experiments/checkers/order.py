"""Order: the messages of a producer come in the order in which it sent them."""

from __future__ import annotations

from collections.abc import Iterable

from mqctl.experiments.answers import WITNESSES_MAX, Answer, Property, Witness
from mqctl.experiments.checkers import blind
from mqctl.experiments.checkers.drawing import drawn, place_of
from mqctl.experiments.controls import Controls, Place, swapped_within
from mqctl.experiments.events import Delivered, Fault, Planted, message
from mqctl.experiments.ledger import Ledger
from mqctl.experiments.pages import Late, Page, Sheet, Turn


class Order:
    """First deliveries only: what comes again after a rewind is no violation, but a duplicate."""

    def __init__(self) -> None:
        self._swaps = Controls(swapped_within)
        self._delayed: set[Place] = set()
        self._late = self._episodes = self._farthest = 0
        self._last: Delivered | None = None
        self._witnesses: list[Witness] = []

    def turn(self, event: Turn) -> None:
        """See `Checker`."""
        self._swaps.turn(event)
        if isinstance(event, Planted) and event.fault is Fault.DELAY:
            self._delayed.add(Place(event.consumer, event.producer, event.n))

    def read(self, page: Page, ledger: Ledger) -> None:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        for sheet in page.sheets:
            for late in sheet.late:
                place = place_of(late.event)
                if not self._swaps.finds(place) and place not in self._delayed:
                    self._violated(page, sheet, late)

    def _violated(self, page: Page, sheet: Sheet, late: Late) -> None:
        event, last = late.event, self._last
        self._late += 1
        self._farthest = max(self._farthest, late.behind - event.n)
        follows = last and (last.consumer, last.producer, last.n + 1) == place_of(event)
        self._episodes += not follows
        self._last = event
        if not follows and len(self._witnesses) < WITNESSES_MAX:
            text = (
                f"{event.consumer} got {message(event.producer, event.n)} after {message(event.producer, late.behind)}"
            )
            row = drawn(sheet, event, {event.n, late.behind})
            self._witnesses.append(Witness(text=text, line=page.line_of(event), rows=(row,)))

    def answers(self, ledger: Ledger) -> Iterable[Answer]:
        """See `Checker`."""
        streams = [stream for party in ledger.parties.values() for stream in party.streams.values()]
        return (
            Answer(
                about=Property.FIFO,
                violations=self._late,
                chances=sum(max(0, stream.seen.count() - 1) for stream in streams),
                of="messages that came behind another of their producer",
                witnesses=self._witnesses,
                doubts=blind(self._swaps),
                planted=self._swaps.planted,
                found=self._swaps.planted - len(self._swaps.missed),
                numbers={"episodes": self._episodes, "farthest": self._farthest},
            ),
        )
