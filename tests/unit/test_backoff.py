"""When to try again, and when to give up."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.backoff import Backoff, Policy

S = 1_000_000_000


class Top(random.Random):
    """Always draws the most."""

    def uniform(self, a: float, b: float) -> float:
        return b


def pauses(backoff: Backoff, start_ns: int = 0, count: int = 100) -> list[float]:
    """The pauses of tries that fail at once, until it gives up; at most `count`."""
    found, now_ns = [], start_ns
    while len(found) < count and (pause_s := backoff.pause_s(now_ns)) is not None:
        found.append(pause_s)
        now_ns += round(pause_s * S)
    return found


def test_pauses_double_up_to_the_longest():
    backoff = Backoff(Policy(within_s=math.inf, pause_max_s=10.0), Top())
    assert pauses(backoff, count=8) == [0.25, 0.5, 1, 2, 4, 8, 10, 10]


def test_trying_for_ever_never_overflows():
    policy = Policy(within_s=math.inf, pause_max_s=10.0)
    assert policy.ceiling_s(10**9) == 10.0


def test_the_last_try_is_made_when_the_time_is_over():
    backoff = Backoff(Policy(within_s=2.0, pause_max_s=10.0), Top())
    assert pauses(backoff) == [0.25, 0.5, 1, 0.25]


def test_without_time_there_is_no_try():
    assert Backoff(Policy(within_s=0.0, pause_max_s=10.0), Top()).pause_s(0) is None


@given(st.integers(), st.floats(0.1, 100), st.floats(0.01, 100))
def test_pauses_keep_below_their_ceiling_and_end_on_time(seed, within_s, pause_max_s):
    policy = Policy(within_s=within_s, pause_max_s=pause_max_s)
    found = pauses(Backoff(policy, random.Random(seed)), count=10_000)
    assert all(0 <= pause_s <= policy.ceiling_s(tries) for tries, pause_s in enumerate(found))
    assert math.isclose(sum(found), within_s, abs_tol=1e-4) or len(found) == 10_000


def test_the_seed_repeats_the_pauses():
    policy = Policy(within_s=60.0, pause_max_s=10.0)
    assert pauses(Backoff(policy, random.Random(1))) == pauses(Backoff(policy, random.Random(1)))
    assert pauses(Backoff(policy, random.Random(1))) != pauses(Backoff(policy, random.Random(2)))


@pytest.mark.parametrize(("lasted_s", "next_s", "left_s"), [(2.0, 0.25, 60.0), (1.9, 0.5, 57.85)])
def test_only_a_connection_that_lasted_ends_the_outage(lasted_s, next_s, left_s):
    backoff = Backoff(Policy(within_s=60.0, pause_max_s=10.0), Top())
    backoff.lost(0)
    assert backoff.pause_s(0) == 0.25
    resumed_ns = S // 4
    backoff.resumed(resumed_ns)
    lost_ns = resumed_ns + round(lasted_s * S)
    backoff.lost(lost_ns)
    assert backoff.left_s(lost_ns) == pytest.approx(left_s)
    assert backoff.pause_s(lost_ns) == next_s
