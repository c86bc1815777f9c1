"""Reconciliation: what was sent against what came, message by message. Jepsen's words, so that none is left over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mqctl.measurement.arrivals import Arrived, together
from mqctl.measurement.listening import Heard
from mqctl.measurement.ranges import Ranges, span
from mqctl.measurement.sending import Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All messages and all deliveries.

    `attempted = confirmed + rejected + unknown`, where confirmed is handed over if no confirmation was asked for;
    `expected = delivered + lost`. Everything that came is `delivered`, `recovered` (its fate was unknown), `duplicated`
    or `unexpected` (of somebody else, changed, never sent, or rejected). `out_of_order` came after a later one of the
    same publisher, and is part of the others.
    """

    attempted: int = 0
    confirmed: int = 0
    rejected: int = 0
    unknown: int = 0
    expected: int = 0
    delivered: int = 0
    lost: int = 0
    recovered: int = 0
    duplicated: int = 0
    unexpected: int = 0
    out_of_order: int = 0


def reconcile(sent: Iterable[Sent], heard: Sequence[Heard], *, shared: bool) -> list[Books]:
    """The books of each publisher, in the order of `sent`.

    Messages that could not be read are in no publisher's books: add `Heard.unexpected`.
    """
    return [_publisher(each, _arrived(heard, each.publisher, shared=shared)) for each in sent]


def total(books: Iterable[Books], unexpected: int = 0) -> Books:
    """All books as one, with what could not be read."""
    names = Books.__dataclass_fields__
    rows = [*books, Books(unexpected=unexpected)]
    return Books(**{name: sum(getattr(row, name) for row in rows) for name in names})


def _arrived(heard: Sequence[Heard], publisher: int, *, shared: bool) -> list[Arrived]:
    if not shared:
        return [each.streams[publisher] for each in heard]
    parts = [each.parts[publisher] for each in heard]
    return [together(parts)] if parts else []


def _publisher(sent: Sent, arrived: Sequence[Arrived]) -> Books:
    rejected, unknown = Ranges(sent.rejected), Ranges(sent.unknown)
    confirmed = sent.attempted - rejected.count() - unknown.count()
    came = _came(arrived, span(0, sent.attempted))
    refused_and_came, recovered = _came(arrived, rejected), _came(arrived, unknown)
    delivered = came - refused_and_came - recovered
    never_sent = sum(_came([each], span(sent.attempted, each.next)) for each in arrived)
    return Books(
        attempted=sent.attempted,
        confirmed=confirmed,
        rejected=rejected.count(),
        unknown=unknown.count(),
        expected=confirmed * len(arrived),
        delivered=delivered,
        lost=confirmed * len(arrived) - delivered,
        recovered=recovered,
        duplicated=sum(each.duplicated for each in arrived),
        unexpected=refused_and_came + never_sent,
        out_of_order=sum(each.out_of_order for each in arrived),
    )


def _came(arrived: Iterable[Arrived], numbers: Ranges) -> int:
    """How many of these messages came, at all of them together."""
    return sum(numbers.overlap(span(0, each.next)) - numbers.overlap(Ranges(each.missing)) for each in arrived)
