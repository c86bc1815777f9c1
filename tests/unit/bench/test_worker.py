"""What a worker does before its job."""

from __future__ import annotations

import pytest

from mqctl.bench.worker import turn_s
from mqctl.measurement.sending import SWITCH_S


@pytest.mark.parametrize(
    ("members", "seconds"), [(1, SWITCH_S), (4, SWITCH_S), (20, 0.001), (100, 0.005), (2000, 0.005)]
)
def test_turns_are_longer_the_more_wait_for_one(members, seconds):
    assert turn_s(members) == pytest.approx(seconds)
