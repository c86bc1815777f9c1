"""The books of one subscriber: what came of each publisher, how long it took, how long nothing came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mqctl.measurement.arrivals import Arrived, Part, Share, Stream
from mqctl.measurement.histogram import Buckets, Histogram
from mqctl.measurement.series import Series
from mqctl.measurement.stamp import Mark
from mqctl.model import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one subscriber got.

    `streams` or, where the subscribers share, `parts` has an entry for each publisher. `unexpected` could not be read,
    `dropped` came too fast for us. `lost_connection` says why it ended before its time.

    What follows is of measured messages that came for the first time. `corrected` counts from when a message was due,
    `uncorrected` from when it was sent, where the publisher goes by the same clock; `unclocked` came from others.
    `stall_ns` is the longest time in which nothing came although a message was due; None where that is not known. The
    last one came `last_after_ns` after measuring began.
    """

    subscriber: int
    streams: tuple[Arrived, ...] = ()
    parts: tuple[Part, ...] = ()
    unexpected: int = 0
    dropped: int = 0
    lost_connection: str | None = None
    unclocked: int = 0
    corrected: Buckets = Buckets()  # noqa: RUF009 - immutable
    uncorrected: Buckets = Buckets()  # noqa: RUF009
    stall_ns: int | None = None
    last_after_ns: int | None = None
    seconds: dict[int, int] = field(default_factory=dict)


class Listening:
    """Keeps the books of one subscriber.

    Args:
        subscriber: Its number.
        read: Reads the payloads.
        clocked: For each publisher, whether its clock is ours.
        shared: Whether several subscribers share the messages.
        from_ns: When measuring begins.
    """

    def __init__(
        self,
        subscriber: int,
        read: Callable[[bytes], Mark | None],
        clocked: Sequence[bool],
        *,
        shared: bool,
        from_ns: int,
    ) -> None:
        self._subscriber = subscriber
        self._read = read
        self._clocked = tuple(clocked)
        self._arrivals: list[Stream | Share] = [Share() if shared else Stream() for _ in clocked]
        self.corrected, self._uncorrected = Histogram(), Histogram()
        self._from_ns, self._series = from_ns, Series(from_ns)
        self._unexpected = self._unclocked = self._stall_ns = 0
        self._last_ns: int = 0
        self.came = 0
        """Messages of this run, each counted once."""
        self.dropped = 0
        self.lost_connection: str | None = None

    def take_in(self, deliveries: Iterable[Delivery]) -> None:
        """Enter what was received, in order."""
        arrivals, read, clocked = self._arrivals, self._read, self._clocked
        corrected: list[int] = []
        uncorrected: list[int] = []
        times: list[int] = []
        for delivery in deliveries:
            mark = read(delivery.payload)
            if mark is None or mark.publisher >= len(clocked):
                self._unexpected += 1
                continue
            if not arrivals[mark.publisher].add(mark.sequence):
                continue
            self.came += 1
            if not mark.measured:
                continue
            at_ns = delivery.received_ns
            times.append(at_ns)
            if not clocked[mark.publisher]:
                self._unclocked += 1
                continue
            corrected.append(at_ns - mark.intended_ns)
            uncorrected.append(at_ns - mark.sent_ns)
            if at_ns != self._last_ns:
                self._wait(at_ns, mark.intended_ns)
        self.corrected.record_all(corrected)
        self._uncorrected.record_all(uncorrected)
        self._series.add_all(times)
        if times:
            self._last_ns = times[-1]

    def _wait(self, at_ns: int, intended_ns: int) -> None:
        self._stall_ns = max(self._stall_ns, at_ns - max(self._last_ns, intended_ns))
        self._last_ns = at_ns

    def result(self) -> Heard:
        """The books so far."""
        streams = [each.arrived() for each in self._arrivals if isinstance(each, Stream)]
        parts = [each.part() for each in self._arrivals if isinstance(each, Share)]
        return Heard(
            subscriber=self._subscriber,
            streams=tuple(streams),
            parts=tuple(parts),
            unexpected=self._unexpected,
            dropped=self.dropped,
            unclocked=self._unclocked,
            corrected=self.corrected.buckets(),
            uncorrected=self._uncorrected.buckets(),
            stall_ns=self._stall_ns if self._last_ns and not self._unclocked else None,
            last_after_ns=self._last_ns - self._from_ns if self._last_ns else None,
            seconds=self._series.counts(),
            lost_connection=self.lost_connection,
        )
