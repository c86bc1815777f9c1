"""Random lives of consumers that acknowledge: taken in a stretch at a time, they come to the same as step by step."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqctl.experiments.answers import Answer, Property
from mqctl.experiments.check import Examination
from mqctl.experiments.checkers.acks import Acks
from mqctl.experiments.events import Acked, ConnectionLost, Delivered, Event, Nacked, Requeued, Subscribed
from mqctl.experiments.history import Batch
from tests.unit.experiments.histories import END, HEADER

STEPS = 120
ABOUT = {Property.ACK_HOLDS, Property.REDELIVERY, Property.PREFETCH, Property.FLAGS}

seeds = st.integers(0, 2**32)
"""Hypothesis prints the one that fails."""

strange_shares = st.sampled_from([0.0, 0.02, 0.3])
"""How often something happens that is not a delivery or its acknowledgement in turn."""


def life(chance: random.Random, strange: float) -> list[Event]:
    """Two consumers of a queue, and one by itself."""
    limit = chance.choice([None, 2, 5])
    kind = chance.choice(["individual", "individual", "client"])
    events: list[Event] = [Subscribed(name, group="q", ack=kind, prefetch=limit) for name in "cd"]
    events.append(Subscribed("e", ack="individual", prefetch=limit))
    held: dict[str, list[int]] = {name: [] for name in "cde"}
    next_n = {"q": 0, "e": 0}
    for _ in range(STEPS):
        name = chance.choice("cde")
        mine, stream = held[name], "e" if name == "e" else "q"
        if chance.random() < strange:
            n = chance.choice([*mine, chance.randrange(next_n[stream] + 1)])
            events.append(chance.choice(STRANGE)(name, n))
        elif mine and (chance.random() < 0.5 or len(mine) == limit):
            events.append(Acked(name, stream.upper(), mine.pop(0), confirmed=chance.random() < 0.5))
        else:
            mine.append(next_n[stream])
            events.append(Delivered(name, stream.upper(), next_n[stream]))
            next_n[stream] += 1
    return [*events, END]


def of(name: str) -> str:
    return "E" if name == "e" else "Q"


STRANGE = (
    lambda name, n: Acked(name, of(name), n),
    lambda name, n: Acked(name, of(name), n, confirmed=True),
    lambda name, n: Delivered(name, of(name), n),
    lambda name, n: Delivered(name, of(name), n, redelivered=True),
    lambda name, n: Nacked(name, of(name), n, requeue=n % 2 == 0),
    lambda name, n: Requeued(name, of(name), n),
    lambda name, _: ConnectionLost(name),
)


def found(events: Sequence[Event], size: int) -> list[Answer]:
    examination = Examination(HEADER)
    for at in range(0, len(events), size):
        examination.take_in(Batch(at + 2, events[at : at + size]))
    return [answer for answer in examination.answers() if answer.about in ABOUT]


@settings(deadline=None)
@given(seeds, strange_shares, st.sampled_from([7, 40, 1000]))
def test_a_stretch_at_once_is_the_same_as_step_by_step(seed, strange, size):
    events = life(random.Random(seed), strange)
    at_once = found(events, size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Acks, "_in_turn", lambda *_: False)
        assert found(events, size) == at_once


@settings(deadline=None)
@given(seeds, strange_shares, st.integers(1, 50))
def test_how_long_the_stretches_are_does_not_matter(seed, strange, size):
    events = life(random.Random(seed), strange)
    counts = [
        [(each.about, each.violations, each.chances, each.numbers) for each in found(events, length)]
        for length in (size, len(events))
    ]
    assert counts[0] == counts[1]
