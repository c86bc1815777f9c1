"""Pictures of what came round a violation."""

from __future__ import annotations

from mqctl.experiments.answers import Cell, Look, Row
from mqctl.experiments.controls import Place
from mqctl.experiments.events import Delivered
from mqctl.experiments.pages import Sheet

BEFORE, AFTER = 6, 2
"""So many deliveries round a witness are drawn."""


def place_of(event: Delivered) -> Place:
    """Where a fault would have been planted that shows in a delivery."""
    return Place(event.consumer, event.producer, event.n)


def drawn(sheet: Sheet, event: Delivered, marked: set[int]) -> Row:
    """What came round a delivery, with messages of its producer marked."""
    at = next(i for i, each in enumerate(sheet.events) if each is event)
    cells = (
        Cell(each.producer, each.n, Look.MARKED if each.producer == event.producer and each.n in marked else Look.PLAIN)
        for each in sheet.events[max(0, at - BEFORE) : at + AFTER + 1]
    )
    return Row(sheet.party.name, tuple(cells))
