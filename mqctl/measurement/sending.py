"""The books of one publisher: what became of each message, how late it went out, how long its confirmation took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from mqctl.measurement.histogram import Buckets, Histogram
from mqctl.measurement.load import Due
from mqctl.measurement.ranges import Range, Ranges
from mqctl.measurement.series import Series
from mqctl.model import Confirmed, PublishOutcome, Rejected, Unknown

LATE_NS = 1_000_000
"""A message that goes out so long after its time was sent late."""

SWITCH_S = 0.0002
"""How soon a thread that has a message to send gets its turn. Python's own 5 ms would make every message late."""

REASONS_MAX = 5
"""So many different reasons are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What one publisher did.

    Numbers from 0 up to `attempted` that are neither rejected nor unknown are confirmed or, where no confirmation was
    asked for, handed over.
    What is below `stopped` is of the measured messages only. `held` of the `late` ones waited for the transport to take
    one before; the last went out `last_after_ns` after measuring began. `stopped` is why it ended before its time.
    """

    publisher: int
    attempted: int = 0
    rejected: tuple[Range, ...] = ()
    unknown: tuple[Range, ...] = ()
    reasons: tuple[str, ...] = ()
    stopped: str | None = None
    sends: int = 0
    late: int = 0
    held: int = 0
    late_max_ns: int = 0
    last_after_ns: int | None = None
    confirming: Buckets = Buckets()  # noqa: RUF009 - immutable
    seconds: dict[int, int] = field(default_factory=dict)


class Sending:
    """Keeps the books of one publisher.

    Args:
        publisher: Its number.
        from_ns: When measuring begins.
    """

    def __init__(self, publisher: int, from_ns: int) -> None:
        self._publisher = publisher
        self._rejected, self._unknown = Ranges(), Ranges()
        self._reasons: list[str] = []
        self._confirming = Histogram()
        self._from_ns, self._series = from_ns, Series(from_ns)
        self._held = False
        self._settled = 0
        self._sends = self._late = self._late_held = self._late_max_ns = 0
        self._last_after_ns: int | None = None
        self.attempted = 0
        """Messages begun."""
        self.stopped: str | None = None
        """Why it ended before its time."""

    def begin(self, due: Due, now_ns: int) -> int:
        """A message goes out now; its sequence number. It counts from here on, whatever happens next."""
        sequence = self.attempted
        self.attempted += 1
        late_ns = now_ns - due.at_ns
        late = late_ns > LATE_NS
        self._held = self._held and late
        if due.measured:
            self._sends += 1
            self._late += late
            self._late_held += self._held
            self._late_max_ns = max(self._late_max_ns, late_ns)
            self._last_after_ns = now_ns - self._from_ns
            self._series.add(now_ns)
        return sequence

    def handed_over(self, took_ns: int) -> None:
        """The transport took the message. What is late because this took long is not late by itself."""
        self._held = self._held or took_ns > LATE_NS

    def settled(self, sequence: int, outcome: PublishOutcome, took_ns: int | None) -> None:
        """What became of a message; in the order of the sequence. `took_ns` None: not measured."""
        self._settled = sequence + 1
        match outcome:
            case Confirmed():
                if took_ns is not None:
                    self._confirming.record(took_ns)
            case Rejected(reason):
                self._rejected.append(sequence, sequence + 1)
                self._tell(reason)
            case Unknown(reason):
                self._unknown.append(sequence, sequence + 1)
                self._tell(reason)
            case _:
                assert_never(outcome)

    def _tell(self, reason: str) -> None:
        if reason not in self._reasons and len(self._reasons) < REASONS_MAX:
            self._reasons.append(reason)

    def result(self) -> Sent:
        """The books so far; what is not settled is unknown."""
        unknown = Ranges(self._unknown.all())
        if self._settled < self.attempted:
            unknown.append(self._settled, self.attempted)
        return Sent(
            publisher=self._publisher,
            attempted=self.attempted,
            rejected=self._rejected.all(),
            unknown=unknown.all(),
            reasons=tuple(self._reasons),
            stopped=self.stopped,
            sends=self._sends,
            late=self._late,
            held=self._late_held,
            late_max_ns=self._late_max_ns,
            last_after_ns=self._last_after_ns,
            confirming=self._confirming.buckets(),
            seconds=self._series.counts(),
        )
