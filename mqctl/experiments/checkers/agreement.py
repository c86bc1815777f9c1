"""Agreement: consumers that get the same messages of several producers get them in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from operator import ne
from typing import NamedTuple, cast

from mqctl.experiments.answers import WITNESSES_MAX, Answer, Cell, Look, Property, Row, Witness
from mqctl.experiments.controls import describe, partner
from mqctl.experiments.events import NUMBER_BITS, Fault, Planted, message
from mqctl.experiments.ledger import Ledger
from mqctl.experiments.pages import Page, Sheet, Turn, columns
from mqctl.experiments.pairwise import Difference, Order, Pair
from mqctl.experiments.parties import Party

SWITCHES_MIN = 0.01
"""Where the producer changes less often between neighbours, they did not compete, and no order was at stake."""

ALONE_MAX = 1 << 20
"""So many messages of a party are kept while there is no other to compare it with."""

_AROUND, _APART_MAX = 3, 8
_NUMBER = (1 << NUMBER_BITS) - 1


class _Swap(NamedTuple):
    """A planted swap, as keys: its message, and what that changed places with."""

    planted: Planted
    one: int
    other: int


class Agreement:
    """Compares all parties of a topic pair by pair; of groups, those that are served one member at a time."""

    def __init__(self) -> None:
        self._producers: dict[str, int] = {}
        self._parties: dict[str, Party] = {}
        self._orders: dict[str, Order] = {}
        self._pairs: dict[tuple[str, str], Pair] = {}
        self._shown: dict[tuple[str, str], Witness] = {}
        self._switches = self._neighbours = 0
        self._latest = ""
        self._swaps: list[_Swap] = []
        self._swapped: set[tuple[int, int]] = set()
        self._absent: dict[str, set[int]] = {}
        self._places: dict[tuple[str, int], int] = {}

    def turn(self, event: Turn) -> None:
        """See `Checker`."""
        if not isinstance(event, Planted):
            return
        key = self._key(event.producer, event.n)
        if event.fault is Fault.SWAP:
            other = self._key(partner(event).producer, event.with_n)
            self._swaps.append(_Swap(event, key, other))
            self._swapped |= {(key, other), (other, key)}
            self._recall(key, other)
        elif event.fault is not Fault.DUPLICATE:
            # What is dropped or comes late on purpose has no place in the order.
            self._absent.setdefault(event.consumer, set()).add(key)

    def read(self, page: Page, ledger: Ledger) -> None:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        for sheet in page.sheets:
            if sheet.party.ordered:
                self._take(sheet)
        self._look(Pair.advance)
        for order in self._orders.values():
            compared = [
                side.at for pair in self._pairs.values() for side in (pair.one, pair.other) if side.order is order
            ]
            # One that is alone so far may get company, but not be kept for ever for that.
            order.forget(min(compared, default=order.stop if order.stop - order.start > ALONE_MAX else 0))

    def answers(self, ledger: Ledger) -> Iterable[Answer]:  # noqa: ARG002 - as in the protocol
        """See `Checker`."""
        self._look(Pair.finish)
        found: set[Planted] = set()
        planted = {names: self._planted(names, found) for names in self._pairs}
        common = sum(pair.common for pair in self._pairs.values())
        uncommon = sum(self._uncommon(names, pair) for names, pair in self._pairs.items())
        yield Answer(
            about=Property.AGREEMENT,
            violations=sum(max(0, pair.inversions - planted[names]) for names, pair in self._pairs.items()),
            chances=self._switches if common else 0,
            of="changes from one producer to another",
            witnesses=list(self._shown.values())[:WITNESSES_MAX],
            doubts=[*self._doubts(uncommon), *self._blind(found)],
            planted=len(self._swaps) if self._pairs else 0,
            found=len(found),
            numbers={
                "pairs": len(self._pairs),
                "compared": common,
                "distance": sum(pair.inversions for pair in self._pairs.values()) - sum(planted.values()),
                "uncommon": uncommon,
            },
        )

    def _recall(self, *keys: int) -> None:
        """Where those that got the messages of a swap already, in an earlier stretch, got them."""
        for name, order in self._orders.items():
            for key in keys:
                if key in order.keys:
                    self._places[name, key] = order.start + order.keys.index(key)

    def _take(self, sheet: Sheet) -> None:
        name = sheet.party.name
        order = self._orders.get(name) or self._enter(sheet.party)
        producers, numbers = columns(sheet.first()) if sheet.again else (sheet.producers, sheet.numbers)
        for producer in set(producers).difference(self._producers):
            self._key(producer, 0)
        bases = {producer: index << NUMBER_BITS for producer, index in self._producers.items()}
        keys = [bases[producer] + n for producer, n in zip(producers, numbers, strict=True)]
        absent = set().union(*(self._absent.get(member, ()) for member in sheet.party.members))
        if absent:
            keys = [key for key in keys if key not in absent]
        if self._swapped:
            watched = {key for pair in self._swapped for key in pair}
            self._places |= {(name, key): place for place, key in enumerate(keys, order.stop) if key in watched}
        order.keys.extend(keys)
        if producers and name == next(iter(self._orders)):
            self._switches += sum(map(ne, producers, chain((self._latest or producers[0],), producers)))
            self._neighbours += len(producers)
            self._latest = producers[-1]

    def _enter(self, party: Party) -> Order:
        """A party that was not heard of before: compare it with all others of its topic."""
        order = self._orders[party.name] = Order()
        for name, other in self._parties.items():
            if other.topic == party.topic:
                self._pairs[name, party.name] = Pair(self._orders[name], order, self._swapped)
        self._parties[party.name] = party
        return order

    def _look(self, how: Callable[[Pair], None]) -> None:
        for names, pair in self._pairs.items():
            how(pair)
            if pair.difference and names not in self._shown:
                self._shown[names] = self._witness(names, pair, pair.difference)

    def _witness(self, names: tuple[str, str], pair: Pair, difference: Difference) -> Witness:
        one, other = (self._cell(key) for key in difference)
        reverse = Difference(difference.second, difference.first)
        first, second = message(one.producer, one.n), message(other.producer, other.n)
        return Witness(
            text=f"{names[0]} got {first} before {second}, {names[1]} after",
            rows=(
                Row(names[0], self._cells(pair.one.order, difference)),
                Row(names[1], self._cells(pair.other.order, reverse)),
            ),
        )

    def _cells(self, order: Order, two: Difference) -> tuple[Cell, ...]:
        keys: Sequence[int] = two
        if two.first in order.keys and two.second in order.keys:
            first, second = order.keys.index(two.first), order.keys.index(two.second)
            if second - first <= _APART_MAX:
                keys = order.keys[max(0, first - _AROUND) : second + _AROUND + 1]
        return tuple(self._cell(key, marked=key in two) for key in keys)

    def _cell(self, key: int, *, marked: bool = True) -> Cell:
        producer = list(self._producers)[key >> NUMBER_BITS]
        return Cell(producer, key & _NUMBER, Look.MARKED if marked else Look.PLAIN)

    def _key(self, producer: str, n: int) -> int:
        return (self._producers.setdefault(producer, len(self._producers)) << NUMBER_BITS) + n

    def _planted(self, names: tuple[str, str], found: set[Planted]) -> int:
        """How many of the differences of a pair were planted."""
        inverted = []
        members = self._parties[names[0]].members | self._parties[names[1]].members
        for planted, key, other in self._swaps:
            places = [self._places.get((name, each)) for name in names for each in (key, other)]
            if planted.consumer in members and None not in places:
                one, two, three, four = cast("list[int]", places)
                if (one < two) != (three < four):
                    inverted.append(planted)
        # They are among those that were counted, or the counting is blind.
        found.update(inverted[: self._pairs[names].inversions])
        return len(inverted)

    def _uncommon(self, names: tuple[str, str], pair: Pair) -> int:
        """Messages that one of a pair got and the other should have got too."""
        count = 0
        for keys, name in zip(pair.alone(), reversed(names), strict=True):
            party = self._parties[name]
            absent = set().union(
                *(self._absent.get(member, ()) for each in names for member in self._parties[each].members)
            )
            cells = [self._cell(key) for key in keys if key not in absent]
            count += sum(cell.n >= party.since.get(cell.producer, 0) for cell in cells)
        return count

    def _doubts(self, uncommon: int) -> Iterator[str]:
        if self._pairs and self._switches < SWITCHES_MIN * self._neighbours:
            yield (
                f"only {self._switches:,} of {self._neighbours:,} neighbours came from different producers: "
                "they hardly competed"
            )
        if uncommon:
            yield f"{uncommon:,} messages came to one of two and not to the other: their order cannot be compared"

    def _blind(self, found: set[Planted]) -> Iterator[str]:
        missed = [swap.planted for swap in self._swaps if swap.planted not in found]
        if missed and self._pairs:
            yield f"{len(missed)} of {len(self._swaps)} planted faults were not found, first {describe(missed[0])}"
