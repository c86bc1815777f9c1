"""How much of a core a worker used while it measured."""

from __future__ import annotations

import pytest

from mqctl.bench import usage
from mqctl.bench.usage import Usage


@pytest.fixture
def clocks(monkeypatch) -> list[float]:
    """Wall and processor time, in seconds."""
    now = [0.0, 0.0]
    monkeypatch.setattr(usage.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(usage.time, "process_time", lambda: now[1])
    return now


def test_the_share_is_of_the_time_between_the_begin_of_measuring_and_the_last_work(clocks):
    measured = Usage(from_s=10.0)
    for wall_s, cpu_s, working in ((9, 5, True), (10, 6, True), (12, 7, True), (14, 7.5, False), (16, 7.5, False)):
        clocks[:] = [wall_s, cpu_s]
        measured.note(working=working)
    assert measured.share() == 0.5


def test_a_short_time_says_nothing(clocks):
    measured = Usage(from_s=0.0)
    measured.note(working=True)
    clocks[:] = [0.05, 0.05]
    measured.note(working=True)
    assert measured.share() is None
    assert Usage(from_s=5.0).share() is None
