"""What a run amounts to: the results of all workers put together, and judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mqctl.measurement.books import Books, reconcile, total
from mqctl.measurement.histogram import Buckets, Histogram, merged
from mqctl.measurement.listening import Heard
from mqctl.measurement.load import NS_PER_S, Load
from mqctl.measurement.sending import Sent
from mqctl.measurement.series import per_second
from mqctl.model import Confirmation

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999, "p9999": 0.9999}
"""Names of fields, and which part of the messages took no longer."""

BEYOND_MIN = 10
"""A quantile is told when at least so many messages took longer: p99.9 needs 10,000. Fewer would be chance."""


class Work(NamedTuple):
    """What one worker did. `cpu_share` is of one core, while it measured; None where it could not tell."""

    worker: str
    sent: tuple[Sent, ...] = ()
    heard: tuple[Heard, ...] = ()
    cpu_share: float | None = None


class Latency(NamedTuple):
    """How long something took: how often it was measured, the quantiles by name, the longest; in ns."""

    samples: int
    quantiles: Mapping[str, int | None]
    longest_ns: int | None


class Lateness(NamedTuple):
    """How well the generator kept its schedule. `held` of the `late` waited for the transport to take one before."""

    sends: int
    late: int
    held: int
    longest_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is told of a run. Throughput, latency and lateness are of the measured messages, without the warm-up.

    `stall_ns` is the longest time in which a subscriber got nothing although a message was due; None where clocks
    cannot tell. Per second there are whole seconds only. `unsent` had their time in an open loop that ran its course,
    and never went out.
    """

    load: Load
    asked: Confirmation
    books: Books
    publishers: tuple[Books, ...]
    sent_per_s: float | None
    delivered_per_s: float | None
    sent_each_second: tuple[int, ...]
    delivered_each_second: tuple[int, ...]
    stall_ns: int | None
    corrected: Latency
    uncorrected: Latency
    confirming: Latency
    unclocked: int
    lateness: Lateness
    unsent: int
    cpu_shares: Mapping[str, float | None]
    dropped: int
    reasons: tuple[str, ...]
    lost_connections: tuple[str, ...]

    @property
    def delivered_least_per_s(self) -> int | None:
        """Deliveries in the worst whole second; None where the run had none, or nobody to deliver to."""
        return min(self.delivered_each_second, default=None) if self.load.subscribers else None

    @property
    def cpu_share(self) -> float | None:
        """What all workers used together, of one core; None where none could tell."""
        known = [share for share in self.cpu_shares.values() if share is not None]
        return sum(known) if known else None


def put_together(load: Load, asked: Confirmation, works: Sequence[Work], *, cut_short: bool = False) -> Report:
    """The report of a run.

    Args:
        load: What was to be done.
        asked: Whose word counts as confirmed.
        works: What the workers did; of those that are left.
        cut_short: Whether it was ended before its time, so that it is as long as it took.
    """
    sent = sorted((each for work in works for each in work.sent), key=lambda each: each.publisher)
    heard = [each for work in works for each in work.heard]
    books = tuple(reconcile(sent, heard, shared=load.shared))
    planned_s = None if cut_short or any(each.stopped for each in sent) else load.duration_s
    least_s = planned_s or 0.0 if load.rate is not None else 0.0
    sending_s, hearing_s = max(least_s, _last_s(sent)), max(least_s, _last_s(heard))
    whole = int(max(sending_s, hearing_s) if planned_s is None else planned_s)
    stalls = [each.stall_ns for each in heard]
    known = [stall for stall in stalls if stall is not None]
    return Report(
        load=load,
        asked=asked,
        books=total(books, sum(each.unexpected for each in heard)),
        publishers=books,
        sent_per_s=_rate(sum(each.sends for each in sent), sending_s),
        delivered_per_s=_rate(sum(sum(each.seconds.values()) for each in heard), hearing_s),
        sent_each_second=tuple(per_second((each.seconds for each in sent), whole)),
        delivered_each_second=tuple(per_second((each.seconds for each in heard), whole)),
        stall_ns=max(known) if known and not any(each.unclocked for each in heard) else None,
        corrected=_latency(each.corrected for each in heard),
        uncorrected=_latency(each.uncorrected for each in heard),
        confirming=_latency(each.confirming for each in sent),
        unclocked=sum(each.unclocked for each in heard),
        lateness=_lateness(sent),
        unsent=0 if cut_short or load.planned is None else load.planned - sum(each.attempted for each in sent),
        cpu_shares={work.worker: work.cpu_share for work in works},
        dropped=sum(each.dropped for each in heard),
        reasons=tuple(dict.fromkeys(reason for each in sent for reason in each.reasons)),
        lost_connections=tuple(dict.fromkeys(filter(None, _ends(sent, heard)))),
    )


def latency_of(histogram: Histogram) -> Latency:
    """The quantiles that the samples suffice for."""
    samples = histogram.count
    return Latency(
        samples,
        {
            name: histogram.quantile(share) if samples * (1 - share) >= BEYOND_MIN * (1 - 1e-9) else None
            for name, share in QUANTILES.items()
        },
        histogram.largest if samples else None,
    )


def _latency(parts: Iterable[Buckets]) -> Latency:
    return latency_of(merged(parts))


def _last_s(parts: Sequence[Sent] | Sequence[Heard]) -> float:
    """When the last message went out or came, in seconds since measuring began."""
    return max((each.last_after_ns or 0 for each in parts), default=0) / NS_PER_S


def _rate(count: int, seconds: float) -> float | None:
    return count / seconds if seconds else None


def _lateness(sent: Iterable[Sent]) -> Lateness:
    whole = Lateness(0, 0, 0, 0)
    for each in sent:
        whole = Lateness(
            whole.sends + each.sends,
            whole.late + each.late,
            whole.held + each.held,
            max(whole.longest_ns, each.late_max_ns),
        )
    return whole


def _ends(sent: Iterable[Sent], heard: Iterable[Heard]) -> Iterable[str | None]:
    yield from (each.stopped for each in sent)
    yield from (each.lost_connection for each in heard)
