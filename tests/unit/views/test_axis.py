from __future__ import annotations

import pytest

from mqctl.views.axis import axis


@pytest.mark.parametrize(
    ("low", "high", "count", "ticks"),
    [
        (0, 20, 5, ["0", "5", "10", "15", "20"]),
        (0, 18, 5, ["0", "5", "10", "15", "20"]),
        (0, 1, 3, ["0.0", "0.5", "1.0"]),
        (-1, 1, 5, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
        (1e6, 1e6 + 2, 3, ["1000000", "1000001", "1000002"]),
        (1e9, 1e9 + 2, 3, ["1000000000", "1000000001", "1000000002"]),
        (0, 5e10, 2, ["0", "5e+10"]),
        (0, 3e-9, 4, ["0", "1e-09", "2e-09", "3e-09"]),
        (7, 7, 3, ["0", "10", "20"]),
        (0, 0, 3, ["-1", "0", "1"]),
    ],
)
def test_ticks_are_round_numbers_that_tell_themselves_apart(low, high, count, ticks):
    made = axis(low, high, count)
    assert [made.label(tick) for tick in made.ticks] == ticks
