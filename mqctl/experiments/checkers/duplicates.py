"""Duplicates: each message comes once; where consumers share messages, to one of them."""

from __future__ import annotations

from collections.abc import Iterator

from mqctl.experiments.answers import WITNESSES_MAX, Answer, Property, Witness
from mqctl.experiments.checkers import blind
from mqctl.experiments.checkers.drawing import drawn, place_of
from mqctl.experiments.controls import Controls, look_for
from mqctl.experiments.events import BROKER, ConnectionLost, Delivered, Fault, Killed, message
from mqctl.experiments.ledger import Ledger
from mqctl.experiments.pages import Page, Sheet, Turn


class Duplicates:
    """What was sent again or asked back may come again."""

    def __init__(self) -> None:
        self._doubles = Controls(look_for(Fault.DUPLICATE))
        self._disturbed: set[str] = set()
        self._came = self._again = self._unflagged = self._to_two = 0
        self._witnesses: list[Witness] = []
        self._shared_witnesses: list[Witness] = []

    def turn(self, event: Turn) -> None:
        """See `Checker`."""
        self._doubles.turn(event)
        if isinstance(event, (ConnectionLost, Killed)):
            self._disturbed.add(event.client)

    def read(self, page: Page, ledger: Ledger) -> None:
        """See `Checker`."""
        for sheet in page.sheets:
            self._came += len(sheet.events)
            for event, asked in sheet.again:
                resent = ledger.producers[event.producer].resent if event.producer in ledger.producers else ()
                if not asked and event.n not in resent and not self._doubles.finds(place_of(event)):
                    self._violated(page, sheet, event)

    def _violated(self, page: Page, sheet: Sheet, event: Delivered) -> None:
        self._again += 1
        self._unflagged += not event.redelivered
        undisturbed = self._disturbed.isdisjoint({BROKER, *sheet.party.members})
        twice = sheet.party.shared and undisturbed
        self._to_two += twice
        for wanted, shown in ((True, self._witnesses), (twice, self._shared_witnesses)):
            if wanted and len(shown) < WITNESSES_MAX:
                text = (
                    f"{event.consumer} got {message(event.producer, event.n)}, which {sheet.party.name} had got before"
                )
                shown.append(Witness(text=text, line=page.line_of(event), rows=(drawn(sheet, event, {event.n}),)))

    def answers(self, ledger: Ledger) -> Iterator[Answer]:
        """See `Checker`."""
        doubts = blind(self._doubles)
        planted, found = self._doubles.planted, self._doubles.planted - len(self._doubles.missed)
        yield Answer(
            about=Property.NO_DUPLICATES,
            violations=self._again,
            chances=self._came,
            of="deliveries",
            witnesses=self._witnesses,
            doubts=doubts,
            planted=planted,
            found=found,
            numbers={"unflagged": self._unflagged},
        )
        yield Answer(
            about=Property.ONE_CONSUMER,
            violations=self._to_two,
            chances=_shared(ledger),
            of="messages that consumers share",
            witnesses=self._shared_witnesses,
            doubts=doubts,
        )


def _shared(ledger: Ledger) -> int:
    parties = [party for party in ledger.parties.values() if party.shared and len(party.members) > 1]
    return sum(stream.seen.count() for party in parties for stream in party.streams.values())
