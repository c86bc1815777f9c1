"""Loss and gaps: what of each producer never came, and what came that nobody sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mqctl.experiments.answers import WITNESSES_MAX, Answer, Cell, Look, Property, Row, Witness
from mqctl.experiments.checkers import blind
from mqctl.experiments.controls import Controls, look_for
from mqctl.experiments.events import Fault, Foreign, message
from mqctl.experiments.ledger import Ledger, Producer
from mqctl.experiments.pages import Page, Turn
from mqctl.experiments.parties import Party
from mqctl.measurement.ranges import Range, Ranges, span

_AROUND = 3
_NOT_DRAINED = "the history does not end with all read (`end`, `drained`): what is missing may have been on its way"
_NO_PUBLISH = "it says nothing of what was published"


@dataclass(slots=True)
class _Sum:
    """Over all parties and producers."""

    counts: dict[str, int] = field(default_factory=dict)
    witnesses: dict[Property, list[Witness]] = field(default_factory=dict)

    def add(self, **counts: int) -> None:
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def show(self, about: Property, party: str, producer: str, numbers: Ranges, *, came: Ranges, why: str) -> None:
        shown = self.witnesses.setdefault(about, [])
        for start, stop in numbers.all()[: WITNESSES_MAX - len(shown)]:
            last = f" to {message(producer, stop - 1)}" if stop > start + 1 else ""
            cells = _cells(producer, Range(start, stop), came)
            shown.append(Witness(text=f"{party} {why} {message(producer, start)}{last}", rows=(Row(party, cells),)))


class Loss:
    """Needs no page: the ledger knows which numbers came."""

    def __init__(self) -> None:
        self._drops = Controls(look_for(Fault.DROP))
        self._foreign = 0

    def turn(self, event: Turn) -> None:
        """See `Checker`."""
        self._drops.turn(event)

    def read(self, page: Page, ledger: Ledger) -> None:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        self._foreign += len(page.kinds.get(Foreign, ()))

    def answers(self, ledger: Ledger) -> Iterable[Answer]:
        """See `Checker`."""
        dropped = self._dropped(ledger)
        sum_ = _Sum()
        for producer in ledger.producers.values():
            _attempts(sum_, producer)
        for party, name in _pairs(ledger):
            _compare(sum_, ledger, party, name, dropped.get((party.name, name), Ranges()))
        return self._answers(ledger, sum_)

    def _dropped(self, ledger: Ledger) -> dict[tuple[str, str], Ranges]:
        """The planted drops that are missing indeed, by party and producer."""
        dropped: dict[tuple[str, str], Ranges] = {}
        for place, _ in self._drops.missed:
            party = ledger.party_of(place.consumer)
            if place.n not in party.stream(place.producer).seen:
                self._drops.finds(place)
                dropped.setdefault((party.name, place.producer), Ranges()).add(place.n, place.n + 1)
        return dropped

    def _answers(self, ledger: Ledger, sum_: _Sum) -> Iterator[Answer]:
        counts, doubts = sum_.counts, blind(self._drops)
        planted, found = self._drops.planted, self._drops.planted - len(self._drops.missed)
        lost, gaps = counts.get("lost", 0), counts.get("gaps", 0)
        unread = () if ledger.drained else (_NOT_DRAINED,)
        yield Answer(
            about=Property.NO_LOSS,
            violations=lost,
            chances=counts.get("expected", 0),
            of="deliveries of confirmed messages",
            witnesses=sum_.witnesses.get(Property.NO_LOSS, ()),
            doubts=(*doubts, *(unread if lost else ())),
            certain=ledger.drained,
            planted=planted,
            found=found,
            numbers={name: counts.get(name, 0) for name in _LOSS_NUMBERS},
        )
        yield Answer(
            about=Property.NO_GAPS,
            violations=gaps,
            chances=counts.get("spanned", 0),
            of="numbers between the first and the last that came",
            witnesses=sum_.witnesses.get(Property.NO_GAPS, ()),
            doubts=doubts,
            planted=planted,
            found=found,
        )
        strangers = counts.get("unexpected", 0) + self._foreign
        yield Answer(
            about=Property.NO_STRANGERS,
            violations=strangers if ledger.producers else self._foreign,
            chances=counts.get("came", 0) + self._foreign if ledger.producers else 0,
            of="messages that came",
            witnesses=sum_.witnesses.get(Property.NO_STRANGERS, ()),
            doubts=() if ledger.producers else (_NO_PUBLISH,),
            numbers={"foreign": self._foreign},
        )


_LOSS_NUMBERS = ("attempted", "confirmed", "rejected", "unknown", "expected", "delivered", "lost", "recovered")


def _attempts(sum_: _Sum, producer: Producer) -> None:
    attempted, confirmed = producer.attempted.count(), producer.confirmed.count()
    rejected = producer.rejected.count()
    unknown = producer.attempted.without(producer.confirmed).without(producer.rejected).count()
    sum_.add(attempted=attempted, confirmed=confirmed, rejected=rejected, unknown=unknown)


def _pairs(ledger: Ledger) -> Iterator[tuple[Party, str]]:
    for party in ledger.parties.values():
        for name in {**ledger.producers, **party.streams}:
            if name in party.streams or ledger.expects(party, name):
                yield party, name


def _compare(sum_: _Sum, ledger: Ledger, party: Party, name: str, dropped: Ranges) -> None:
    producer = ledger.producers.get(name, Producer())
    came = party.stream(name).seen
    expected = producer.confirmed.common(_owed(party, name, came)) if ledger.expects(party, name) else Ranges()
    lost = expected.without(came).without(dropped)
    sent = producer.attempted.without(producer.rejected)
    unexpected = came.without(sent) if ledger.producers else Ranges()
    gaps = _span_of(came).without(came).without(producer.rejected).without(dropped)
    sum_.add(
        expected=expected.count(),
        delivered=expected.overlap(came),
        lost=lost.count(),
        recovered=came.overlap(sent.without(producer.confirmed)),
        came=came.count(),
        unexpected=unexpected.count(),
        spanned=_span_of(came).count(),
        gaps=gaps.count(),
    )
    sum_.show(Property.NO_LOSS, party.name, name, lost, came=came, why="never got")
    sum_.show(
        Property.NO_STRANGERS, party.name, name, unexpected, came=came, why="got what was never sent, or was rejected:"
    )
    sum_.show(Property.NO_GAPS, party.name, name, gaps, came=came, why="got later messages, and never")


def _owed(party: Party, producer: str, came: Ranges) -> Ranges:
    """The numbers that a party is to get if they are confirmed: what was sent while it was there."""
    # Of what was sent about the time when the last of it left, nobody knows whether it was still to come.
    stop = came.stop if party.members <= party.gone else 1 << 62
    return span(party.since.get(producer, 0), stop)


def _span_of(came: Ranges) -> Ranges:
    ranges = came.all()
    return span(ranges[0].start, ranges[-1].stop) if ranges else Ranges()


def _cells(producer: str, shown: Range, came: Ranges) -> tuple[Cell, ...]:
    """The first few of them, and what came round them."""
    absent = shown.start not in came
    stop = min(shown.stop, shown.start + _AROUND)
    return (
        *(Cell(producer, n) for n in range(shown.start - _AROUND, shown.start) if n in came),
        *(Cell(producer, n, Look.ABSENT if absent else Look.MARKED) for n in range(shown.start, stop)),
        *(Cell(producer, n) for n in range(shown.stop, shown.stop + _AROUND) if n in came),
    )
