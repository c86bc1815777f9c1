"""The life of an acknowledgement: it holds, what is given back comes again, and nobody has more than its prefetch."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, compress, islice
from operator import attrgetter, not_
from typing import TypeAlias, cast, get_args

from mqctl.experiments.answers import WITNESSES_MAX, Answer, Cell, Look, Property, Row, Witness
from mqctl.experiments.checkers.drawing import AFTER, BEFORE, drawn, place_of
from mqctl.experiments.controls import Place
from mqctl.experiments.events import (
    BROKER,
    Acked,
    ConnectionLost,
    Delivered,
    Fault,
    Killed,
    Nacked,
    Planted,
    Requeued,
    Settlement,
    Subscribed,
    message,
)
from mqctl.experiments.ledger import Ledger
from mqctl.experiments.pages import Page, Turn, runs
from mqctl.experiments.parties import Party
from mqctl.measurement.ranges import Ranges

_NOT_DRAINED = "the history does not end with all read: what was given back may have been on its way"

UNSURE_MAX = 10_000
"""An acknowledgement that the broker did not confirm has arrived once its consumer sent so many more."""

Key: TypeAlias = tuple[str, int]
Step: TypeAlias = Delivered | Settlement
"""In the life of a consumer that acknowledges."""

_STEPS = frozenset({Delivered, *get_args(Settlement)})
_key = attrgetter("producer", "n")


@dataclass(slots=True)
class _Holder:
    """A consumer that acknowledges: what it holds, and the acknowledgements that the broker did not confirm."""

    cumulative: bool
    prefetch: int | None
    held: dict[Key, None] = field(default_factory=dict)
    unsure: OrderedDict[Key, None] = field(default_factory=OrderedDict)


@dataclass(slots=True)
class _Tally:
    """How often a rule was broken, and how often it could have been."""

    violations: int = 0
    chances: int = 0
    witnesses: list[Witness] = field(default_factory=list)

    def broken(self, witness: Callable[[], Witness]) -> None:
        self.violations += 1
        if len(self.witnesses) < WITNESSES_MAX:
            self.witnesses.append(witness())


class Acks:
    """Consumers that acknowledge nothing are looked at for their flags only.

    An acknowledgement that the broker did not confirm is forgotten when its consumer's connection is lost: it may not
    have arrived. Memory grows with what is not settled.
    """

    def __init__(self) -> None:
        self._holders: dict[str, _Holder] = {}
        self._settled: defaultdict[str, defaultdict[str, Ranges]] = defaultdict(lambda: defaultdict(Ranges))
        self._entering: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._returned: defaultdict[str, dict[Key, str]] = defaultdict(dict)
        self._party_of: dict[str, str] = {}
        self._holds, self._returns, self._prefetch, self._flags = _Tally(), _Tally(), _Tally(), _Tally()
        self._most = self._false_flags = 0
        self._doubled: set[Place] = set()

    def turn(self, event: Turn) -> None:
        """See `Checker`."""
        match event:
            case Planted(fault=Fault.DUPLICATE):
                self._doubled.add(Place(event.consumer, event.producer, event.n))
            case Subscribed(consumer=consumer, ack=ack) if ack != "auto":
                self._party_of[consumer] = event.group or consumer
                self._holders[consumer] = _Holder(ack == "client", event.prefetch)
            case Killed(client=client) if client == BROKER:
                for consumer in self._holders:
                    self._gone(consumer, "the broker was killed")
            case Killed(client=client) if client in self._holders:
                self._gone(client, "its consumer was killed")
            case ConnectionLost(client=client) if client in self._holders:
                self._gone(client, "its consumer lost its connection")
            case _:
                pass

    def read(self, page: Page, ledger: Ledger) -> None:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        again = {id(event) for sheet in page.sheets for event, _ in sheet.again}
        self._read_flags(page, again)
        if not self._holders:
            return
        odd, steps = self._odd(page), _steps(page)
        lives: defaultdict[str, list[Step]] = defaultdict(list)
        for event in steps:
            lives[event.consumer].append(event)
        rest = {
            name
            for name, life in lives.items()
            if name in self._holders and (self._party_of[name] in odd or not self._in_turn(name, life))
        }
        for event in steps if rest else ():
            if event.consumer not in rest:
                continue
            if isinstance(event, Delivered):
                self._delivered(page, event, id(event) in again)
            else:
                self._settle(event)
        self._enter()

    def _odd(self, page: Page) -> Collection[str]:
        """The parties to which something came again, or that gave something back."""
        back = (event for kind in (Nacked, Requeued) for event in page.kinds.get(kind, ()))
        return {
            *(sheet.party.name for sheet in page.sheets if sheet.again),
            *(self._party_of.get(event.consumer, "") for event in back),
        }

    def _in_turn(self, consumer: str, life: Sequence[Step]) -> bool:
        """Take in at once what was acknowledged in the order in which it came, message by message, within the prefetch.

        Returns:
            Whether it was so. If not, nothing was taken in.
        """
        holder, party = self._holders[consumer], self._party_of[consumer]
        keys = list(map(_key, life))
        is_ack = [type(event) is Acked for event in life]
        came, done = [*holder.held, *compress(keys, map(not_, is_ack))], list(compress(keys, is_ack))
        holds = list(accumulate((-1 if ack else 1 for ack in is_ack), initial=len(holder.held)))
        over = holder.prefetch is not None and max(holds) > holder.prefetch
        if holder.cumulative or over or min(holds) < 0 or came[: len(done)] != done:
            return False
        if holder.prefetch is not None:
            self._prefetch.chances += len(life) - len(done)
            self._most = max(self._most, *holds)
        self._holds.chances += len(done)
        for producer, n in done:
            self._entering[party, producer].append(n)
        holder.held = dict.fromkeys(came[len(done) :])
        for event, key in zip(life, keys, strict=True):
            if isinstance(event, Acked):
                _confirm(holder, key) if event.confirmed else _doubt(holder, key)
        return True

    def answers(self, ledger: Ledger) -> Iterator[Answer]:
        """See `Checker`."""
        for party, waiting in self._returned.items():
            if _present(ledger.parties.get(party)):
                # What a broker delivered before it confirmed it, it may forget: it is not bound to what is unknown.
                for key in (key for key in waiting if not ledger.unknown(*key)):
                    self._returns.broken(partial(_missing, party, waiting, key))
        unread = (_NOT_DRAINED,) if self._returns.violations and not ledger.drained else ()
        yield _answer(Property.ACK_HOLDS, self._holds, "acknowledgements")
        yield _answer(Property.REDELIVERY, self._returns, "messages given back", unread, certain=ledger.drained)
        yield _answer(Property.PREFETCH, self._prefetch, "deliveries to consumers with a prefetch", most=self._most)
        yield _answer(Property.FLAGS, self._flags, "second deliveries", flagged_first=self._false_flags)

    def _read_flags(self, page: Page, again: set[int]) -> None:
        for sheet in page.sheets:
            flagged = [event for event in sheet.events if event.redelivered]
            self._false_flags += sum(id(event) not in again for event in flagged)
            # What we doubled, the broker had no reason to flag.
            fair = [event for event, _ in sheet.again if place_of(event) not in self._doubled]
            self._flags.chances += len(fair)
            for event in fair:
                if not event.redelivered:
                    self._flags.broken(partial(_unflagged, page, event))

    def _delivered(self, page: Page, event: Delivered, again: bool) -> None:
        holder, party = self._holders[event.consumer], self._party_of[event.consumer]
        key = (event.producer, event.n)
        if again:
            self._enter()
            self._returned[party].pop(key, None)
            if event.n in self._settled[party][event.producer]:
                self._holds.broken(partial(_in_vain, page, event, self._settled[party][event.producer]))
        holder.held[key] = None
        if holder.prefetch is not None:
            self._prefetch.chances += 1
            self._most = max(self._most, len(holder.held))
            if len(holder.held) > holder.prefetch:
                self._prefetch.broken(partial(_too_many, page, event, holder.held, holder.prefetch))

    def _settle(self, event: Settlement) -> None:
        holder, party = self._holders[event.consumer], self._party_of[event.consumer]
        key = (event.producer, event.n)
        if isinstance(event, Acked):
            if event.confirmed:
                _confirm(holder, key)
            for done in _covered(holder, key):
                self._holds.chances += 1
                self._entering[party, done[0]].append(done[1])
                if not event.confirmed:
                    _doubt(holder, done)
            return
        holder.held.pop(key, None)
        if isinstance(event, Requeued) or event.requeue:
            self._give_back(party, key, "it was refused" if isinstance(event, Nacked) else "it was given back")

    def _enter(self) -> None:
        """Note what was settled: many at once cost the least, and are in order for whoever shares them."""
        for (party, producer), numbers in self._entering.items():
            for start, stop in runs(sorted(numbers)):
                self._settled[party][producer].add(start, stop)
        self._entering.clear()

    def _gone(self, consumer: str, why: str) -> None:
        holder, party = self._holders[consumer], self._party_of[consumer]
        for key in holder.held:
            self._give_back(party, key, why)
        for producer, n in holder.unsure:
            self._settled[party][producer].remove(n)
        holder.held.clear()
        holder.unsure.clear()

    def _give_back(self, party: str, key: Key, why: str) -> None:
        self._returns.chances += 1
        self._returned[party][key] = why


def _covered(holder: _Holder, key: Key) -> list[Key]:
    """What an acknowledgement covers of what a consumer holds, and takes it away."""
    if key not in holder.held:
        return []
    if not holder.cumulative:
        del holder.held[key]
        return [key]
    order = list(holder.held)
    covered = order[: order.index(key) + 1]
    for each in covered:
        del holder.held[each]
    return covered


def _steps(page: Page) -> Sequence[Step]:
    # By their types alone, which is fastest.
    return cast("list[Step]", list(compress(page.events, map(_STEPS.__contains__, map(type, page.events)))))


def _doubt(holder: _Holder, key: Key) -> None:
    """Note an acknowledgement that may be on its way."""
    holder.unsure[key] = None
    if len(holder.unsure) > UNSURE_MAX:
        holder.unsure.popitem(last=False)


def _confirm(holder: _Holder, key: Key) -> None:
    """The broker knows of an acknowledgement that was told before, and of all that it covers."""
    if key not in holder.unsure:
        return
    if holder.cumulative:
        while (earlier := next(iter(holder.unsure))) != key:
            del holder.unsure[earlier]
    del holder.unsure[key]


def _in_vain(page: Page, event: Delivered, settled: Ranges) -> Witness:
    """What had been acknowledged, above what came all the same."""
    around = range(event.n - BEFORE // 2, event.n + AFTER + 1)
    cells = tuple(_cell((event.producer, n), marked=n == event.n) for n in around if n in settled)
    text = f"{event.consumer} got {message(event.producer, event.n)} again, which had been acknowledged"
    return Witness(text=text, line=page.line_of(event), rows=(Row("acknowledged", cells), _came(page, event)))


def _missing(party: str, waiting: Mapping[Key, str], key: Key) -> Witness:
    """What was given back, above what did not come for it."""
    order = list(waiting)
    at = order.index(key)
    near = order[max(0, at - BEFORE // 2) : at + AFTER + 1]
    rows = (
        Row("given back", tuple(_cell(each, marked=each == key) for each in near)),
        Row(party, tuple(Cell(*each, Look.ABSENT) for each in near)),
    )
    return Witness(text=f"{message(*key)} did not come to {party} again after {waiting[key]}", rows=rows)


def _too_many(page: Page, event: Delivered, held: Collection[Key], prefetch: int) -> Witness:
    """The last of what it might hold, above what it held; marked is what was too much."""
    first = max(0, prefetch - BEFORE)
    cells = tuple(_cell(key, marked=i >= prefetch) for i, key in islice(enumerate(held), first, prefetch + AFTER))
    text = f"{event.consumer} had {len(held)} messages at a prefetch of {prefetch}"
    rows = (Row("may be held", cells[: prefetch - first]), Row(f"{event.consumer} held", cells))
    return Witness(text=text, line=page.line_of(event), rows=rows)


def _unflagged(page: Page, event: Delivered) -> Witness:
    text = f"{event.consumer} got {message(event.producer, event.n)} again, not flagged as redelivered"
    return Witness(text=text, line=page.line_of(event), rows=(_came(page, event),))


def _came(page: Page, event: Delivered) -> Row:
    sheet = next(sheet for sheet in page.sheets if any(each is event for each in sheet.events))
    return drawn(sheet, event, {event.n})


def _cell(key: Key, *, marked: bool) -> Cell:
    return Cell(*key, Look.MARKED if marked else Look.PLAIN)


def _present(party: Party | None) -> bool:
    return party is not None and not party.members <= party.gone


def _answer(
    about: Property, tally: _Tally, of: str, doubts: tuple[str, ...] = (), *, certain: bool = True, **numbers: int
) -> Answer:
    return Answer(
        about=about,
        violations=tally.violations,
        chances=tally.chances,
        of=of,
        witnesses=tally.witnesses,
        doubts=doubts,
        certain=certain,
        numbers=numbers,
    )
