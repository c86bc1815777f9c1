"""Message groups: what a producer sends goes to one of the consumers that share, as long as that one is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from mqctl.experiments.answers import WITNESSES_MAX, Answer, Cell, Look, Property, Row, Witness
from mqctl.experiments.checkers import blind
from mqctl.experiments.checkers.drawing import BEFORE, place_of
from mqctl.experiments.controls import Controls, look_for
from mqctl.experiments.events import BROKER, ConnectionLost, Delivered, Fault, Killed, Unsubscribed, message
from mqctl.experiments.ledger import Ledger
from mqctl.experiments.pages import Page, Sheet, Turn


class Sticky:
    """First deliveries only. Memory grows with producers × groups of consumers: of each, the last delivery is kept."""

    def __init__(self) -> None:
        self._strays = Controls(look_for(Fault.STRAY))
        self._last: defaultdict[str, dict[str, Delivered]] = defaultdict(dict)
        self._came = self._moved = 0
        self._witnesses: list[Witness] = []

    def turn(self, event: Turn) -> None:
        """See `Checker`."""
        self._strays.turn(event)
        match event:
            case ConnectionLost(client=client) | Killed(client=client) | Unsubscribed(consumer=client):
                self._forget(client)
            case _:
                pass

    def _forget(self, client: str) -> None:
        """Who is gone keeps nothing, and all are gone with the broker."""
        for party, last in self._last.items():
            self._last[party] = {
                producer: event for producer, event in last.items() if client not in (BROKER, event.consumer)
            }

    def read(self, page: Page, ledger: Ledger) -> None:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        for sheet in page.sheets:
            if sheet.party.shared and len(sheet.party.members) > 1:
                self._read(page, sheet, self._last[sheet.party.name])

    def _read(self, page: Page, sheet: Sheet, last: dict[str, Delivered]) -> None:
        for event in sheet.first():
            before = last.get(event.producer)
            self._came += before is not None
            if before is not None and before.consumer != event.consumer:
                if self._strays.planted and self._strays.finds(place_of(event)):
                    continue
                self._violated(page, sheet, before, event)
            last[event.producer] = event

    def _violated(self, page: Page, sheet: Sheet, before: Delivered, event: Delivered) -> None:
        self._moved += 1
        if len(self._witnesses) < WITNESSES_MAX:
            text = (
                f"{event.consumer} got {message(event.producer, event.n)}, "
                f"and {before.consumer} had got {message(before.producer, before.n)}"
            )
            rows = tuple(_drawn(sheet, each) for each in (before, event))
            self._witnesses.append(Witness(text=text, line=page.line_of(event), rows=rows))

    def answers(self, ledger: Ledger) -> Iterator[Answer]:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        yield Answer(
            about=Property.STICKY,
            violations=self._moved,
            chances=self._came,
            of="shared messages behind another of their producer",
            witnesses=self._witnesses,
            doubts=blind(self._strays),
            planted=self._strays.planted,
            found=self._strays.planted - len(self._strays.missed),
        )


def _drawn(sheet: Sheet, event: Delivered) -> Row:
    """What its consumer got of its producer, up to it."""
    own = [each.n for each in sheet.events if (each.consumer, each.producer) == (event.consumer, event.producer)]
    # The one before may have come in an earlier stretch.
    at = own.index(event.n) if event.n in own else 0
    cells = (
        *(Cell(event.producer, n) for n in own[max(0, at - BEFORE) : at]),
        Cell(event.producer, event.n, Look.MARKED),
    )
    return Row(event.consumer, cells)
