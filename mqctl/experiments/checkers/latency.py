"""Latency: from when a message was due to when it came, so that what a stall held back counts too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mqctl.experiments.answers import Answer, Property
from mqctl.experiments.checkers import blind
from mqctl.experiments.checkers.drawing import place_of
from mqctl.experiments.controls import Controls, Place, look_for
from mqctl.experiments.events import Delivered, Fault, Planted, Publish
from mqctl.experiments.ledger import Ledger
from mqctl.experiments.pages import Page, Turn
from mqctl.measurement.histogram import Histogram
from mqctl.measurement.report import latency_of
from mqctl.measurement.sending import LATE_NS
from mqctl.measurement.verdict import LATE_SHARE_MAX

NS_PER_MS = 1e6


class Latency:
    """Of first deliveries that say when they were due.

    Args:
        clocks_agree: Whether times of different actors can be compared.
    """

    def __init__(self, *, clocks_agree: bool = True) -> None:
        self._clocks_agree = clocks_agree
        self._delays = Controls(look_for(Fault.DELAY))
        self._delay_ns: dict[Place, int] = {}
        self._histogram = Histogram()
        self._early = self._sent = self._late = 0

    def turn(self, event: Turn) -> None:
        """See `Checker`."""
        self._delays.turn(event)
        if isinstance(event, Planted) and event.fault is Fault.DELAY:
            self._delay_ns[Place(event.consumer, event.producer, event.n)] = event.delay_ns

    def read(self, page: Page, ledger: Ledger) -> None:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        if not self._clocks_agree:
            return
        for sheet in page.sheets:
            first = sheet.first()
            took = [
                e.received_ns - e.intended_ns for e in first if e.received_ns is not None and e.intended_ns is not None
            ]
            early = bool(took) and min(took) < 0 and sum(ns < 0 for ns in took)
            self._early += early
            self._histogram.record_all([max(0, ns) for ns in took] if early else took)
            if self._delay_ns:
                self._find(first)
        sent: Sequence[Publish] = page.kinds.get(Publish, ())
        late_ns = [e.sent_ns - e.intended_ns for e in sent if e.sent_ns is not None and e.intended_ns is not None]
        self._sent += len(late_ns)
        self._late += len([ns for ns in late_ns if ns > LATE_NS])

    def _find(self, events: Sequence[Delivered]) -> None:
        for event in events:
            delay_ns = self._delay_ns.get(place := place_of(event))
            if delay_ns is None or event.received_ns is None or event.intended_ns is None:
                continue
            if event.received_ns - event.intended_ns >= delay_ns:
                self._delays.finds(place)

    def answers(self, ledger: Ledger) -> Iterator[Answer]:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        latency = latency_of(self._histogram)
        quantiles = {name: None if ns is None else ns / NS_PER_MS for name, ns in latency.quantiles.items()}
        longest = {"max_ms": latency.longest_ns / NS_PER_MS} if latency.longest_ns is not None else {}
        yield Answer(
            about=Property.LATENCY,
            chances=latency.samples,
            of="deliveries that say when they were due",
            doubts=[*self._doubts(), *blind(self._delays)],
            planted=self._delays.planted,
            found=self._delays.planted - len(self._delays.missed),
            numbers={**{f"{name}_ms": ms for name, ms in quantiles.items()}, **longest, "late_sends": self._late},
        )

    def _doubts(self) -> Iterator[str]:
        if not self._clocks_agree:
            yield "the clocks of the actors cannot be compared"
        if self._early:
            yield f"{self._early:,} messages came before they were due"
        if self._late > LATE_SHARE_MAX * self._sent:
            yield f"{self._late / self._sent:.1%} of the messages were sent more than 1 ms late: the generator lagged"
