"""Requests of a STOMP client whose messages went to the broker upstream: they are answered when that has answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, assert_never

from mqctl.hub.exchange import Exchange, Port
from mqctl.model import Confirmed, PublishOutcome, Rejected, Unknown
from mqctl.protocols.stomp.server import ServerSession


class Breakable(Port, Protocol):
    """A connection that can be ended without a word."""

    def break_off(self, reason: str) -> None:
        """End it at once, for this reason."""
        ...


class Slips:
    """Those of one connection.

    Args:
        port: The connection.
        session: Its STOMP side.
        exchange: Flushes what is said.
        settled: Called when nothing is under way any more.
    """

    def __init__(
        self, port: Breakable, session: ServerSession, exchange: Exchange, settled: Callable[[], None]
    ) -> None:
        self.open = 0
        """Messages whose fate is not known."""
        self._port = port
        self._session = session
        self._exchange = exchange
        self._settled = settled

    def note(self, outcome: PublishOutcome, receipt: str | None, *, last: bool) -> None:
        """A message's fate is known. What nobody knows is answered by nothing: neither RECEIPT nor ERROR would be true.

        Args:
            outcome: The fate.
            receipt: What its request is answered by.
            last: Whether it was the last message of its request.
        """
        self.open -= 1
        match outcome:
            case Confirmed():
                if last and receipt is not None:
                    self._session.receipt(receipt)
                    self._exchange.mark_dirty(self._port)
            case Rejected(reason):
                self._session.refuse(receipt, f"refused upstream: {reason}")
                self._exchange.mark_dirty(self._port)
            case Unknown(reason):
                if receipt is not None:
                    self._port.break_off(f"nobody knows whether a message arrived upstream: {reason}")
            case _:
                assert_never(outcome)
        if not self.open:
            self._settled()


class Slip:
    """One request."""

    __slots__ = ("_open", "_slips", "receipt")

    def __init__(self, slips: Slips, receipt: str | None) -> None:
        self.receipt = receipt
        self._slips = slips
        self._open = 0

    def add(self) -> None:
        """One more of its messages is under way."""
        self._open += 1
        self._slips.open += 1

    def settled(self, outcome: PublishOutcome) -> None:
        """The fate of one of them."""
        self._open -= 1
        self._slips.note(outcome, self.receipt, last=not self._open)
