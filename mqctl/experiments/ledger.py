"""What every checker needs to know: who published what with which outcome, who got what, and for whom it was meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

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
from mqctl.experiments.pages import Again, Late, Page, Sheet, Turn, runs
from mqctl.experiments.parties import Party, Stream
from mqctl.measurement.ranges import Range, Ranges

_Numbered = TypeVar("_Numbered", Publish, Confirmed, Rejected, Delivered)


@dataclass(slots=True)
class Producer:
    """What a producer attempted, and what became of it; `resent` was attempted more than once."""

    topic: str = ""
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

    def party_of(self, consumer: str) -> Party:
        """The party of a consumer; of one that nobody said was subscribed, it is there from the beginning."""
        try:
            return self._party_of[consumer]
        except KeyError:
            return self._join(consumer, self.parties.setdefault(consumer, Party(consumer)))

    def expects(self, party: Party, producer: str) -> bool:
        """Whether a party is to get what a producer publishes."""
        topic = self.producers[producer].topic if producer in self.producers else ""
        return party.topic == topic or not party.topic or not topic

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
                self.party_of(event.consumer).given_back.add((event.producer, event.n))
        for party, events in self._shared_out(page.kinds.get(Delivered, ())):
            sheet = Sheet(party, events)
            _fill(sheet)
            page.sheets.append(sheet)

    def _party(self, event: Subscribed) -> Party:
        since = {name: producer.attempted.stop for name, producer in self.producers.items()}
        return Party(event.group or event.consumer, event.topic, bool(event.group), event.exclusive, since)

    def _join(self, consumer: str, party: Party) -> Party:
        party.members.add(consumer)
        self._party_of[consumer] = party
        return party

    def _publishing(self, page: Page) -> None:
        for name, publishes in _by_producer(page.kinds.get(Publish, ())):
            producer = self.producers[name]
            producer.topic = publishes[-1].topic
            for start, stop in runs([event.n for event in publishes]):
                new = producer.attempted.add(start, stop)
                if sum(each.stop - each.start for each in new) < stop - start:
                    for again in Ranges([Range(start, stop)]).without(Ranges(new)).all():
                        producer.resent.add(*again)
        for name, confirmed in _by_producer(page.kinds.get(Confirmed, ())):
            _note(self.producers[name].confirmed, confirmed)
        for name, rejected in _by_producer(page.kinds.get(Rejected, ())):
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


def _by_producer(events: Sequence[_Numbered]) -> Iterable[tuple[str, list[_Numbered]]]:
    by_producer: defaultdict[str, list[_Numbered]] = defaultdict(list)
    for event in events:
        by_producer[event.producer].append(event)
    return by_producer.items()


def _note(numbers: Ranges, events: Sequence[Confirmed] | Sequence[Rejected]) -> None:
    for start, stop in runs([event.n for event in events]):
        numbers.add(start, stop)


def _fill(sheet: Sheet) -> None:
    party = sheet.party
    for producer, events in _by_producer(sheet.events):
        stream = party.stream(producer)
        at = 0
        for start, stop in runs([event.n for event in events]):
            part = events[at : at + stop - start]
            at += stop - start
            # The common case, in one step for all of them.
            if start >= stream.top:
                stream.pass_over(_latest(party, part), start, stop)
            else:
                _one_by_one(sheet, stream, part)


def _latest(party: Party, part: Sequence[Delivered]) -> Mapping[str, int]:
    if party.ordered:
        return {party.name: part[-1].n}
    return {event.consumer: event.n for event in part}


def _one_by_one(sheet: Sheet, stream: Stream, part: Sequence[Delivered]) -> None:
    for event in part:
        first, before = stream.take(sheet.party.line(event.consumer), event.n)
        if not first:
            sheet.again.append(Again(event, sheet.party.takes_again(event.producer, event.n)))
        elif event.n < before:
            sheet.late.append(Late(event, before))
