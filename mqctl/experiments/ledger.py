"""What every checker needs to know: who published what with which outcome, who got what, and for whom it was meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from mqctl.experiments.events import (
    Confirmed,
    Delivered,
    End,
    Nacked,
    Publish,
    Rejected,
    Requeued,
    Subscribed,
    Unsubscribed,
)
from mqctl.experiments.pages import Again, Late, Page, Sheet, Turn, columns, runs, sheet
from mqctl.experiments.parties import Party, Stream
from mqctl.measurement.ranges import Range, Ranges

_TOPIC = attrgetter("producer", "topic")


@dataclass(slots=True)
class Producer:
    """What a producer attempted, and what became of it; `resent` was attempted more than once."""

    attempted: Ranges = field(default_factory=Ranges)
    confirmed: Ranges = field(default_factory=Ranges)
    rejected: Ranges = field(default_factory=Ranges)
    resent: Ranges = field(default_factory=Ranges)


class Ledger:
    """Reads a history stretch by stretch. Memory grows with producers × parties and with gaps, not with messages.

    Attributes:
        producers: By name.
        parties: By name.
        drained: Whether the run ended after all was read.
        ended: Whether the run came to its end.
    """

    def __init__(self) -> None:
        self.producers: defaultdict[str, Producer] = defaultdict(Producer)
        self.parties: dict[str, Party] = {}
        self.ended = self.drained = False
        self._party_of: dict[str, Party] = {}
        self._topics: dict[str, str] = {}

    def party_of(self, consumer: str) -> Party:
        """The party of a consumer; of one that nobody said was subscribed, it is there from the beginning."""
        try:
            return self._party_of[consumer]
        except KeyError:
            return self._join(consumer, self.parties.setdefault(consumer, Party(consumer)))

    def expects(self, party: Party, producer: str) -> bool:
        """Whether a party is to get what a producer publishes."""
        topic = self._topics.get(producer, "")
        return party.topic == topic or not party.topic or not topic

    def unknown(self, producer: str, n: int) -> bool:
        """Whether a message was attempted and not confirmed, though others of its producer were."""
        told = self.producers.get(producer)
        return told is not None and told.confirmed.stop > 0 and n in told.attempted and n not in told.confirmed

    def turn(self, event: Turn) -> None:
        """Take in what changes the meaning of all that follows."""
        match event:
            case Subscribed(consumer=consumer, group=group):
                party = self.parties.get(group or consumer)
                if party is None:
                    party = self.parties[group or consumer] = self._party(event)
                self._join(consumer, party).gone.discard(consumer)
            case Unsubscribed(consumer=consumer):
                self.party_of(consumer).gone.add(consumer)
            case End(drained=drained):
                self.ended, self.drained = True, drained
            case _:
                pass

    def read(self, page: Page) -> None:
        """Take in a stretch, and tell on the page who got what."""
        self._publishing(page)
        for event in (*page.kinds.get(Nacked, ()), *page.kinds.get(Requeued, ())):
            if isinstance(event, Requeued) or event.requeue:
                self.party_of(event.consumer).given_back[event.producer, event.n] += 1
        for party, events in self._shared_out(page.kinds.get(Delivered, ())):
            page.sheets.append(_filled(sheet(party, events)))

    def _party(self, event: Subscribed) -> Party:
        since = {name: producer.attempted.stop for name, producer in self.producers.items()}
        return Party(event.group or event.consumer, event.topic, bool(event.group), event.exclusive, since)

    def _join(self, consumer: str, party: Party) -> Party:
        party.members.add(consumer)
        self._party_of[consumer] = party
        return party

    def _publishing(self, page: Page) -> None:
        publishing = page.kinds.get(Publish, ())
        for name, publishes in _by_producer(*columns(publishing)):
            producer = self.producers[name]
            for start, stop in runs(publishes):
                new = producer.attempted.add(start, stop)
                if sum(each.stop - each.start for each in new) < stop - start:
                    for again in Ranges([Range(start, stop)]).without(Ranges(new)).all():
                        producer.resent.add(*again)
        self._topics |= dict(map(_TOPIC, publishing))
        for name, confirmed in _by_producer(*columns(page.kinds.get(Confirmed, ()))):
            _note(self.producers[name].confirmed, confirmed)
        for name, rejected in _by_producer(*columns(page.kinds.get(Rejected, ()))):
            _note(self.producers[name].rejected, rejected)

    def _shared_out(self, events: Sequence[Delivered]) -> Iterable[tuple[Party, Sequence[Delivered]]]:
        """What each party got, in order."""
        by_consumer: defaultdict[str, list[Delivered]] = defaultdict(list)
        for event in events:
            by_consumer[event.consumer].append(event)
        groups: dict[str, Party] = {}
        for consumer, own in by_consumer.items():
            party = self.party_of(consumer)
            if party.shared:
                groups[party.name] = party
            else:
                yield party, own
        for party in groups.values():
            yield party, [event for event in events if event.consumer in party.members]


def _by_producer(producers: Sequence[str], numbers: Sequence[int]) -> Iterable[tuple[str, list[int]]]:
    by_producer: defaultdict[str, list[int]] = defaultdict(list)
    for producer, n in zip(producers, numbers, strict=True):
        by_producer[producer].append(n)
    return by_producer.items()


def _note(book: Ranges, numbers: Sequence[int]) -> None:
    for start, stop in runs(numbers):
        book.add(start, stop)


def _filled(sheet: Sheet) -> Sheet:
    """With what is late and what came again."""
    for producer, numbers in _by_producer(sheet.producers, sheet.numbers):
        stream = sheet.party.stream(producer)
        in_turn = runs(numbers)
        # The common case, in one step for all of them.
        if len(in_turn) == 1 and in_turn[0].start >= stream.top and sheet.party.ordered:
            stream.pass_over({sheet.party.name: numbers[-1]}, *in_turn[0])
        else:
            _piece_by_piece(sheet, stream, [event for event in sheet.events if event.producer == producer], in_turn)
    return sheet


def _piece_by_piece(sheet: Sheet, stream: Stream, events: Sequence[Delivered], in_turn: Sequence[Range]) -> None:
    party, at = sheet.party, 0
    for start, stop in in_turn:
        part = events[at : at + stop - start]
        at += stop - start
        if start >= stream.top:
            stream.pass_over({party.line(event.consumer): event.n for event in part}, start, stop)
        else:
            _one_by_one(sheet, stream, part)


def _one_by_one(sheet: Sheet, stream: Stream, part: Sequence[Delivered]) -> None:
    for event in part:
        first, before = stream.take(sheet.party.line(event.consumer), event.n)
        if not first:
            sheet.again.append(Again(event, sheet.party.takes_again(event.producer, event.n)))
        elif event.n < before:
            sheet.late.append(Late(event, before))
