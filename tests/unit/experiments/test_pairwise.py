"""Two consumers compared while they come: whatever the cuts, the same as comparing them whole at the end."""

from __future__ import annotations

import pytest

from mqctl.experiments import pairwise
from mqctl.experiments.pairwise import SETTLE_MIN, Order, Pair


def compared(one: list[int], other: list[int], step: int = 1) -> Pair:
    """Both come in turn, so many messages at a time."""
    orders = Order(), Order()
    pair = Pair(*orders)
    for at in range(0, max(len(one), len(other)), step):
        for order, all_ in zip(orders, (one, other), strict=True):
            order.keys.extend(all_[at : at + step])
        pair.advance()
        orders[0].forget(pair.one.at)
        orders[1].forget(pair.other.at)
    pair.finish()
    return pair


@pytest.fixture(params=[1, 3, SETTLE_MIN], ids="settles-{}".format)
def settling(request, monkeypatch):
    monkeypatch.setattr(pairwise, "SETTLE_MIN", request.param)


@pytest.mark.parametrize("step", [1, 2, 100])
@pytest.mark.parametrize(
    ("one", "other", "common", "inversions", "alone"),
    [
        ([1, 2, 3], [1, 2, 3], 3, 0, ([], [])),
        ([1, 2, 3], [2, 1, 3], 3, 1, ([], [])),
        ([1, 2, 3, 4], [2, 3, 4, 1], 4, 3, ([], [])),
        ([1, 2, 3, 4], [4, 3, 2, 1], 4, 6, ([], [])),
        ([1, 2, 3], [1, 3], 2, 0, ([2], [])),
        ([1, 3, 4], [1, 2, 3, 4], 3, 0, ([], [2])),
        ([1, 2], [], 0, 0, ([1, 2], [])),
        ([], [], 0, 0, ([], [])),
        # Late at one of them, and late at each of them.
        ([1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 1], 6, 5, ([], [])),
        ([1, 3, 4, 5, 6, 2], [2, 3, 4, 5, 6, 1], 6, 9, ([], [])),
        ([1, 2, 3, 4, 5, 6, 7], [3, 4, 5, 2, 6, 7, 1], 7, 9, ([], [])),
        ([2, 3, 4, 5, 6, 1], [1, 2, 3, 4, 5, 6], 6, 5, ([], [])),
    ],
)
@pytest.mark.usefixtures("settling")
def test_what_differs(one, other, common, inversions, alone, step):
    pair = compared(one, other, step)
    assert (pair.common, pair.inversions) == (common, inversions)
    assert tuple(map(sorted, pair.alone())) == alone
    if inversions:
        first, second = pair.difference
        assert one.index(first) < one.index(second)
        assert other.index(first) > other.index(second)
    else:
        assert pair.difference is None


def test_what_both_saw_alike_is_forgotten():
    orders = Order(), Order()
    pair = Pair(*orders)
    for at in range(0, 100_000, 1000):
        for order in orders:
            order.keys.extend(range(at, at + 1000))
        pair.advance()
        for order, side in zip(orders, (pair.one, pair.other), strict=True):
            order.forget(side.at)
            assert not order.keys
    assert pair.common == 100_000


def test_what_is_lost_at_one_does_not_hold_up_the_rest():
    orders = Order(), Order()
    pair = Pair(*orders)
    for at in range(0, 50 * SETTLE_MIN, 1000):
        orders[0].keys.extend(range(at, at + 1000))
        orders[1].keys.extend(n for n in range(at, at + 1000) if n != 7)
        pair.advance()
        orders[0].forget(pair.one.at)
        orders[1].forget(pair.other.at)
        assert len(orders[0].keys) <= SETTLE_MIN
    pair.finish()
    assert (pair.common, pair.inversions, pair.alone()) == (pair.one.order.stop - 1, 0, ([7], []))


def test_a_planted_difference_is_counted_and_not_told():
    orders = Order(), Order()
    pair = Pair(*orders, planted={(1, 2), (2, 1)})
    orders[0].keys.extend([1, 2, 3, 4])
    orders[1].keys.extend([2, 1, 4, 3])
    pair.finish()
    assert pair.inversions == 2
    assert pair.difference == (3, 4)
