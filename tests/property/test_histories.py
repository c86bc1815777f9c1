"""Random histories of a small broker that does right but for what is planted: that is found, and nothing else."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from mqctl.experiments import pairwise
from mqctl.experiments.answers import Property
from mqctl.experiments.events import Confirmed, Delivered, Event, Fault, Planted, Publish, Unknown
from mqctl.experiments.pairwise import Order, Pair
from mqctl.measurement.ranges import Ranges
from mqctl.measurement.verdict import Verdict
from tests.unit.experiments.histories import END, answers, here, judged

JUDGED = "exactly-once no-gaps total-order"
CONSUMERS = "c", "d", "e"
MESSAGES = 60
MS = 1_000_000

seeds = st.integers(0, 2**32)
"""Hypothesis prints the one that fails."""


@dataclass
class ModelBroker:
    """All consumers get all messages in one order, a while later, each at a pace of its own; faults come last."""

    chance: random.Random
    events: list[Event] = field(default_factory=list)
    order: list[tuple[str, int]] = field(default_factory=list)

    def run(self) -> None:
        """Publish everything; some of it comes while that goes on."""
        numbers = dict.fromkeys("ABC", self.chance.randrange(3))
        for _ in range(MESSAGES):
            producer = self.chance.choice("ABC")
            n, numbers[producer] = numbers[producer], numbers[producer] + 1
            self.order.append((producer, n))
            outcome = self.chance.choices([Confirmed, Unknown], [20, 1])[0]
            due_ns = len(self.order) * MS
            self.events += [Publish(producer, n, "", due_ns, due_ns), outcome(producer, n)]

    def plant(self, faults: list[Fault]) -> tuple[list[Planted], dict[str, list[Delivered]]]:
        """What each consumer gets, with faults at places that do not touch."""
        got = {consumer: [self.delivered(consumer, at) for at in range(MESSAGES)] for consumer in CONSUMERS}
        places = [
            (self.chance.choice(CONSUMERS), at) for at in self.chance.sample(range(2, MESSAGES - 2, 4), len(faults))
        ]
        planted = []
        # From behind, so that the places before stay where they are.
        for fault, (consumer, at) in sorted(zip(faults, places, strict=True), key=lambda each: -each[1][1]):
            planted.append(self.spoil(got[consumer], fault, at))
        return planted, got

    def delivered(self, consumer: str, at: int) -> Delivered:
        producer, n = self.order[at]
        return Delivered(consumer, producer, n, (at + 1) * MS + 1000, (at + 1) * MS)

    def spoil(self, got: list[Delivered], fault: Fault, at: int) -> Planted:
        """Do to a delivery what is planted there."""
        event, following = got[at], got[at + 1]
        place = (event.consumer, event.producer, event.n)
        match fault:
            case Fault.DROP:
                del got[at]
            case Fault.DUPLICATE:
                got.insert(self.chance.randrange(at + 1, len(got)), event)
            case Fault.SWAP:
                got[at], got[at + 1] = following, event
                return Planted(fault, *place, following.producer, following.n)
            case Fault.DELAY:
                got[at] = Delivered(*place, (event.received_ns or 0) + 50 * MS, event.intended_ns)
                return Planted(fault, *place, delay_ns=50 * MS)
        return Planted(fault, *place)

    def history(self, faults: list[Fault]) -> tuple[list[Event], list[Event]]:
        """What was planted, and everything else, with the consumers' deliveries mixed."""
        self.run()
        planted, got = self.plant(faults)
        rest = {consumer: list(reversed(events)) for consumer, events in got.items()}
        mixed: list[Event] = []
        while any(rest.values()):
            mixed.append(rest[self.chance.choice([consumer for consumer in CONSUMERS if rest[consumer]])].pop())
        return [*planted], [*here(*CONSUMERS), *self.events, *mixed, END]


@settings(deadline=None)
@given(seeds)
def test_a_broker_that_does_right_is_never_accused(seed):
    _, events = ModelBroker(random.Random(seed)).history([])
    report = judged(events, expect=JUDGED)
    assert report.verdict is Verdict.PASS
    assert not any(each.answer.violations for each in report.judged)


@settings(deadline=None)
@given(seeds, st.lists(st.sampled_from([fault for fault in Fault if fault is not Fault.STRAY]), min_size=1, max_size=8))
def test_what_was_planted_is_found_and_nothing_else(seed, faults):
    planted, events = ModelBroker(random.Random(seed)).history(faults)
    report = judged(planted, events, expect=f"{JUDGED} latency")
    assert report.verdict is Verdict.PASS, [(each.answer.about, each.why) for each in report.judged]
    found = {each.answer.about: each.answer for each in report.judged}
    for about, fault in (
        (Property.NO_LOSS, Fault.DROP),
        (Property.NO_DUPLICATES, Fault.DUPLICATE),
        (Property.AGREEMENT, Fault.SWAP),
        (Property.LATENCY, Fault.DELAY),
    ):
        assert (found[about].planted, found[about].found) == (faults.count(fault), faults.count(fault))


@settings(deadline=None)
@given(seeds, st.lists(st.sampled_from([Fault.DROP, Fault.DUPLICATE, Fault.SWAP]), min_size=1, max_size=8))
def test_the_same_faults_are_the_brokers_where_nobody_planted_them(seed, faults):
    planted, events = ModelBroker(random.Random(seed)).history(faults)
    found = answers(events)
    confirmed = {(e.producer, e.n) for e in events if isinstance(e, Confirmed)}
    drops = [each for each in planted if each.fault is Fault.DROP]
    swaps = [each for each in planted if each.fault is Fault.SWAP]
    assert found[Property.NO_LOSS].violations == sum((each.producer, each.n) in confirmed for each in drops)
    assert found[Property.NO_DUPLICATES].violations == faults.count(Fault.DUPLICATE)
    assert found[Property.FIFO].violations == sum(each.producer == each.with_producer for each in swaps)
    # Each swap shows against each of the two others.
    assert found[Property.AGREEMENT].violations == 2 * len(swaps)


@settings(deadline=None)
@given(seeds, st.sampled_from([1, 3, 20, 4096]))
def test_two_orders_compared_piece_by_piece_are_as_different_as_whole(seed, settle_min):
    chance = random.Random(seed)
    one, other = _shuffled(chance), _shuffled(chance)
    orders = Order(), Order()
    pair = Pair(*orders)
    pair._wait, pairwise.SETTLE_MIN = settle_min, settle_min
    try:
        rest = [one[:], other[:]]
        while any(rest):
            for order, left in zip(orders, rest, strict=True):
                size = chance.choice([0, 1, 3, 10])
                order.keys.extend(left[:size])
                del left[:size]
            pair.advance()
            orders[0].forget(pair.one.at)
            orders[1].forget(pair.other.at)
        pair.finish()
    finally:
        pairwise.SETTLE_MIN = 4096
    place = {key: at for at, key in enumerate(other)}
    both = [place[key] for key in one if key in place]
    assert pair.common == len(both)
    assert pair.inversions == sum(a > b for i, a in enumerate(both) for b in both[i + 1 :])
    assert list(map(set, pair.alone())) == [set(one) - set(other), set(other) - set(one)]


def _shuffled(chance: random.Random) -> list[int]:
    """Numbers in order, but for a few that moved, near or far, and some that are missing."""
    numbers = list(range(chance.randrange(60)))
    for _ in range(chance.choice([0, 1, 3, 10]) if numbers else 0):
        moved = numbers.pop(chance.randrange(len(numbers)))
        numbers.insert(chance.randrange(len(numbers) + 1), moved)
    missing = chance.choice([0, 0, 0.05, 0.3])
    return [n for n in numbers if chance.random() >= missing]


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)), max_size=8)


@given(spans, spans)
def test_ranges_are_the_sets_that_they_stand_for(these, those):
    one, other = Ranges(), Ranges()
    sets: list[set[int]] = [set(), set()]
    for ranges, numbers, added in zip((one, other), sets, (these, those), strict=True):
        for start, size in added:
            new = {n for a, b in ranges.add(start, start + size) for n in range(a, b)}
            assert new == set(range(start, start + size)) - numbers
            numbers.update(new)
    left, common = (one.without(other), sets[0] - sets[1]), (one.common(other), sets[0] & sets[1])
    for ranges, numbers in ((one, sets[0]), left, common):
        assert {n for start, stop in ranges.all() for n in range(start, stop)} == numbers
        assert all(a.stop < b.start for a, b in zip(ranges.all(), ranges.all()[1:], strict=False))
        assert all((n in ranges) == (n in numbers) for n in range(40))
