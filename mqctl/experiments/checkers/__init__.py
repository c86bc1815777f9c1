"""Checkers: each looks through a history once, page by page, and answers for the properties it knows about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from mqctl.experiments.answers import Answer
from mqctl.experiments.controls import Controls, describe
from mqctl.experiments.ledger import Ledger
from mqctl.experiments.pages import Page, Turn


class Checker(Protocol):
    """Looks through a history. All it hears comes in order."""

    def turn(self, event: Turn) -> None:
        """What changes the meaning of all that follows."""

    def read(self, page: Page, ledger: Ledger) -> None:
        """A stretch; the ledger has it already."""

    def answers(self, ledger: Ledger) -> Iterable[Answer]:
        """At the end, and once."""


def blind(controls: Controls) -> Sequence[str]:
    """The doubt that comes of planted faults that were not found."""
    missed = controls.missed
    if not missed:
        return ()
    return (f"{len(missed)} of {controls.planted} planted faults were not found, first {describe(missed[0][1])}",)
