"""Latency: from when a message was due to when it came, so that what a stall held back counts too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mqctl.experiments.answers import Answer, Property, Witness
from mqctl.experiments.checkers import blind
from mqctl.experiments.checkers.drawing import place_of
from mqctl.experiments.controls import Controls, Place, look_for
from mqctl.experiments.events import Delivered, Fault, Planted, Publish
from mqctl.experiments.ledger import Ledger
from mqctl.experiments.limits import Limit
from mqctl.experiments.pages import Page, Turn
from mqctl.measurement.histogram import Histogram
from mqctl.measurement.report import latency_of
from mqctl.measurement.sending import LATE_NS
from mqctl.measurement.verdict import LATE_SHARE_MAX

NS_PER_MS = 1e6


class Latency:
    """Of first deliveries that say when they were due, without what was delayed on purpose.

    Args:
        limits: On what part of them may take how long.
        clocks_agree: Whether times of different actors can be compared.
    """

    def __init__(self, limits: Sequence[Limit] = (), *, clocks_agree: bool = True) -> None:
        self._limits = limits
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
            first = self._undelayed(sheet.first())
            took = [
                e.received_ns - e.intended_ns for e in first if e.received_ns is not None and e.intended_ns is not None
            ]
            early = bool(took) and min(took) < 0 and sum(ns < 0 for ns in took)
            self._early += early
            self._histogram.record_all([max(0, ns) for ns in took] if early else took)
        sent: Sequence[Publish] = page.kinds.get(Publish, ())
        late_ns = [e.sent_ns - e.intended_ns for e in sent if e.sent_ns is not None and e.intended_ns is not None]
        self._sent += len(late_ns)
        self._late += len([ns for ns in late_ns if ns > LATE_NS])

    def _undelayed(self, events: Sequence[Delivered]) -> Sequence[Delivered]:
        """What was not delayed on purpose; the others are looked at for their delay."""
        if not self._delay_ns:
            return events
        undelayed = []
        for event in events:
            delay_ns = self._delay_ns.get(place := place_of(event))
            if delay_ns is None:
                undelayed.append(event)
            elif (took_ns := _took_ns(event)) is not None and took_ns >= delay_ns:
                self._delays.finds(place)
        return undelayed

    def answers(self, ledger: Ledger) -> Iterator[Answer]:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        latency = latency_of(self._histogram)
        quantiles = {name: None if ns is None else ns / NS_PER_MS for name, ns in latency.quantiles.items()}
        longest = {"max_ms": latency.longest_ns / NS_PER_MS} if latency.longest_ns is not None else {}
        doubts = list(self._doubts())
        broken = [limit for limit in self._told() if self._quantile_ns(limit) >= limit.below_ns]
        yield Answer(
            about=Property.LATENCY,
            violations=max((self._histogram.at_least(limit.below_ns) for limit in broken), default=0),
            chances=latency.samples,
            of="deliveries that say when they were due",
            witnesses=[Witness(text=f"{self._measured(limit)}, against {limit}") for limit in broken],
            doubts=[*doubts, *blind(self._delays), *self._weak()],
            certain=not doubts,
            planted=self._delays.planted,
            found=self._delays.planted - len(self._delays.missed),
            numbers={**{f"{name}_ms": ms for name, ms in quantiles.items()}, **longest, "late_sends": self._late},
            notes=[self._measured(limit) for limit in self._told()],
        )

    def _told(self) -> list[Limit]:
        """The limits that there were messages enough for."""
        return [limit for limit in self._limits if self._histogram.count >= limit.samples_min]

    def _quantile_ns(self, limit: Limit) -> int:
        took_ns = self._histogram.quantile(limit.share)
        assert took_ns is not None
        return took_ns

    def _measured(self, limit: Limit) -> str:
        return f"{limit.quantile} was {self._quantile_ns(limit) / NS_PER_MS:,.2f} ms"

    def _weak(self) -> Iterator[str]:
        for limit in self._limits:
            if self._histogram.count < limit.samples_min:
                yield f"{limit} needs {limit.samples_min:,} deliveries, and there were {self._histogram.count:,}"

    def _doubts(self) -> Iterator[str]:
        if not self._clocks_agree:
            yield "the clocks of the actors cannot be compared"
        if self._early:
            yield f"{self._early:,} messages came before they were due"
        if self._late > LATE_SHARE_MAX * self._sent:
            yield f"{self._late / self._sent:.1%} of the messages were sent more than 1 ms late: the generator lagged"


def _took_ns(event: Delivered) -> int | None:
    if event.received_ns is None or event.intended_ns is None:
        return None
    return event.received_ns - event.intended_ns
